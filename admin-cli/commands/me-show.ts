import { remote, rolesOf, word } from '../remote.ts';
export const meShow = remote({
  name: 'me show',
  text: { de: 'zeigt, als wer Sie angemeldet sind', en: 'shows as whom you are signed in' },
  options: {},
  changes: false,
  examples: ['me show'],
  show(cli, result) {
    const w = cli.t.words;
    cli.facts([
      [w.name, word(result['name'])],
      [w.email, word(result['email'])],
      [w.roles, rolesOf(cli, result)],
    ]);
  },
});
