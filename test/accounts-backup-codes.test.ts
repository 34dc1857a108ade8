import test from 'ava';
import * as accounts from '../accounts/accounts.ts';
import * as backupCodes from '../accounts/backup-codes.ts';
import type { Context } from '../accounts/context.ts';
import { openDomain, TOWN } from './harness/domain.ts';

const register = async (ctx: Context) => {
  const credential = { kind: 'password', hash: { hash: 'x', pepperVersion: 1 } } as const;
  const registered = await accounts.register(ctx, { town: TOWN, language: 'de', credential });
  if (registered.outcome !== 'registered') throw new Error(registered.outcome);
  return { account: registered.account, codes: registered.backupCodes ?? [] };
};

test('each of the ten codes works once, as people copy it from paper', async (t) => {
  const domain = await openDomain();
  const { ctx } = domain;
  const { account, codes } = await register(ctx);
  t.is(new Set(codes).size, 10);
  for (const [position, code] of codes.entries()) {
    t.regex(code, /^[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){3}$/);
    const typed = ` ${code.toLowerCase().replaceAll('-', ' ').replaceAll('0', 'o').replaceAll('1', 'l')}`;
    t.deepEqual(await backupCodes.spend(ctx, account, typed), { outcome: 'spent', left: 9 - position });
    t.deepEqual(await backupCodes.spend(ctx, account, code), { outcome: 'wrong' });
  }
  await domain.database.drop();
});

test('of parallel uses of one code exactly one succeeds', async (t) => {
  const domain = await openDomain({ max: 20 });
  const { ctx } = domain;
  const { account, codes } = await register(ctx);
  const results = await Promise.all(Array.from({ length: 30 }, () => backupCodes.spend(ctx, account, codes[3] ?? '')));
  t.is(results.filter(({ outcome }) => outcome === 'spent').length, 1);
  await domain.database.drop();
});

test('guessing ends after ten tries, and a code is no good for another account', async (t) => {
  const domain = await openDomain();
  const { ctx } = domain;
  const { account, codes } = await register(ctx);
  const other = await register(ctx);
  t.deepEqual(await backupCodes.spend(ctx, account, other.codes[0] ?? ''), { outcome: 'wrong' });
  const guesses = await Promise.all(
    Array.from({ length: 30 }, (_, n) => backupCodes.spend(ctx, account, `guess ${n}`)),
  );
  t.is(guesses.filter(({ outcome }) => outcome === 'wrong').length, 9);
  t.is((await backupCodes.spend(ctx, account, codes[0] ?? '')).outcome, 'wait');
  domain.pass(900);
  t.is((await backupCodes.spend(ctx, account, codes[0] ?? '')).outcome, 'spent');
  await domain.database.drop();
});

test('new codes replace the old ones, also when made in parallel', async (t) => {
  const domain = await openDomain();
  const { ctx } = domain;
  const { account, codes } = await register(ctx);
  const made = await Promise.all([1, 2, 3].map(() => backupCodes.generate(ctx, account)));
  t.is((await ctx.db('backup_codes').where({ account_id: account })).length, 10);
  t.deepEqual(await backupCodes.spend(ctx, account, codes[0] ?? ''), { outcome: 'wrong' });
  const outcomes = await Promise.all(made.map((list) => backupCodes.spend(ctx, account, list[0] ?? '')));
  t.is(outcomes.filter(({ outcome }) => outcome === 'spent').length, 1);
  t.is((await accounts.load(ctx, account))?.credentialState, 4);
  await domain.database.drop();
});
