import type { Cli } from '../cli.ts';
import type { Command } from '../command.ts';
import { EXIT, Refusal } from '../command.ts';
import { when } from '../moments.ts';
import { stateOf, word } from '../remote.ts';
import { call, lastServer } from '../session.ts';

type Finding = Readonly<Record<string, unknown>>;

/** The server refuses proofs that are older than a minute, and would say no more than that one has to sign in. */
const MAX_SKEW_SECONDS = 30;
const TIMEOUT_MS = 10_000;
const ISO_TIME = /^\d{4}-\d\d-\d\dT[\d:.]+Z$/;

/** What can be seen from here alone: whether the server answers, and whether its clock and this one agree. */
const nearby = async (cli: Cli): Promise<Finding[]> => {
  const server = lastServer(cli.env);
  if (server === undefined) throw new Refusal(EXIT.signIn, cli.t.noSession);
  try {
    const answer = await fetch(new URL('/.well-known/openid-configuration', server), {
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const date = Date.parse(answer.headers.get('date') ?? '');
    if (!answer.ok) return [{ check: 'server', state: 'bad', code: 'server-away', value: String(answer.status) }];
    const seconds = Math.round(Math.abs(date - cli.now().getTime()) / 1000);
    return seconds > MAX_SKEW_SECONDS
      ? [{ check: 'own clock', state: 'bad', code: 'own-clock', value: `${seconds} s` }]
      : [{ check: 'server', state: 'good', code: 'server-good', value: new URL(server).host }];
  } catch {
    return [{ check: 'server', state: 'bad', code: 'server-away', value: new URL(server).host }];
  }
};

/** What is seen from here and, if that is all good, what the server says of itself. */
const examine = async (cli: Cli): Promise<Finding[]> => {
  const near = await nearby(cli);
  if (near.some(({ state }) => state !== 'good')) return near;
  cli.progress(cli.t.examining);
  try {
    return [...near, ...((await call(cli, 'doctor', {}))['findings'] as Finding[])];
  } catch (error) {
    // Without its database a server knows neither the token nor what else to say.
    if (!(error instanceof Refusal) || error.exit !== EXIT.unavailable) throw error;
    return [{ check: 'server', state: 'bad', code: 'server-not-ready' }];
  } finally {
    cli.progress('');
  }
};

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
    const all = await examine(cli);
    const bad = all.filter(({ state }) => state !== 'good');
    if (args.json) cli.print(JSON.stringify({ findings: all }, null, 2));
    else {
      const w = cli.t.words;
      cli.table(
        [w.check, w.status, w.value, w.todo],
        all.map((one) => [
          cli.t.checks[String(one['check'])] ?? word(one['check']),
          stateOf(cli, one['state']),
          ISO_TIME.test(word(one['value'])) ? when(cli, one['value']) : word(one['value']),
          cli.t.todo[String(one['code'])] ?? '',
        ]),
      );
      if (bad.length === 0) cli.say(cli.good(cli.t.allGood));
    }
    return bad.length === 0 ? EXIT.done : EXIT.faults;
  },
};
