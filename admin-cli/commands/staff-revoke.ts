import { ROLES } from '../../accounts/terms.ts';
import { MEMBER, remote } from '../remote.ts';
export const staffRevoke = remote({
  name: 'staff revoke',
  text: {
    de: 'nimmt einer Person eine Rolle; ohne --role scheidet sie ganz aus. Wirkt sofort.',
    en: 'takes a role from a person; without --role they leave. Acts at once.',
  },
  options: { role: { type: 'string', values: ROLES, text: { de: 'Rolle', en: 'role' } } },
  positional: MEMBER,
  changes: true,
  examples: [
    'staff revoke anna.amt@stadt.example --role clerk --commit',
    'staff revoke anna.amt@stadt.example --commit',
  ],
  input: ({ words, options }) => ({ email: words[0], ...(options['role'] !== undefined && { role: options['role'] }) }),
});
