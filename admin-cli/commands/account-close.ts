import { ACCOUNT, remote, WHO, WHY, withAccount } from '../remote.ts';
export const accountClose = remote({
  name: 'account close',
  text: {
    de: 'schließt ein Konto, das jemand anderes gesperrt hat, für immer',
    en: 'closes for good an account that somebody else has locked',
  },
  options: { ...ACCOUNT, ...WHY },
  positional: WHO,
  input: withAccount,
  changes: true,
  examples: ['account close GT-4F7K-29QX-C --reason citizen-asked --ticket B-2042 --commit'],
});
