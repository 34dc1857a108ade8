import { ACCOUNT, remote, WHO, WHY, withAccount } from '../remote.ts';
export const accountLock = remote({
  name: 'account lock',
  text: { de: 'sperrt ein Konto sofort, mit allen Anmeldungen', en: 'locks an account at once, with all its sign-ins' },
  options: { ...ACCOUNT, ...WHY },
  positional: WHO,
  input: withAccount,
  changes: true,
  examples: ['account lock GT-4F7K-29QX-C --reason citizen-asked --ticket B-2042 --commit'],
});
