import { remote, rolesOf, stateOf, word } from '../remote.ts';
export const staffList = remote({
  name: 'staff list',
  text: { de: 'zeigt alle Mitglieder der Verwaltung', en: 'shows all members of staff' },
  options: {},
  changes: false,
  examples: ['staff list'],
  show(cli, result) {
    const w = cli.t.words;
    cli.table(
      [w.name, w.email, w.status, w.roles],
      (result['staff'] as Record<string, unknown>[]).map((member) => [
        word(member['name']),
        word(member['email']),
        stateOf(cli, member['state']),
        rolesOf(cli, member),
      ]),
    );
  },
});
