import { readFileSync } from 'node:fs';
import type { Command } from '../command.ts';
import { EXIT } from '../command.ts';
import { call } from '../session.ts';

export const auditVerify: Command = {
  name: 'audit verify',
  text: { de: 'prüft, ob am Protokoll etwas verändert wurde', en: 'checks whether anything in the audit was altered' },
  options: {
    checkpoints: {
      type: 'string',
      value: 'DATEI',
      text: {
        de: 'Datei mit weiteren Kontrollpunkten, etwa vom Syslog-Server',
        en: 'file with more checkpoints, such as from the syslog server',
      },
    },
  },
  changes: false,
  examples: ['audit verify', 'audit verify --checkpoints /media/usb/checkpoints.jsonl'],
  async run(cli, args) {
    const file = args.options['checkpoints'];
    // A syslog server writes its own words before each line.
    const lines = typeof file === 'string' ? readFileSync(file, 'utf8').split('\n') : [];
    const checkpoints = lines.flatMap((line) => /\{.*\}/.exec(line)?.[0] ?? []);
    const result = await call(cli, 'audit verify', checkpoints.length === 0 ? {} : { checkpoints });
    const found = Number(result['faultsFound']);
    if (args.json) cli.print(JSON.stringify(result, null, 2));
    else if (found === 0) cli.print(cli.good(cli.t.verified(Number(result['links']), Number(result['upTo']))));
    else {
      cli.print(cli.bad(cli.t.faultsFound(found)));
      cli.table(
        [cli.t.words.kind, 'position', 'seq'],
        (result['faults'] as Record<string, unknown>[]).map((fault) => [
          String(fault['kind']),
          String(fault['position'] ?? ''),
          String(fault['seq'] ?? ''),
        ]),
      );
    }
    return found === 0 ? EXIT.done : EXIT.faults;
  },
};
