import { when } from '../moments.ts';
import { remote, stateOf, word } from '../remote.ts';
export const keysList = remote({
  name: 'keys list',
  text: { de: 'zeigt die Signaturschlüssel', en: 'shows the signing keys' },
  options: {},
  changes: false,
  examples: ['keys list'],
  show(cli, result) {
    const w = cli.t.words;
    cli.table(
      [w.key, w.alg, w.status, w.created],
      (result['keys'] as Record<string, unknown>[]).map((key) => [
        word(key['kid']),
        word(key['alg']),
        stateOf(cli, key['state']),
        when(cli, key['createdAt']),
      ]),
    );
  },
});
