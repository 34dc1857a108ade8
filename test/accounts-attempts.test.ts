import test from 'ava';
import * as attempts from '../accounts/attempts.ts';
import { inTransaction } from '../accounts/context.ts';
import { openDomain } from './harness/domain.ts';

const account = (key: string, limit = 10): attempts.Bucket => ({ kind: 'account', key, limit, windowSeconds: 900 });
const address = (key: string, limit = 100): attempts.Bucket => ({ kind: 'address', key, limit, windowSeconds: 900 });

test('of 200 parallel attempts at a limit of 10 exactly 10 are allowed', async (t) => {
  const domain = await openDomain({ max: 20 });
  const results = await Promise.all(
    Array.from({ length: 200 }, (_, n) => attempts.reserve(domain.ctx, [account('erika'), address(`${n % 7}`)])),
  );
  t.is(results.filter(({ outcome }) => outcome === 'ok').length, 10);
  const until = new Date(domain.ctx.now().getTime() + 900_000);
  for (const result of results) if (result.outcome === 'wait') t.deepEqual(result.until, until);
  await domain.database.drop();
});

test('a refused attempt uses up nothing in the other buckets, in parallel neither', async (t) => {
  const domain = await openDomain({ max: 20 });
  const { ctx } = domain;
  await Promise.all(
    Array.from({ length: 60 }, () => attempts.reserve(ctx, [account('erika', 3), address('home', 50)])),
  );
  const count = async () => (await ctx.db('attempts').orderBy('count').select('count')).map((row) => row.count);
  t.deepEqual(await count(), [3, 3]);
  t.is((await attempts.reserve(ctx, [account('erika', 3), address('home', 50)])).outcome, 'wait');
  t.deepEqual(await count(), [3, 3]);
  await domain.database.drop();
});

test('buckets given in any order do not deadlock', async (t) => {
  const domain = await openDomain({ max: 20 });
  const buckets = [account('a', 1000), address('b', 1000), account('c', 1000)];
  const results = await Promise.all(
    Array.from({ length: 60 }, (_, n) => attempts.reserve(domain.ctx, n % 2 === 0 ? buckets : buckets.toReversed())),
  );
  t.true(results.every(({ outcome }) => outcome === 'ok'));
  await domain.database.drop();
});

test('neither do those who give back, and those who have signed in', async (t) => {
  const domain = await openDomain({ max: 20 });
  const { ctx } = domain;
  const own = account('a', 1000);
  const shared = [address('b', 1000), account('c', 1000)];
  const line = { reference: Buffer.alloc(32), sealed: Buffer.alloc(32), expiresOn: '2030-01-01' };
  const at = ctx.now();
  await attempts.reserve(ctx, [own, ...shared]);
  await t.notThrowsAsync(
    Promise.all(
      Array.from({ length: 40 }, async (_, n) => {
        const others = n % 2 === 0 ? shared : shared.toReversed();
        await attempts.reserve(ctx, [own, ...others]);
        if (n % 3 === 0) await attempts.release(ctx, others, at);
        else if (n % 3 === 1) await attempts.settle(ctx, [own, ...others], at, line);
        else await inTransaction(ctx, (tx) => attempts.clear(tx, [own, ...others], at));
      }),
    ),
  );
  await attempts.clear(ctx, [own], at);
  t.deepEqual(await ctx.db('attempts').select('count'), [{ count: 1 }, { count: 1 }]);
  await domain.database.drop();
});

test('a full bucket opens again when its window is over, and not before', async (t) => {
  const domain = await openDomain();
  const { ctx } = domain;
  const bucket = account('erika', 2);
  const outcome = async () => (await attempts.reserve(ctx, [bucket])).outcome;
  t.deepEqual([await outcome(), await outcome(), await outcome()], ['ok', 'ok', 'wait']);
  domain.pass(899);
  t.is(await outcome(), 'wait');
  domain.pass(1);
  t.deepEqual([await outcome(), await outcome(), await outcome()], ['ok', 'ok', 'wait']);
  await domain.database.drop();
});

test('an attempt is given back in its own window only', async (t) => {
  const domain = await openDomain();
  const { ctx } = domain;
  const bucket = account('erika', 1);
  const reservedAt = ctx.now();
  await attempts.reserve(ctx, [bucket]);
  await attempts.release(ctx, [bucket], reservedAt);
  await attempts.release(ctx, [bucket], reservedAt);
  t.is((await attempts.reserve(ctx, [bucket])).outcome, 'ok');
  domain.pass(1000);
  t.is((await attempts.reserve(ctx, [bucket])).outcome, 'ok');
  await attempts.release(ctx, [bucket], reservedAt);
  t.is((await attempts.reserve(ctx, [bucket])).outcome, 'wait');
  await attempts.clear(ctx, [bucket], ctx.now());
  t.is((await attempts.reserve(ctx, [bucket])).outcome, 'ok');
  await domain.database.drop();
});

test('a limit that a crash may take does not keep what stands beside it in a transaction from the disk', async (t) => {
  const domain = await openDomain();
  const mode = await inTransaction(domain.ctx, async (tx) => {
    t.is((await attempts.reserve(tx, [address('home')])).outcome, 'ok');
    return (await tx.db.raw('SHOW synchronous_commit')).rows;
  });
  t.deepEqual(mode, [{ synchronous_commit: 'on' }]);
  await domain.database.drop();
});

test('a household is one caller, however its addresses are written', (t) => {
  t.is(attempts.addressPrefix('::ffff:192.0.2.7'), attempts.addressPrefix('192.0.2.7'));
  t.not(attempts.addressPrefix('192.0.2.7'), attempts.addressPrefix('192.0.2.8'));
  t.is(attempts.addressPrefix('2001:db8:1:200::1'), attempts.addressPrefix('2001:0DB8:1:2ff:ffff::9'));
  t.not(attempts.addressPrefix('2001:db8:1:200::1'), attempts.addressPrefix('2001:db8:1:300::1'));
  t.is(attempts.addressPrefix('nonsense'), 'unknown');
});
