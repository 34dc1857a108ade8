import test from 'ava';
import * as signingKeys from '../accounts/signing-keys.ts';
import { everythingStored, openDomain } from './harness/domain.ts';

const DAY_SECONDS = 24 * 3600;

test('processes that start together make one signing key, and its private half is sealed', async (t) => {
  const domain = await openDomain();
  const { ctx } = domain;
  await Promise.all(Array.from({ length: 6 }, () => signingKeys.ensure(ctx)));
  const keys = await signingKeys.load(ctx);
  t.deepEqual(
    keys.map(({ state }) => state),
    ['current'],
  );
  t.is(keys[0]?.publicJwk.d, undefined);
  t.is(keys[0]?.publicJwk.x, keys[0]?.privateJwk.x);
  const stored = await everythingStored(domain);
  t.false(stored.includes(keys[0]?.privateJwk.d ?? 'none'));
  await domain.database.drop();
});

test('keys follow one another: published a day ahead, the current one first, retired ones as long as tokens live', async (t) => {
  const domain = await openDomain();
  const { ctx } = domain;
  const states = async () => {
    await signingKeys.ensure(ctx);
    return (await signingKeys.load(ctx)).map(({ kid, state }) => [kid, state] as const);
  };
  const [[first = ''] = []] = await states();
  domain.pass(29 * DAY_SECONDS);
  const published = await states();
  t.deepEqual(
    published.map(([, state]) => state),
    ['current', 'next'],
  );
  t.is(published[0]?.[0], first);
  const next = published[1]?.[0] ?? '';
  domain.pass(DAY_SECONDS);
  t.deepEqual(await states(), [
    [next, 'current'],
    [first, 'retired'],
  ]);
  domain.pass(25 * 3600);
  t.deepEqual(await states(), [[next, 'current']]);
  t.is((await ctx.db('signing_keys')).length, 1);
  await domain.database.drop();
});

test('all processes are told when a key was made, and not otherwise', async (t) => {
  const domain = await openDomain();
  const listener = await domain.database.pool.connect();
  let told = 0;
  listener.on('notification', () => {
    told += 1;
  });
  await listener.query('LISTEN signing_keys');
  await signingKeys.ensure(domain.ctx);
  await signingKeys.ensure(domain.ctx);
  await listener.query('SELECT 1');
  t.is(told, 1);
  listener.release(true);
  await domain.database.drop();
});
