import { when } from '../moments.ts';
import { remote, word } from '../remote.ts';
export const auditSearch = remote({
  name: 'audit search',
  text: { de: 'sucht im Protokoll', en: 'searches the audit' },
  options: {
    event: { type: 'string', text: { de: 'Ereignis, wie recovery-opened', en: 'event, like recovery-opened' } },
    staff: { type: 'string', value: 'E-MAIL', text: { de: 'wer gehandelt hat', en: 'who acted' } },
    kennung: { type: 'string', text: { de: 'Konto', en: 'account' } },
    recovery: { type: 'string', value: 'NUMMER', text: { de: 'Vorgang', en: 'case' } },
    ticket: { type: 'string', text: { de: 'Ticketnummer', en: 'ticket number' } },
    since: { type: 'string', value: 'ZEIT', text: { de: 'ab, ISO 8601', en: 'from, ISO 8601' } },
    until: { type: 'string', value: 'ZEIT', text: { de: 'bis, ISO 8601', en: 'until, ISO 8601' } },
  },
  changes: false,
  examples: ['audit search --recovery R-7K3F-29QX', 'audit search --staff anna.amt@stadt.example --since 2026-11-01'],
  show(cli, result) {
    const w = cli.t.words;
    const rows = result['entries'] as Record<string, unknown>[];
    if (rows.length === 0) return cli.say(cli.t.none);
    cli.table(
      [w.at, w.event, w.actor, w.detail],
      rows.map((row) => [
        when(cli, row['at']),
        word(row['event']),
        word(row['actor']),
        Object.entries(row['detail'] as Record<string, unknown>)
          .map(([name, value]) => `${name}=${typeof value === 'object' ? JSON.stringify(value) : word(value)}`)
          .join(' '),
      ]),
    );
  },
});
