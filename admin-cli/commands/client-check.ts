import { formatTownFault, loadTown } from '../../adapters/town.ts';
import type { Cli } from '../cli.ts';
import { type Args, type Command, EXIT } from '../command.ts';
import { stateOf, word } from '../remote.ts';
import { call } from '../session.ts';
import { DIAGNOSIS_TEXTS } from '../texts/diagnosis.ts';

type Finding = Readonly<Record<'check' | 'state' | 'code', string>> & { readonly value?: string };

/** The files of a town, here and without a server. */
const checkFiles = (cli: Cli, args: Args, file: string): number => {
  const loaded = loadTown(file);
  if ('faults' in loaded) {
    if (args.json) cli.print(JSON.stringify(loaded, null, 2));
    else for (const fault of loaded.faults) cli.print(formatTownFault(fault));
    return EXIT.faults;
  }
  cli.say(cli.good(cli.t.filesGood(loaded.registrations.length)));
  return EXIT.done;
};

/** A service, by the server, as its neighbour. */
const checkService = async (cli: Cli, args: Args, client: string): Promise<number> => {
  const t = DIAGNOSIS_TEXTS[cli.language];
  cli.progress(t.checking);
  const { findings } = (await call(cli, 'client check', {
    client,
    ...(args.options['citizen'] !== undefined && { citizen: args.options['citizen'] }),
  })) as { findings: Finding[] };
  cli.progress('');
  const faulty = findings.filter(({ state }) => state !== 'good');
  if (args.json) cli.print(JSON.stringify({ client, findings }, null, 2));
  else {
    const { words: w } = cli.t;
    cli.table(
      [w.check, w.status, t.seen, w.value],
      findings.map(({ check, state, code, value }) => [
        check,
        stateOf(cli, state),
        t.checks[code]?.[0] ?? code,
        word(value),
      ]),
    );
    const marks: Readonly<Record<string, string>> = { bad: cli.bad('✗'), warning: '!', good: '→' };
    for (const { check, state, code } of findings) {
      const todo = t.checks[code]?.[1] ?? '';
      if (todo !== '') cli.print(`${marks[state] ?? ''} ${cli.strong(check)}: ${todo}`);
    }
    if (faulty.length === 0) cli.say(cli.good(cli.t.allGood));
  }
  return faulty.length === 0 ? EXIT.done : EXIT.faults;
};

export const clientCheck: Command = {
  name: 'client check',
  text: {
    de: 'prüft einen Dienst von außen (Adressen, TLS, Abmeldung, PKCE, Uhr), oder die Dateien einer Stadt hier, ohne Server',
    en: 'checks a service from outside (addresses, TLS, sign-out, PKCE, clock), or the files of a town here, without a server',
  },
  options: {
    citizen: {
      type: 'string',
      text: {
        de: 'nur im Sandkasten: beendet die Sitzungen dieser Testperson beim Dienst durch echte Logout-Token',
        en: 'only in a sandbox: ends the sessions of this test citizen at the service by real logout tokens',
      },
    },
  },
  positional: {
    name: 'DIENST|TOWN.YAML',
    text: { de: 'client_id des Dienstes, oder Datei der Stadt', en: 'client_id of the service, or file of the town' },
    required: true,
  },
  changes: false,
  examples: [
    'client check bibliothek',
    'client check meinportal --citizen wiebke.lindenhoff@example.org',
    'client check infra/towns/guetersloh/town.yaml',
  ],
  async run(cli, args) {
    const [what = ''] = args.words;
    return /\.ya?ml$/.test(what) ? checkFiles(cli, args, what) : checkService(cli, args, what);
  },
};
