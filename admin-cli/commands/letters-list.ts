import { day, when } from '../moments.ts';
import { remote, word } from '../remote.ts';
export const lettersList = remote({
  name: 'letters list',
  text: {
    de: 'zeigt, wie viele Briefe an Bürger ohne E-Mail auf den Druck warten',
    en: 'shows how many letters to citizens without e-mail wait to be printed',
  },
  options: {},
  changes: false,
  examples: ['letters list'],
  show(cli, result) {
    const w = cli.t.words;
    const since = day(cli, result['since']);
    cli.facts([[w.waiting, since === '' ? word(result['waiting']) : `${result['waiting']} (${since})`]]);
    const batches = result['batches'] as Record<string, unknown>[];
    if (batches.length === 0) return;
    cli.say(cli.t.batchesOpen);
    cli.table(
      [w.batch, w.letters, w.actor, w.at],
      batches.map((one) => [
        word(one['number']),
        word(one['letters']),
        word(one['takenBy']),
        when(cli, one['takenAt']),
      ]),
    );
  },
});
