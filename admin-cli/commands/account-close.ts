import { LOCK_REASONS } from '../../accounts/terms.ts';
import { ACCOUNT, remote, TICKET, WHO, withAccount } from '../remote.ts';
export const accountClose = remote({
  name: 'account close',
  text: {
    de: 'schließt ein Konto, das jemand anderes gesperrt hat, für immer',
    en: 'closes for good an account that somebody else has locked',
  },
  options: {
    ...ACCOUNT,
    reason: { type: 'string', required: true, values: LOCK_REASONS, text: { de: 'Grund', en: 'reason' } },
    ...TICKET,
  },
  positional: WHO,
  input: withAccount,
  changes: true,
  examples: ['account close GT-4F7K-29QX-C --reason citizen-asked --ticket B-2042 --commit'],
});
