import { MEMBER, remote } from '../remote.ts';
export const staffObject = remote({
  name: 'staff object',
  text: {
    de: 'legt Einspruch gegen Rollen ein, die noch nicht gelten; jedes Mitglied darf das, alle erfahren es',
    en: 'objects to roles that do not act yet; every member may, and all are told',
  },
  options: {},
  positional: MEMBER,
  changes: true,
  examples: ['staff object anna.amt@stadt.example --commit'],
  input: ({ words }) => ({ email: words[0] }),
});
