import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import * as accounts from '../../accounts/accounts.ts';
import type { Context } from '../../accounts/context.ts';
import { parseEmail } from '../../accounts/email.ts';
import { hashNew } from '../../accounts/passwords.ts';
import { Secret } from '../../accounts/secret.ts';
import { createHashing } from '../../adapters/hashing.ts';
import { connect } from '../../adapters/postgres.ts';
import { type Cluster, postmaster, primaryIndex, untilPrimary, untilStandby } from './cluster.ts';
import { APP, type Failure, isPolite, Load, type Person, quantile } from './load.ts';

export { APP };

export type DrillOptions = {
  readonly signIns: number;
  readonly tokens: number;
  readonly json: string | undefined;
  readonly only?: readonly string[];
};

type Limits = { readonly errorSeconds: number; readonly onlyPolite: boolean };

/** One thing that goes wrong, and what it may cost. */
type Fault = {
  readonly name: string;
  readonly limits: Limits;
  readonly cause: (cluster: Cluster) => Promise<void>;
  readonly mend?: (cluster: Cluster) => Promise<void>;
};

export type Figures = {
  readonly name: string;
  readonly signIns: number;
  readonly tokens: number;
  readonly failed: number;
  readonly failedWithout503: number;
  readonly errorSeconds: number;
  readonly good: boolean;
};

const PEOPLE = 40;
const PHONES = 60;
const CALM_SECONDS = 6;
const PASSWORD = 'ein Drehbuch für den Ernstfall';

const kill = (pid: number): void => {
  process.kill(pid, 'SIGKILL');
};

/** The database machine that a fault has taken away; it comes back at the end of the fault. */
let lostMachine: number | undefined;

const FAULTS: readonly Fault[] = [
  {
    name: 'primary Postgres killed',
    limits: { errorSeconds: 15, onlyPolite: true },
    async cause(cluster) {
      const index = (await primaryIndex(cluster.places)) ?? 0;
      kill(postmaster(cluster.data[index] ?? ''));
      await sleep(3000);
      await untilPrimary(cluster.places);
    },
    mend: ({ places }) => untilStandby(places),
  },
  {
    name: 'database machine lost',
    limits: { errorSeconds: 45, onlyPolite: true },
    async cause(cluster) {
      lostMachine = (await primaryIndex(cluster.places)) ?? 0;
      const pid = postmaster(cluster.data[lostMachine] ?? '');
      await cluster.databases[lostMachine]?.kill();
      kill(pid);
      await sleep(3000);
      await untilPrimary(cluster.places);
    },
    async mend(cluster) {
      await cluster.databases[lostMachine ?? 0]?.start();
      await untilStandby(cluster.places);
    },
  },
  {
    name: 'Redis master killed',
    limits: { errorSeconds: 15, onlyPolite: true },
    cause: async ({ redis }) => redis[0]?.kill(),
    mend: async ({ redis }) => redis[0]?.start(),
  },
  {
    name: 'provider node killed',
    limits: { errorSeconds: 5, onlyPolite: false },
    cause: async ({ nodes }) => nodes[0]?.kill(),
    mend: async ({ nodes }) => nodes[0]?.start(),
  },
  {
    name: 'rolling update',
    limits: { errorSeconds: 0, onlyPolite: true },
    async cause({ nodes }) {
      for (const node of nodes) {
        await node.stop();
        await node.start();
        // The proxy takes a node in again after two good answers.
        await sleep(3000);
      }
    },
  },
];

/** Breaks the cluster in every way that it has to bear, under load, and prints what that cost. */
export const runDrill = async (cluster: Cluster, options: DrillOptions): Promise<boolean> => {
  const people = await register(cluster, PEOPLE);
  const load = new Load({ port: cluster.places.front, certificate: cluster.certificate }, people);
  await load.prepare(PHONES);
  console.log(`load: ${options.signIns} password sign-ins and ${options.tokens} refreshed tokens a second\n`);
  const figures: Figures[] = [];
  try {
    for (const fault of FAULTS.filter(({ name }) => options.only?.includes(name) ?? true)) {
      figures.push(await observe(cluster, load, fault, options));
      console.log(line(figures.at(-1)));
    }
    await load.settle();
  } finally {
    load.close();
  }
  const kept = load.lostAfterAnswer === 0;
  console.log(
    `\nacknowledged and lost: ${load.lostAfterAnswer}   lost where no answer had come: ${load.lostInDoubt}   phones still signed in: ${load.phonesLeft} of ${PHONES}`,
  );
  const times = (values: readonly number[]): string =>
    `p50 ${quantile(values, 0.5).toFixed(0)} ms, p99 ${quantile(values, 0.99).toFixed(0)} ms`;
  console.log(
    `sign-in ${times(load.signInMs)}   token ${times(load.tokenMs)}   turns skipped as every phone was waiting: ${load.skipped}`,
  );
  const good = kept && figures.every((figure) => figure.good);
  console.log(good ? 'all limits kept' : 'a limit was not kept');
  if (options.json !== undefined) {
    writeFileSync(
      options.json,
      `${JSON.stringify({ figures, lostAfterAnswer: load.lostAfterAnswer, lostInDoubt: load.lostInDoubt, failures: load.failures }, null, 2)}\n`,
    );
  }
  return good;
};

const observe = async (cluster: Cluster, load: Load, fault: Fault, rates: DrillOptions): Promise<Figures> => {
  const before = { signIns: load.signIns, tokens: load.tokens, failures: load.failures.length };
  await load.during(rates, async () => {
    await sleep(CALM_SECONDS * 1000);
    await fault.cause(cluster);
    await sleep(CALM_SECONDS * 1000);
    await fault.mend?.(cluster);
    await sleep(CALM_SECONDS * 1000);
  });
  const failures = load.failures.slice(before.failures);
  const errorSeconds = span(failures);
  const impolite = failures.filter((failure) => !isPolite(failure)).length;
  return {
    name: fault.name,
    signIns: load.signIns - before.signIns,
    tokens: load.tokens - before.tokens,
    failed: failures.length,
    failedWithout503: impolite,
    errorSeconds,
    good:
      errorSeconds <= fault.limits.errorSeconds &&
      (impolite === 0 || !fault.limits.onlyPolite) &&
      (fault.limits.errorSeconds > 0 || failures.length === 0),
  };
};

/** From the first failure to the last. */
const span = (failures: readonly Failure[]): number => {
  const times = failures.map(({ at }) => at);
  return times.length === 0 ? 0 : (Math.max(...times) - Math.min(...times)) / 1000;
};

const line = (figures: Figures | undefined): string =>
  figures === undefined
    ? ''
    : `${figures.good ? 'ok  ' : 'FAIL'} ${figures.name.padEnd(26)} sign-ins ${String(figures.signIns).padStart(5)}  tokens ${String(figures.tokens).padStart(6)}  failed ${String(figures.failed).padStart(4)} (not 503: ${figures.failedWithout503})  errors for ${figures.errorSeconds.toFixed(1)} s`;

/** Citizens for the load, by the domain's own functions. */
const register = async (cluster: Cluster, count: number): Promise<Person[]> => {
  const postgres = connect(cluster.databaseUrl, { applicationName: 'drill', max: 2 });
  const hashing = createHashing({ processes: 1 });
  const ctx: Context = {
    db: postgres.knex,
    now: () => new Date(),
    keys: cluster.keys,
    actor: { kind: 'system', part: 'drill' },
  };
  try {
    const people: Person[] = [];
    for (let index = 0; index < count; index += 1) {
      const identifier = `uebung${index}@stadt.example`;
      const email = parseEmail(identifier);
      if (email === undefined) throw new Error('not an address');
      const hash = await hashNew(ctx, hashing, new Secret(PASSWORD));
      const registered = await accounts.register(ctx, {
        town: cluster.town,
        language: 'de',
        email,
        credential: { kind: 'password', hash },
      });
      if (registered.outcome !== 'registered') throw new Error(registered.outcome);
      people.push({ identifier, password: PASSWORD });
    }
    return people;
  } finally {
    await hashing.close();
    await postgres.close();
  }
};
