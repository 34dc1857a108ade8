import { remote, word } from '../remote.ts';
export const keysRotate = remote({
  name: 'keys rotate',
  text: {
    de: 'erzeugt den nächsten Schlüssel vor der Zeit; er unterschreibt nach einem Tag',
    en: 'makes the next key ahead of time; it signs after a day',
  },
  options: {},
  changes: true,
  examples: ['keys rotate --commit'],
  show: (cli, result) => cli.facts([[cli.t.words.key, word(result['kid'])]]),
});
