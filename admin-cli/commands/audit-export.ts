import type { Command } from '../command.ts';
import { EXIT } from '../command.ts';
import { call } from '../session.ts';

export const auditExport: Command = {
  name: 'audit export',
  text: {
    de: 'gibt das ganze Protokoll aus, je Zeile ein JSON-Objekt',
    en: 'prints the whole audit, one JSON object a line',
  },
  options: {},
  changes: false,
  examples: ['audit export > protokoll.jsonl'],
  async run(cli) {
    let after = 0;
    let rows = 0;
    for (;;) {
      const { entries, next } = await call(cli, 'audit export', { after });
      for (const entry of entries as object[]) cli.print(JSON.stringify(entry));
      rows += (entries as object[]).length;
      cli.progress(cli.t.exported(rows));
      if (typeof next !== 'number') break;
      after = next;
    }
    cli.progress('');
    cli.say(cli.t.exported(rows));
    return EXIT.done;
  },
};
