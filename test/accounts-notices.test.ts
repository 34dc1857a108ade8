import test from 'ava';
import { inTransaction } from '../accounts/context.ts';
import { type ClientId, newAccountId, parseClientId } from '../accounts/ids.ts';
import * as logoutNotices from '../accounts/logout-notices.ts';
import * as notices from '../accounts/notices.ts';
import { RETENTION } from '../accounts/retention.ts';
import { createKeys } from '../keys/keys.ts';
import { everythingStored, freshRing, openDomain } from './harness/domain.ts';

const mail = (n: number) => ({ to: `citizen${n}@beispiel.example`, subject: `Betreff ${n}`, text: 'Guten Tag' });

test('a mail is taken, delivered and gone; until then it is sealed', async (t) => {
  const domain = await openDomain();
  const { ctx } = domain;
  await notices.enqueue(ctx, mail(1));
  const stored = await everythingStored(domain);
  for (const trace of ['citizen1', 'Betreff', 'Guten Tag']) {
    t.false(stored.includes(trace));
    t.false(stored.includes(Buffer.from(trace).toString('hex')));
  }
  const [notice] = await notices.takeDue(ctx, 10);
  t.like(notice, mail(1));
  await notices.done(ctx, notice?.id ?? '');
  domain.pass(3600);
  t.deepEqual(await notices.takeDue(ctx, 10), []);
  await domain.database.drop();
});

test('a mail of a use case that fails is never sent', async (t) => {
  const domain = await openDomain();
  const failing = inTransaction(domain.ctx, async (tx) => {
    await notices.enqueue(tx, mail(1));
    throw new Error('the rest failed');
  });
  await t.throwsAsync(failing);
  t.deepEqual(await notices.takeDue(domain.ctx, 10), []);
  await domain.database.drop();
});

test('processes that take in parallel never get the same mail, and never more than they asked for', async (t) => {
  const domain = await openDomain({ max: 20 });
  const { ctx } = domain;
  for (let n = 0; n < 40; n += 1) await notices.enqueue(ctx, mail(n));
  const taken = await Promise.all(Array.from({ length: 10 }, () => notices.takeDue(ctx, 4)));
  t.true(taken.every((batch) => batch.length <= 4));
  const ids = taken.flat().map(({ id }) => id);
  t.is(new Set(ids).size, ids.length);
  while (ids.length < 40) {
    const more = await notices.takeDue(ctx, 4);
    if (more.length === 0) return t.fail('some were lost');
    ids.push(...more.map(({ id }) => id));
  }
  t.is(new Set(ids).size, 40);
  await domain.database.drop();
});

test('a mail whose process died is due again after a minute', async (t) => {
  const domain = await openDomain();
  const { ctx } = domain;
  await notices.enqueue(ctx, mail(1));
  t.is((await notices.takeDue(ctx, 1)).length, 1);
  domain.pass(59);
  t.is((await notices.takeDue(ctx, 1)).length, 0);
  domain.pass(1);
  t.is((await notices.takeDue(ctx, 1)).length, 1);
  await domain.database.drop();
});

test('a mail that fails is put off ever longer, and what the mail server said is not kept', async (t) => {
  const domain = await openDomain();
  const { ctx } = domain;
  await notices.enqueue(ctx, mail(1));
  for (const seconds of [5, 10, 20, 40]) {
    const [notice] = await notices.takeDue(ctx, 1);
    await notices.failed(ctx, notice?.id ?? '', '550 <citizen1@beispiel.example> unknown');
    domain.pass(seconds - 1);
    t.is((await notices.takeDue(ctx, 1)).length, 0, `${seconds}`);
    domain.pass(1);
  }
  const [row] = await ctx.db('notices').select('tries', 'last_error');
  t.deepEqual(row, { tries: 4, last_error: 'OTHER' });
  await domain.database.drop();
});

test('a mail is not delivered when nobody needs it any more', async (t) => {
  const domain = await openDomain();
  const { ctx } = domain;
  await notices.enqueue(ctx, mail(1), new Date(ctx.now().getTime() + 600_000));
  await notices.enqueue(ctx, mail(2));
  domain.pass(600);
  t.deepEqual(
    (await notices.takeDue(ctx, 10)).map(({ to }) => to),
    [mail(2).to],
  );
  domain.pass(5 * 24 * 3600);
  const ending = { service: () => undefined, api: () => undefined, revoke: async () => {} };
  t.is(await RETENTION['notices']?.enforce?.(ctx, { text: () => mail(1), ending }), 1);
  await domain.database.drop();
});

test('a row that cannot be opened does not hold up the others', async (t) => {
  const domain = await openDomain();
  const { ctx } = domain;
  await notices.enqueue({ ...ctx, keys: createKeys(freshRing()) }, mail(1));
  await notices.enqueue(ctx, mail(2));
  t.deepEqual(
    (await notices.takeDue(ctx, 10)).map(({ to }) => to),
    [mail(2).to],
  );
  const [row] = await ctx.db('notices').whereNotNull('last_error').select('last_error');
  t.is(row.last_error, 'UNREADABLE');
  await domain.database.drop();
});

test('a logout is tried again after 5 seconds, at the longest after an hour, and given up after a day', async (t) => {
  const domain = await openDomain();
  const { ctx } = domain;
  const logout = { clientId: parseClientId('bibliothek') as ClientId, accountId: newAccountId(), sid: 'sid-1' };
  const start = ctx.now().getTime();
  await logoutNotices.enqueue(ctx, logout);
  const stored = await everythingStored(domain);
  for (const trace of ['bibliothek', logout.accountId, 'sid-1']) t.false(stored.includes(trace), trace);
  const waits: number[] = [];
  let last = start;
  for (;;) {
    const [due] = await ctx.db('logout_notices').select('due_at');
    if (due === undefined) break;
    domain.pass((due.due_at.getTime() - ctx.now().getTime()) / 1000);
    const [notice] = await logoutNotices.takeDue(ctx, 10);
    if (notice === undefined) continue;
    t.like(notice, logout);
    waits.push((ctx.now().getTime() - last) / 1000);
    last = ctx.now().getTime();
    await logoutNotices.failed(ctx, notice.id, 'not delivered');
  }
  t.true(last - start > 23 * 3_600_000 && last - start < 24 * 3_600_000);
  t.deepEqual(waits.slice(0, 4), [0, 5, 10, 20]);
  t.is(Math.max(...waits), 3600);
  t.is((await ctx.db('logout_notices')).length, 0);
  await domain.database.drop();
});
