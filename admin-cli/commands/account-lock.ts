import { LOCK_REASONS } from '../../accounts/terms.ts';
import { ACCOUNT, remote, TICKET, WHO, withAccount } from '../remote.ts';
export const accountLock = remote({
  name: 'account lock',
  text: { de: 'sperrt ein Konto sofort, mit allen Anmeldungen', en: 'locks an account at once, with all its sign-ins' },
  options: {
    ...ACCOUNT,
    reason: { type: 'string', required: true, values: LOCK_REASONS, text: { de: 'Grund', en: 'reason' } },
    ...TICKET,
  },
  positional: WHO,
  input: withAccount,
  changes: true,
  examples: ['account lock GT-4F7K-29QX-C --reason citizen-asked --ticket B-2042 --commit'],
});
