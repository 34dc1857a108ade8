import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import test from 'ava';
import type { Provider } from 'oidc-provider';
import * as audit from '../accounts/audit.ts';
import type { Context } from '../accounts/context.ts';
import * as notices from '../accounts/notices.ts';
import * as operation from '../accounts/operation.ts';
import * as signingKeys from '../accounts/signing-keys.ts';
import { createLog } from '../adapters/log.ts';
import { connect } from '../adapters/postgres.ts';
import { inRequestContext } from '../adapters/request-context.ts';
import { AuditKeeper } from '../provider/audit-keeper.ts';
import { createHealth, type HealthDeps } from '../provider/health.ts';
import { createMetrics, type Metrics } from '../provider/metrics.ts';
import { areaOf } from '../provider/metrics-areas.ts';
import { openDomain } from './harness/domain.ts';
import { addCitizen, authorizationUrl, basic, obtainCode, pkce, post, redeem } from './harness/relying-party.ts';
import { type RunningTown, startTown } from './harness/town.ts';
import { Visitor } from './harness/visitor.ts';

let town: RunningTown;
/** Made once the town's database is there. */
let metrics: Metrics | undefined;
const providers: Provider[] = [];

test.before(async () => {
  town = await startTown({
    metrics: {
      watch: (...args) => metrics?.watch(...args),
      listen: (provider) => void providers.push(provider),
      count: (...args) => metrics?.count(...args),
      delivered: (...args) => metrics?.delivered(...args),
      auditVerified: (faults) => metrics?.auditVerified(faults),
      checkpointed: (at) => metrics?.checkpointed(at),
      text: async () => '',
      values: async () => [],
    },
  });
});

test.after.always(() => town?.close());

const MIGRATIONS = new URL('../infra/migrations/', import.meta.url).pathname;
const silent = createLog('fatal');

const ask = async (handler: (path: string) => Promise<{ status: number; body: string }>, path: string) => {
  const { status, body } = await handler(path);
  return {
    code: status,
    ...(JSON.parse(body) as { status: string; checks?: Record<string, { ok: boolean; detail?: string }> }),
  };
};

/** Serves a health object on a port of its own and asks it over HTTP. */
const serving = async (deps: HealthDeps) => {
  const health = createHealth(deps);
  const server = createServer((req, res) => {
    if (!health.answer(req, res)) res.writeHead(404).end('{}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const get = (path: string, method = 'GET') =>
    new Promise<{ status: number; body: string }>((resolve, reject) => {
      const req = request({ host: '127.0.0.1', port, path, method }, (res) => {
        let body = '';
        res.on('data', (chunk) => {
          body += String(chunk);
        });
        res.on('end', () => resolve({ status: res.statusCode ?? 0, body }));
      });
      req.on('error', reject);
      req.end();
    });
  return { health, get, close: () => server.close() };
};

test('a node with its database is ready; draining it is not, and it lives all the time', async (t) => {
  const { ctx, database } = await openDomain();
  const now = (): Date => new Date();
  await signingKeys.ensure({ ...ctx, now }, ['ES256']);
  const { health, get, close } = await serving({ context: () => ({ ...ctx, now }), migrations: MIGRATIONS });
  const ready = await ask(get, '/readyz');
  t.is(ready.code, 200);
  t.is(ready.status, 'ready');
  t.deepEqual(Object.keys(ready.checks ?? {}).sort(), ['clock', 'database', 'keys', 'migrations', 'outbox']);
  t.is((await get('/readyz', 'POST')).status, 405);
  t.is((await get('/readyz?x=1')).status, 200);
  t.is((await get('/anything')).status, 404);
  health.drain();
  t.is((await get('/readyz')).status, 503);
  t.is((await get('/healthz')).status, 200);
  close();
  await database.drop();
});

test('a clock that is wrong, a missing migration and a failing part each make a node unready, by name', async (t) => {
  const { ctx, database } = await openDomain();
  const late = await serving({
    context: () => ({ ...ctx, now: () => new Date(Date.now() - 6000) }),
    migrations: MIGRATIONS,
  });
  const clock = await ask(late.get, '/readyz');
  t.false(clock.checks?.['clock']?.ok);
  t.regex(clock.checks?.['clock']?.detail ?? '', /^[56]\.\d s apart/);
  t.true(clock.checks?.['database']?.ok);
  late.close();

  await ctx.db('migrations').delete();
  const now = (): Date => new Date();
  const behind = await serving({
    context: () => ({ ...ctx, now }),
    migrations: MIGRATIONS,
    checks: { redis: () => Promise.reject(Object.assign(new Error('redis://:geheim@host'), { code: 'ECONNREFUSED' })) },
  });
  const missing = await ask(behind.get, '/readyz');
  t.regex(missing.checks?.['migrations']?.detail ?? '', /0001-first\.sql/);
  t.deepEqual(missing.checks?.['redis'], { ok: false, detail: 'ECONNREFUSED' });
  behind.close();
  await database.drop();
});

test('without a signing key a node is not ready; an old one and a full outbox are told, and it goes on', async (t) => {
  const { ctx, database } = await openDomain();
  const at = Date.now();
  const now = (): Date => new Date();
  const looked = () => createHealth({ context: () => ({ ...ctx, now }), migrations: MIGRATIONS }).readiness();
  const none = await looked();
  t.false(none.ready);
  t.deepEqual(none.checks['keys'], { ok: false, detail: 'there is no signing key' });

  await signingKeys.ensure({ ...ctx, now }, ['ES256']);
  await ctx.db('signing_keys').update({ created_at: new Date(at - 40 * 86_400_000) });
  const before = { ...ctx, now: () => new Date(at - 1_200_000) };
  await notices.enqueue(before, { to: 'wartend@buerger.example', subject: 'x', text: 'x' });
  const late = await looked();
  t.true(late.ready);
  t.deepEqual(late.checks['keys'], { ok: true, warning: 'the newest is 40 days old' });
  t.regex(late.checks['outbox']?.warning ?? '', /^waiting: mail for 12\d\d s$/);
  await database.drop();
});

test('a gap in the audit is found without anybody asking, and measured', async (t) => {
  const { ctx, database } = await openDomain();
  const now = (): Date => new Date();
  const faults: number[] = [];
  const kept: Date[] = [];
  const lines: string[] = [];
  const watch = {
    auditVerified: (count: number) => void faults.push(count),
    checkpointed: (at: Date) => void kept.push(at),
  };
  const log = createLog('error', { write: (line: string) => void lines.push(line) });
  const keeper = new AuditKeeper(() => ({ ...ctx, now }), undefined, log, watch);
  await audit.record({ ...ctx, now }, 'notices-retried', { detail: { count: 1 } });
  await keeper.turn();
  t.is(kept.length, 1);
  await keeper.verify();
  await ctx.db.raw(
    "ALTER TABLE audit DISABLE TRIGGER ALL; UPDATE audit SET detail = '{}'; ALTER TABLE audit ENABLE TRIGGER ALL",
  );
  await keeper.verify();
  t.deepEqual(faults, [0, 1]);
  t.is(lines.length, 1);
  t.regex(lines[0] ?? '', /altered or has a gap/);
  await database.drop();
});

test('how long a mail has been waiting is known to the minute, though rows are dated by the day', async (t) => {
  const { ctx, database } = await openDomain();
  let at = Date.UTC(2026, 5, 1, 15, 0, 0);
  const then: Context = { ...ctx, now: () => new Date(at) };
  const waited = async () => Math.round((await operation.measure(then)).notices.oldestSeconds);
  t.is(await waited(), 0);
  await notices.enqueue(then, { to: 'wartend@buerger.example', subject: 'x', text: 'x' });
  t.is(await waited(), 0, 'a fresh one has not waited since midnight');
  let waiting = 0;
  for (const pause of [5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600]) {
    for (const one of await notices.takeDue(then, 5)) await notices.failed(then, one.id, 'ECONNREFUSED');
    at += pause * 1000;
    waiting += pause;
    t.is(await waited(), waiting);
  }
  await database.drop();
});

test('without its database a node says so within three seconds and still lives', async (t) => {
  const postgres = connect('postgres://nobody@127.0.0.1:9/none', { applicationName: 'test', max: 1 });
  const { ctx, database } = await openDomain();
  const context = (): Context => ({ ...ctx, db: postgres.knex, now: () => new Date() });
  const { get, close } = await serving({ context, migrations: MIGRATIONS });
  const began = Date.now();
  const answer = await ask(get, '/readyz');
  t.true(Date.now() - began < 3000);
  t.deepEqual(answer.checks?.['database'], { ok: false, detail: 'ECONNREFUSED' });
  t.is((await get('/healthz')).status, 200);
  close();
  await postgres.close();
  await database.drop();
});

const value = (text: string, line: RegExp): number =>
  Number(new RegExp(`^${line.source} ([0-9.e+-]+)$`, 'm').exec(text)?.[1] ?? Number.NaN);

/** Measures beside a running town, as provider/main.ts puts them together. */
const measured = async () => {
  const postgres = connect(town.database.url, { applicationName: 'test', max: 2 });
  // Audit rows are counted once no older transaction can be open.
  const context = (): Context => ({ ...town.context(), db: postgres.knex, now: () => new Date(Date.now() + 10_000) });
  const health = createHealth({ context: town.context, migrations: MIGRATIONS });
  const made = createMetrics({
    context,
    pool: postgres.pool,
    hashing: () => ({ processes: [1], running: 0, waiting: 3, done: 5, refused: 0 }),
    health,
    log: silent,
  });
  metrics = made;
  for (const provider of providers) made.listen(provider);
  return { postgres, made };
};

test.serial(
  'security.txt tells finders whom to write to, and one request can be followed through the log',
  async (t) => {
    const answer = await new Visitor().send(`${town.issuer}/.well-known/security.txt`);
    t.is(answer.status, 200);
    t.regex(answer.text, /^Contact: mailto:schluessel@stadt\.example$/m);
    t.true(answer.text.includes(`Canonical: ${town.issuer}/.well-known/security.txt\n`));
    const expires = Date.parse(/^Expires: (\S+)$/m.exec(answer.text)?.[1] ?? '');
    t.true(expires > Date.now() + 80 * 86_400_000 && expires < Date.now() + 100 * 86_400_000);
    t.is((await new Visitor().send(`${town.issuer}/.well-known/security.txt`, { method: 'POST' })).status, 405);

    const id = '0123456789abcdef0123456789abcdef';
    const given = await new Visitor().send(`${town.issuer}/gibt-es-nicht`, { headers: { 'x-request-id': id } });
    t.is(given.headers['x-request-id'], id);
    const made = await new Visitor().send(`${town.issuer}/gibt-es-nicht`, { headers: { 'x-request-id': '<script>' } });
    t.regex(String(made.headers['x-request-id']), /^[0-9a-f-]{36}$/);
    const lines: string[] = [];
    const log = createLog('info', { write: (line: string) => void lines.push(line) });
    await inRequestContext({ id }, async () => {
      await new Promise((resolve) => setImmediate(resolve));
      log.info('tief darin');
    });
    log.info('außerhalb');
    t.deepEqual(
      lines.map((line) => (JSON.parse(line) as { request?: string }).request),
      [id, undefined],
    );
  },
);

test.serial('measures tell of sign-ins and tokens, and name no citizen, no service and no address', async (t) => {
  const { postgres, made } = await measured();
  t.teardown(async () => {
    await postgres.close();
  });
  await made.text();
  await addCitizen(town, 'gemessen@buerger.example', 'vier nasse Wörter im Regal');
  const proof = pkce();
  const visitor = new Visitor();
  const credentials = { email: 'gemessen@buerger.example', password: 'vier nasse Wörter im Regal' };
  const wrong = await visitor.open(authorizationUrl(town, 'fahrkarte', proof), (to) => to.origin === town.issuer);
  await visitor.submit(wrong, { ...{ identifier: credentials.email }, password: 'etwas ganz anderes hier' });
  const code = await obtainCode(town, new Visitor(), 'fahrkarte', proof, credentials);
  const redeemed = await redeem(town, 'fahrkarte', code, proof.verifier);
  t.is(redeemed.status, 200, JSON.stringify(redeemed.body));
  t.is(
    (await post(town, '/token', { grant_type: 'authorization_code', code: 'falsch' }, basic(town, 'fahrkarte'))).status,
    400,
  );

  t.is((await new Visitor().send(`${town.issuer}/interaction/abc123`)).status, 400);
  const { host } = new URL(town.issuer);

  const text = await made.text();
  t.is(value(text, /schluessel_audit_events_total\{event="account-registered",method="",reason=""\}/), 1);
  t.is(value(text, /schluessel_visit_events_total\{event="sign-in-proven",method="password",reason=""\}/), 1);
  t.is(value(text, /schluessel_visit_events_total\{event="sign-in-refused",method="password",reason="wrong"\}/), 1);
  t.is(value(text, /schluessel_token_requests_total\{grant_type="authorization_code",outcome="success"\}/), 1);
  t.is(value(text, /schluessel_token_requests_total\{grant_type="authorization_code",outcome="error"\}/), 1);
  t.is(value(text, /schluessel_http_requests_total\{area="sign-in",status="4xx"\}/), 1);
  t.is(value(text, /schluessel_database_up/), 1);
  t.is(value(text, /schluessel_ready/), 1);
  t.is(value(text, /schluessel_hashing_jobs\{state="waiting"\}/), 3);
  t.true(value(text, /schluessel_signing_key_newest_seconds/) >= 0);
  for (const secret of ['gemessen', 'fahrkarte', 'abc123', '127.0.0.1', host]) t.false(text.includes(secret), secret);
});

test('measures go on without a database', async (t) => {
  const { ctx, database } = await openDomain();
  const postgres = connect('postgres://nobody@127.0.0.1:9/none', { applicationName: 'test', max: 1 });
  const context = (): Context => ({ ...ctx, db: postgres.knex, now: () => new Date() });
  const health = createHealth({ context, migrations: MIGRATIONS });
  const metrics = createMetrics({
    context,
    pool: postgres.pool,
    hashing: () => ({ processes: [], running: 0, waiting: 0, done: 0, refused: 0 }),
    health,
    log: silent,
  });
  const text = await metrics.text();
  t.is(value(text, /schluessel_database_up/), 0);
  t.is(value(text, /schluessel_ready/), 0);
  t.is(value(text, /schluessel_ready_check\{check="database"\}/), 0);
  await postgres.close();
  await database.drop();
});

test('the area of a request comes from a closed list', (t) => {
  t.deepEqual(
    [
      '/auth?client_id=x',
      '/auth/Zx81',
      '/token',
      '/interaction/geheim/anmelden',
      '/konto/passwort',
      '/wp-login.php',
      '/',
      '/assets/1/kern.css',
    ].map(areaOf),
    ['authorization', 'authorization', 'token', 'sign-in', 'account', 'other', 'start', 'asset'],
  );
});
