import { ACCOUNT, remote, WHO, WHY, withAccount } from '../remote.ts';
export const accountUnlock = remote({
  name: 'account unlock',
  text: {
    de: 'entsperrt ein Konto, das jemand anderes gesperrt hat',
    en: 'unlocks an account that somebody else has locked',
  },
  options: { ...ACCOUNT, ...WHY },
  positional: WHO,
  input: withAccount,
  changes: true,
  examples: ['account unlock GT-4F7K-29QX-C --reason citizen-asked --ticket B-2042 --commit'],
});
