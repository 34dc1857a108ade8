import type { Command } from '../command.ts';
import { EXIT } from '../command.ts';
import { stateOf, word } from '../remote.ts';
import { call } from '../session.ts';

export const doctor: Command = {
  name: 'doctor',
  text: {
    de: 'untersucht den laufenden Betrieb und sagt, was zu tun ist',
    en: 'examines the running service and says what to do',
  },
  options: {},
  changes: false,
  examples: ['doctor', 'doctor --json'],
  async run(cli, args) {
    const { findings } = await call(cli, 'doctor', {});
    const all = findings as Record<string, unknown>[];
    const bad = all.filter(({ state }) => state !== 'good');
    if (args.json) cli.print(JSON.stringify({ findings: all }, null, 2));
    else {
      const w = cli.t.words;
      cli.table(
        [w.check, w.status, w.value, w.todo],
        all.map((one) => [
          word(one['check']),
          stateOf(cli, one['state']),
          word(one['value']),
          cli.t.todo[String(one['code'])] ?? '',
        ]),
      );
      if (bad.length === 0) cli.say(cli.good(cli.t.allGood));
    }
    return bad.length === 0 ? EXIT.done : EXIT.faults;
  },
};
