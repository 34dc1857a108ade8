import { parseEmail } from '../../accounts/email.ts';
import * as staff from '../../accounts/staff.ts';
import type { Command } from '../command.ts';
import { EXIT, Refusal } from '../command.ts';
import { openServer } from '../server.ts';

export const staffBootstrap: Command = {
  name: 'staff bootstrap',
  text: {
    de: 'setzt auf dem Server die erste Leitung ein; geht nur, wenn es keine gibt, und alle erfahren es',
    en: 'makes the first chief, on the server; works only when there is none, and all are told',
  },
  options: {
    name: { type: 'string', required: true, text: { de: 'Name', en: 'name' } },
    email: { type: 'string', required: true, text: { de: 'dienstliche E-Mail-Adresse', en: 'office e-mail address' } },
  },
  changes: true,
  examples: ['staff bootstrap --name "Chris Chefin" --email chris.chefin@stadt.example --commit'],
  async run(cli, args) {
    const email = parseEmail(args.options['email']);
    const name = String(args.options['name']).trim();
    if (email === undefined || name === '') throw new Refusal(EXIT.usage, cli.t.wrongFields(['email']));
    const server = await openServer(cli);
    try {
      const alarm = () => ({ subject: cli.t.alarmSubject, text: cli.t.alarmText(name) });
      const done = await server.run(args.commit, (ctx) =>
        staff.bootstrap(ctx, { name, email, language: cli.language }, alarm),
      );
      if (done.outcome !== 'invited') {
        throw new Refusal(
          EXIT.refused,
          done.outcome === 'chief-exists' ? cli.t.chiefExists : (cli.t.reasons[done.outcome] ?? ''),
        );
      }
      if (!args.commit) {
        cli.say(cli.t.dryRun);
        return EXIT.done;
      }
      cli.say(cli.t.bootstrapDone(new URL('/brief', server.issuer).href));
      cli.print(
        args.json ? JSON.stringify({ code: done.code.reveal(), expiresAt: done.expiresAt }) : done.code.reveal(),
      );
      return EXIT.done;
    } finally {
      await server.close();
    }
  },
};
