import { when } from '../moments.ts';
import { remote, stateOf, termOf, word } from '../remote.ts';
export const recoveryList = remote({
  name: 'recovery list',
  text: { de: 'zeigt die laufenden Vorgänge', en: 'shows the cases under way' },
  options: { all: { type: 'boolean', text: { de: 'auch beendete', en: 'ended ones too' } } },
  changes: false,
  examples: ['recovery list', 'recovery list --all --json'],
  show(cli, result) {
    const w = cli.t.words;
    const rows = result['recoveries'] as Record<string, unknown>[];
    if (rows.length === 0) return cli.say(cli.t.none);
    cli.table(
      [w.number, w.status, w.kennung, w.evidence, w.ticket, w.openedBy, w.openedAt],
      rows.map((row) => [
        word(row['number']),
        stateOf(cli, row['status']),
        word(row['kennung']),
        termOf(cli, row['evidence']),
        word(row['ticket']),
        word(row['openedBy']),
        when(cli, row['openedAt']),
      ]),
    );
  },
});
