/** A database that is slow, hangs, or has no connection to spare: bad news within three seconds, and no other news than 503. */
import { randomBytes } from 'node:crypto';
import test, { type ExecutionContext } from 'ava';
import pg from 'pg';
import { type Cluster, startCluster } from '../harness/cluster.ts';
import {
  addCitizen,
  atHome,
  authorizationUrl,
  basic,
  obtainCode,
  pkce,
  post,
  redeem,
} from '../harness/relying-party.ts';
import { openSlowLine, type SlowLine } from '../harness/slow-line.ts';
import { type RunningTown, startTown } from '../harness/town.ts';
import { Visitor } from '../harness/visitor.ts';
import { scaled } from './scale.ts';

const CREDENTIALS = { email: 'otto@buerger.example', password: 'vier grüne Äpfel im Korb' };
/** Three seconds, and what a busy machine takes for itself. */
const DEADLINE_MS = 4000;

let cluster: Cluster;
let line: SlowLine;
let town: RunningTown;

test.before(async () => {
  cluster = await startCluster();
  line = await openSlowLine(Number(new URL(cluster.url).port));
  const url = new URL(cluster.url);
  url.port = String(line.port);
  town = await startTown({ server: url.href });
  await addCitizen(town, CREDENTIALS.email, CREDENTIALS.password);
});

test.after.always(async () => {
  await cluster?.thaw();
  await town?.close();
  line?.close();
  await cluster?.end();
});

type Timed = { what: string; status: number; retryAfter: unknown; ms: number };

/** What citizens and services ask for meanwhile: pages, passwords, sessions, tokens. */
const ask = async (turn: number, known: Awaited<ReturnType<typeof prepare>>): Promise<Timed> => {
  const requests = {
    'a new sign-in': () => new Visitor().send(authorizationUrl(town, 'fahrkarte', pkce())),
    'a session': () => known.signedIn.send(authorizationUrl(town, 'fahrkarte', pkce())),
    'a page under way': () => known.visitor.send(known.page.url),
    'a password': () =>
      known.visitor.submit(known.page, { identifier: CREDENTIALS.email, password: CREDENTIALS.password }, () => false),
    'a token': () => redeem(town, 'fahrkarte', randomBytes(32).toString('base64url'), pkce().verifier),
    introspection: () => post(town, '/token/introspection', { token: known.token }, basic(town, 'fahrkarte')),
  };
  const names = Object.keys(requests) as (keyof typeof requests)[];
  const what = names[turn % names.length] ?? 'a token';
  const begin = performance.now();
  const { status, headers } = await requests[what]();
  return { what, status, retryAfter: headers['retry-after'], ms: performance.now() - begin };
};

const prepare = async () => {
  const visitor = new Visitor();
  const page = await visitor.open(authorizationUrl(town, 'fahrkarte', pkce()), atHome(town));
  const signedIn = new Visitor();
  const proof = pkce();
  const code = await obtainCode(town, signedIn, 'fahrkarte', proof, CREDENTIALS);
  const { body } = await redeem(town, 'fahrkarte', code, proof.verifier);
  return { visitor, page, signedIn, token: body['access_token'] ?? '' };
};

/** Asks at an even pace for so long; discovery and keys in between. */
const underLoad = async (t: ExecutionContext, seconds: number, known: Awaited<ReturnType<typeof prepare>>) => {
  const pending: Promise<Timed>[] = [];
  const begin = performance.now();
  for (let turn = 0; performance.now() - begin < seconds * 1000; turn += 1) {
    pending.push(ask(turn, known));
    if (turn % 10 === 0) {
      for (const path of ['/.well-known/openid-configuration', '/jwks']) {
        const at = performance.now();
        const { status } = await new Visitor().send(new URL(path, town.issuer));
        t.is(status, 200, path);
        t.true(performance.now() - at < 1000, `${path}: ${performance.now() - at} ms`);
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return Promise.all(pending);
};

const judge = (t: ExecutionContext, answers: readonly Timed[], allowed: readonly number[]): void => {
  for (const { what, status, ms, retryAfter } of answers) {
    t.true(allowed.includes(status), `${what}: ${status}`);
    t.true(ms < DEADLINE_MS, `${what}: ${status} after ${ms.toFixed(0)} ms`);
    if (status === 503) t.regex(String(retryAfter), /^\d+$/, what);
  }
  const shed = answers.filter(({ status }) => status === 503).length;
  const slowest = Math.max(...answers.map(({ ms }) => ms));
  t.log(`${answers.length} requests, ${shed} answered 503, the slowest after ${slowest.toFixed(0)} ms`);
};

const heals = async (t: ExecutionContext): Promise<void> => {
  const begin = Date.now();
  for (;;) {
    try {
      const code = await obtainCode(town, new Visitor(), 'fahrkarte', pkce(), CREDENTIALS);
      return void t.truthy(code);
    } catch (error) {
      if (Date.now() - begin > 15_000) throw error;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
};

test.serial('half a second late with every answer', async (t) => {
  const known = await prepare();
  line.delay = 500;
  const answers = await underLoad(t, scaled(20, 5), known);
  line.delay = 0;
  // What needs few statements is done, what needs many is turned away.
  judge(t, answers, [200, 302, 303, 400, 503]);
  t.true(answers.some(({ status }) => status === 200 || status === 400));
  await heals(t);
});

test.serial('it hangs for twenty seconds', async (t) => {
  const known = await prepare();
  await cluster.freeze();
  const answers = await underLoad(t, scaled(20, 6), known).finally(() => cluster.thaw());
  judge(t, answers, [503]);
  await heals(t);
});

test.serial('every connection waits for a lock', async (t) => {
  const known = await prepare();
  const other = new pg.Client({ connectionString: town.database.url });
  await other.connect();
  await other.query('BEGIN; LOCK TABLE oidc_fleeting, oidc_lasting, oidc_sessions, accounts IN ACCESS EXCLUSIVE MODE');
  const answers = await underLoad(t, scaled(20, 6), known);
  await other.query('ROLLBACK');
  await other.end();
  judge(t, answers, [503]);
  await heals(t);
  // No connection was left in the middle of a transaction, none was lost.
  const { rows } = await town.database.pool.query(
    "SELECT count(*) FILTER (WHERE state LIKE 'idle in transaction%')::int AS open FROM pg_stat_activity WHERE datname = current_database()",
  );
  t.is(rows[0].open, 0);
});
