import { ROLES } from '../../accounts/terms.ts';
import { MEMBER, remote } from '../remote.ts';
export const staffGrant = remote({
  name: 'staff grant',
  text: {
    de: 'gibt einer Person eine Rolle; alle Mitglieder erfahren es',
    en: 'gives a person a role; all members are told',
  },
  options: { role: { type: 'string', required: true, values: ROLES, text: { de: 'Rolle', en: 'role' } } },
  positional: MEMBER,
  changes: true,
  examples: ['staff grant anna.amt@stadt.example --role auditor --commit'],
  input: ({ words, options }) => ({ email: words[0], role: options['role'] }),
});
