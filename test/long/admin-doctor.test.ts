/** `doctor` while something is away: each is named, with what to do, at a terminal in both languages. */
import test, { type ExecutionContext } from 'ava';
import * as accounts from '../../accounts/accounts.ts';
import { EXIT } from '../../admin-cli/command.ts';
import { de } from '../../admin-cli/texts/de.ts';
import { en } from '../../admin-cli/texts/en.ts';
import { AdminClient } from '../harness/admin-client.ts';
import { type Cluster, startCluster } from '../harness/cluster.ts';
import { hasRedis, startRedis, type TestRedis } from '../harness/redis.ts';
import { makeMember } from '../harness/staff.ts';
import { Terminal } from '../harness/terminal.ts';
import { type RunningTown, startTown, TEST_TOWN } from '../harness/town.ts';

const SHIFTED = new URL('../harness/shifted-clock.ts', import.meta.url).href;
const clock = { aheadMs: 0 };
let cluster: Cluster;
let redis: TestRedis | undefined;
let town: RunningTown;
let terminal: Terminal;
let late: Terminal;
let clerk: AdminClient;

test.before(async () => {
  cluster = await startCluster();
  redis = hasRedis() ? await startRedis() : undefined;
  town = await startTown({
    server: cluster.url,
    now: () => new Date(Date.now() + clock.aheadMs),
    ...(redis && { redisUrl: redis.url }),
  });
  const chief = await makeMember(town.context(), ['chief']);
  const { account } = await makeMember(town.context(), ['operator'], { by: chief.id });
  const session = await (await AdminClient.of(town, account, { seconds: 3600 })).session();
  const { account: clerks } = await makeMember(town.context(), ['clerk'], { by: chief.id });
  clerk = await AdminClient.of(town, clerks);
  terminal = new Terminal(town);
  late = new Terminal(town, { NODE_OPTIONS: `--import ${SHIFTED}`, TEST_CLOCK_SECONDS: '-120' });
  for (const one of [terminal, late]) one.keep(session);
});
test.after.always(async () => {
  terminal?.close();
  late?.close();
  await town?.close();
  await redis?.end();
  await cluster?.end();
});

/** The line of a check says that it is bad, and what to do, in both languages. */
const told = async (t: ExecutionContext, check: string, code: string, where = terminal): Promise<void> => {
  for (const [language, texts] of [
    ['de', de],
    ['en', en],
  ] as const) {
    const ran = await where.run('doctor', '--lang', language);
    t.is(ran.code, EXIT.faults, ran.stderr);
    const line = ran.stdout.split('\n').find((one) => one.startsWith(`${texts.checks[check]} `)) ?? ran.stdout;
    t.true(line.includes(texts.status['bad'] ?? '-'), line);
    t.true(line.includes(texts.todo[code] ?? '-'), line);
  }
  const { findings } = JSON.parse((await where.run('doctor', '--json')).stdout) as { findings: { code: string }[] };
  t.true(findings.some((finding) => finding.code === code));
};

test.serial('with all there, only the certificate of the test is named', async (t) => {
  const { findings } = JSON.parse((await terminal.run('doctor', '--json')).stdout) as {
    findings: { check: string; state: string }[];
  };
  t.deepEqual(
    findings.flatMap(({ check, state }) => (state === 'good' ? [] : [check])),
    ['certificate'],
  );
});

test.serial('the clock of this machine', (t) => told(t, 'own clock', 'own-clock', late));

test.serial('the clock of the server', async (t) => {
  clock.aheadMs = 10_000;
  await told(t, 'clock', 'clock-skew');
  clock.aheadMs = 0;
});

test.serial('Redis', async (t) => {
  if (redis === undefined) return t.log('no redis-server here');
  const lock = async (): Promise<number> => {
    const registered = await accounts.register(town.context(), {
      town: TEST_TOWN,
      language: 'de',
      credential: { kind: 'password', hash: { hash: '$argon2id$v=19$m=8,t=1,p=1$c2FsdA$aGFzaA', pepperVersion: 1 } },
    });
    if (registered.outcome !== 'registered') throw new Error(registered.outcome);
    const why = { kennung: registered.kennung, reason: 'taken-over', ticket: 'B-1', commit: true };
    return (await clerk.call('account lock', why)).status;
  };
  await redis.kill();
  await told(t, 'redis', 'redis-away');
  t.is(await lock(), 200, 'an account can be locked meanwhile');
  await redis.start();
  t.is(await lock(), 200, 'and when it is back with nothing in its memory');
});

test.serial('the mail server', async (t) => {
  await town.mail.close();
  await told(t, 'mail', 'mail-away');
});

test.serial('the database', async (t) => {
  await cluster.stop();
  await told(t, 'server', 'server-not-ready');
  await cluster.start();
});

test.serial('the server itself', async (t) => {
  await town.front.close();
  await told(t, 'server', 'server-away');
});
