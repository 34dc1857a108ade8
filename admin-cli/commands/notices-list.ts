import { when } from '../moments.ts';
import { remote, word } from '../remote.ts';
export const noticesList = remote({
  name: 'notices list',
  text: {
    de: 'zeigt, was noch zu verschicken ist, ohne Inhalt und Empfänger',
    en: 'shows what waits to be sent, without content and recipient',
  },
  options: {},
  changes: false,
  examples: ['notices list'],
  show(cli, result) {
    const w = cli.t.words;
    const rows = result['notices'] as Record<string, unknown>[];
    if (rows.length === 0) return cli.say(cli.t.none);
    cli.table(
      [w.kind, w.created, w.due, w.tries, w.error],
      rows.map((row) => [
        word(row['kind']),
        when(cli, row['createdAt']),
        when(cli, row['dueAt']),
        word(row['tries']),
        word(row['lastError']),
      ]),
    );
  },
});
