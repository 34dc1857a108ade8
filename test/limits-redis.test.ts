/** Limits in Redis: as exact as in Postgres, and never without end when Redis is lost. */
import test from 'ava';
import * as attempts from '../accounts/attempts.ts';
import type { Context } from '../accounts/context.ts';
import { createRedisLimits } from '../adapters/limits-redis.ts';
import { connectRedis } from '../adapters/redis.ts';
import { openDomain } from './harness/domain.ts';
import { hasRedis, startRedis, type TestRedis } from './harness/redis.ts';

const address = (key: string, limit = 10): attempts.Bucket => ({ kind: 'address', key, limit, windowSeconds: 900 });
const account = (key: string, limit = 10): attempts.Bucket => ({ kind: 'account', key, limit, windowSeconds: 900 });

/** Two processes on one database and one Redis. */
const withNodes = async (
  work: (nodes: readonly [Context, Context], redis: TestRedis, pass: (seconds: number) => void) => Promise<void>,
): Promise<void> => {
  await using opened = new AsyncDisposableStack();
  const { ctx, database, pass } = await openDomain({ max: 20 });
  opened.defer(() => database.drop());
  const redis = opened.adopt(await startRedis(), (one) => one.end());
  const open = async (): Promise<Context> => {
    const connection = opened.adopt(await connectRedis(redis.url), (one) => one.close());
    return { ...ctx, limits: createRedisLimits(connection) };
  };
  await work([await open(), await open()], redis, pass);
};

/** How many of parallel attempts from both processes are allowed. */
const allowed = async (nodes: readonly Context[], buckets: readonly attempts.Bucket[], times: number) => {
  const all = Array.from({ length: times }, (_, n) => attempts.reserve(nodes[n % 2] as Context, buckets));
  return (await Promise.all(all)).filter(({ outcome }) => outcome === 'ok').length;
};

if (hasRedis()) {
  test('of 200 parallel attempts from two processes exactly as many as the limit says are allowed', (t) =>
    withNodes(async (nodes) => {
      t.is(await allowed(nodes, [address('home')], 200), 10);
      t.is(await allowed(nodes, [address('elsewhere', 7), { ...address('all', 5), kind: 'all' }], 60), 5);
      const refused = await attempts.reserve(nodes[0], [address('home')]);
      t.deepEqual(refused, { outcome: 'wait', until: new Date(nodes[0].now().getTime() + 900_000) });
      t.deepEqual(await nodes[0].db('attempts'), []);
    }));

  test('what one bucket refuses uses up nothing in the others, wherever they are counted', (t) =>
    withNodes(async (nodes, redis) => {
      const both = [account('erika', 3), address('home', 50)];
      t.is(await allowed(nodes, both, 60), 3);
      const [here] = await nodes[0].db('attempts');
      t.is(here.count, 3);
      const [key = ''] = await redis.client.keys('*');
      t.is(await redis.client.hget(key, 'c'), '3');
      t.true((await redis.client.pttl(key)) > 0);
      t.is(await allowed(nodes, [account('otto', 50), address('home', 3)], 10), 0);
      t.is((await nodes[0].db('attempts')).length, 1);
    }));

  test('a window ends, and an attempt is given back in its own window only', (t) =>
    withNodes(async (nodes, _redis, pass) => {
      const [one, other] = nodes;
      const bucket = address('home', 1);
      const outcome = async () => (await attempts.reserve(other, [bucket])).outcome;
      const reservedAt = one.now();
      t.is(await outcome(), 'ok');
      await attempts.release(one, [bucket], reservedAt);
      await attempts.release(one, [bucket], reservedAt);
      t.deepEqual([await outcome(), await outcome()], ['ok', 'wait']);
      pass(899);
      t.is(await outcome(), 'wait');
      pass(1);
      t.is(await outcome(), 'ok');
      await attempts.release(one, [bucket], reservedAt);
      t.is(await outcome(), 'wait');
    }));

  for (const [name, lose, mend] of [
    ['is gone', (redis) => redis.kill(), (redis) => redis.start()],
    ['hangs', (redis) => redis.freeze(), (redis) => redis.thaw()],
    ['is read-only', (redis) => redis.client.replicaof('127.0.0.1', 9), (redis) => redis.client.replicaof('NO', 'ONE')],
  ] satisfies [string, ...((redis: TestRedis) => unknown)[]][]) {
    test(`while Redis ${name}, Postgres counts, and Redis again afterwards`, (t) =>
      withNodes(async (nodes, redis) => {
        t.is(await allowed(nodes, [address('home')], 20), 10);
        await lose(redis);
        try {
          t.is(await allowed(nodes, [account('erika', 50), address('other')], 40), 10);
          t.is(await allowed(nodes, [account('erika', 50), address('other')], 40), 0);
        } finally {
          await mend(redis);
        }
        const deadline = Date.now() + 20_000;
        const counts = async (): Promise<number> => (await redis.client.keys('*')).length;
        const before = await counts();
        while ((await counts()) === before && Date.now() < deadline) {
          await attempts.reserve(nodes[0], [address(`once more ${Date.now()}`)]);
          await new Promise((resolve) => setTimeout(resolve, 50));
        }
        t.true((await counts()) > before, 'Redis counts again');
      }));
  }

  test('an emptied Redis costs one more window, and nothing of what guards an account', (t) =>
    withNodes(async (nodes, redis) => {
      const both = [account('erika', 5), address('home')];
      t.is(await allowed(nodes, both, 20), 5);
      await redis.client.flushall();
      t.is(await allowed(nodes, both, 20), 0);
      t.is(await allowed(nodes, [address('home')], 40), 10);
    }));
} else {
  test('without redis-server there is nothing to test here', (t) => t.pass());
}
