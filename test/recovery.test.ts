import test, { type ExecutionContext } from 'ava';
import * as accounts from '../accounts/accounts.ts';
import * as attributes from '../accounts/attributes.ts';
import type { Context } from '../accounts/context.ts';
import * as desk from '../accounts/desk.ts';
import type { AccountId } from '../accounts/ids.ts';
import * as letterCodes from '../accounts/letter-codes.ts';
import * as recoveries from '../accounts/recoveries.ts';
import * as recoveryCases from '../accounts/recovery-cases.ts';
import * as redemptions from '../accounts/redemptions.ts';
import type { Evidence } from '../accounts/terms.ts';
import { citizenLetters } from '../interactions/citizen-letters.ts';
import { type Domain, emailOf, openDomain, TOWN } from './harness/domain.ts';
import { makeMember, somePasskey, type TestMember } from './harness/staff.ts';
import { TEST_TOWN } from './harness/town.ts';

const HOUR = 3600;
const letters = citizenLetters(TEST_TOWN, new URL('https://login.stadt.example'));
const domains: Domain[] = [];

type Office = Domain & { chief: TestMember; clerk: TestMember; approver: TestMember; other: TestMember };

const office = async (): Promise<Office> => {
  const d = await openDomain();
  domains.push(d);
  const chief = await makeMember(d.ctx, ['chief']);
  const clerk = await makeMember(d.ctx, ['clerk', 'approver'], { by: chief.id });
  const approver = await makeMember(d.ctx, ['approver'], { by: chief.id });
  const other = await makeMember(d.ctx, ['approver'], { by: chief.id });
  return { ...d, chief, clerk, approver, other };
};

test.after.always(() => Promise.all(domains.map(({ database }) => database.drop())));

let number = 0;
const citizen = async ({ ctx }: Domain, email?: string): Promise<AccountId> => {
  number += 1;
  const registered = await accounts.register(ctx, {
    town: TOWN,
    language: 'de',
    email: emailOf(email ?? `citizen${number}@buerger.example`),
    credential: { kind: 'password', hash: { hash: '$argon2id$v=19$m=8,t=1,p=1$c2FsdA$aGFzaA', pepperVersion: 1 } },
  });
  if (registered.outcome !== 'registered') throw new Error(registered.outcome);
  return registered.account;
};

const openOne = async (
  t: ExecutionContext,
  o: Office,
  account: AccountId,
  evidence: Evidence = 'identity-card',
): Promise<recoveryCases.Recovery> => {
  const wanted = { account, reason: 'device-lost', ticket: 'T-1', evidence } as const;
  const opened = await recoveries.open(o.ctx, o.clerk.id, wanted, recoveries.WAIT_HOURS, letters);
  if (opened.outcome !== 'opened') throw new Error(opened.outcome);
  t.is(opened.recovery.status, 'open');
  return opened.recovery;
};

const approveOne = async (o: Office, recovery: recoveryCases.Recovery, delivery: 'hand' | 'post' = 'hand') => {
  const approved = await recoveries.approve(o.ctx, o.approver.id, recovery.number, delivery, letters);
  if (approved.outcome !== 'approved') throw new Error(approved.outcome);
  return approved;
};

const redeemWith = async (ctx: Context, code: string): Promise<redemptions.Redeemed> => {
  const checked = await letterCodes.check(ctx, code, '192.0.2.1');
  return checked.outcome === 'valid'
    ? redemptions.redeem(ctx, checked.code.id, somePasskey(), [], letters)
    : { outcome: 'over' };
};

test('two people, a code on paper, and the old factors are gone', async (t) => {
  const o = await office();
  const account = await citizen(o);
  const recovery = await openOne(t, o, account);
  const approved = await approveOne(o, recovery);
  t.is(approved.validFrom.getTime() - recovery.openedAt.getTime(), 24 * HOUR * 1000);
  t.is(approved.expiresAt.getTime() - approved.validFrom.getTime(), 24 * HOUR * 1000);
  const code = approved.code.reveal();
  t.regex(code, /^([0-9A-HJKMNP-TV-Z]{5}-){3}[0-9A-HJKMNP-TV-Z]{5}$/);
  t.is((await letterCodes.check(o.ctx, code, 'a')).outcome, 'too-early');
  t.deepEqual(await redeemWith(o.ctx, code), { outcome: 'over' });
  o.pass(24 * HOUR);
  t.is((await letterCodes.check(o.ctx, code.toLowerCase().replaceAll('-', ' '), 'a')).outcome, 'valid');
  const redeemed = await redeemWith(o.ctx, code);
  t.is(redeemed.outcome, 'redeemed');
  t.is((await o.ctx.db('passwords').where({ account_id: account })).length, 0);
  t.is((await o.ctx.db('backup_codes').where({ account_id: account })).length, 0);
  t.is((await o.ctx.db('passkeys').where({ account_id: account })).length, 1);
  t.true(await recoveryCases.isReduced(o.ctx, account));
  t.is((await recoveryCases.find(o.ctx, recovery.number))?.status, 'redeemed');
  t.deepEqual(await redeemWith(o.ctx, code), { outcome: 'over' }, 'once');
  const events = (await o.ctx.db('audit').where({ account_id: account }).orderBy('seq').select('event')).map(
    ({ event }) => event,
  );
  t.deepEqual(events, ['account-registered', 'recovery-opened', 'recovery-approved', 'recovery-redeemed']);
});

test('the waiting time follows the evidence', async (t) => {
  const o = await office();
  for (const [evidence, hours] of [
    ['eid-at-counter', 0],
    ['identity-card', 24],
    ['passport', 24],
    ['residence-permit', 24],
    ['known-representative', 72],
  ] as const) {
    const recovery = await openOne(t, o, await citizen(o), evidence);
    const { validFrom, expiresAt } = await approveOne(o, recovery, 'hand');
    t.is(validFrom.getTime() - o.ctx.now().getTime(), hours * HOUR * 1000, evidence);
    t.is(expiresAt.getTime() - validFrom.getTime(), 24 * HOUR * 1000);
  }
});

test('a letter by post is good for 21 days and needs an address', async (t) => {
  const o = await office();
  const account = await citizen(o);
  const recovery = await openOne(t, o, account, 'eid-at-counter');
  const refused = await recoveries.approve(o.ctx, o.approver.id, recovery.number, 'post', letters);
  t.is(refused.outcome, 'no-address');
  await attributes.record(
    o.ctx,
    account,
    { address: { street_address: 'Weg 1', postal_code: '33330', locality: 'Ort' } },
    'self',
  );
  const { validFrom, expiresAt } = await approveOne(o, recovery, 'post');
  t.is(expiresAt.getTime() - validFrom.getTime(), 21 * 24 * HOUR * 1000);
});

test('whoever opened a recovery cannot approve it, and SQL itself says so', async (t) => {
  const o = await office();
  const recovery = await openOne(t, o, await citizen(o));
  t.deepEqual(await recoveries.approve(o.ctx, o.clerk.id, recovery.number, 'hand', letters), {
    outcome: 'own-recovery',
  });
  const error = await t.throwsAsync(
    o.database.pool.query(
      "UPDATE recoveries SET status = 'approved', approved_by = opened_by, approved_at = now() WHERE number = $1",
      [recovery.number],
    ),
  );
  t.is((error as { constraint?: string } | undefined)?.constraint, 'recoveries_two_people');
  t.is((await recoveryCases.find(o.ctx, recovery.number))?.status, 'open');
});

test('nobody acts on their own account as a citizen, and SQL itself says so', async (t) => {
  const o = await office();
  const account = await citizen(o);
  const clerk = await makeMember(o.ctx, ['clerk'], { by: o.chief.id, citizen: account });
  const approver = await makeMember(o.ctx, ['approver'], { by: o.chief.id, citizen: account });
  const wanted = { account, reason: 'other', ticket: 'T', evidence: 'passport' } as const;
  t.deepEqual(await recoveries.open(o.ctx, clerk.id, wanted, recoveries.WAIT_HOURS, letters), {
    outcome: 'own-account',
  });
  const recovery = await openOne(t, o, account);
  t.deepEqual(await recoveries.approve(o.ctx, approver.id, recovery.number, 'hand', letters), {
    outcome: 'own-account',
  });
  const error = await t.throwsAsync(
    o.database.pool.query(
      "UPDATE recoveries SET status = 'approved', approved_by = $2, approved_at = now() WHERE number = $1",
      [recovery.number, approver.id],
    ),
  );
  t.is((error as { constraint?: string } | undefined)?.constraint, 'recoveries_not_own');
});

test('nor on a second account of the same person, under a name written in another way', async (t) => {
  const o = await office();
  const [first, second, stranger] = [await citizen(o), await citizen(o), await citizen(o)];
  const person = { given_name: 'Jörg Peter', family_name: 'Großmann', birthdate: '1980-05-06' };
  await attributes.record(o.ctx, first, person, 'self');
  await attributes.record(o.ctx, second, { ...person, given_name: 'Joerg', family_name: 'GROSSMANN' }, 'self');
  await attributes.record(o.ctx, stranger, { ...person, birthdate: '1981-05-06' }, 'self');
  const clerk = await makeMember(o.ctx, ['clerk'], { by: o.chief.id, citizen: first });
  const wanted = { reason: 'other', ticket: 'T', evidence: 'passport' } as const;
  const open = (account: AccountId) =>
    recoveries.open(o.ctx, clerk.id, { account, ...wanted }, recoveries.WAIT_HOURS, letters);
  t.is((await open(second)).outcome, 'own-account');
  t.is((await open(stranger)).outcome, 'opened');
  const { number } = await openOne(t, o, second);
  t.is((await recoveries.approve(o.ctx, clerk.id, number, 'hand', letters)).outcome, 'own-account');
  t.is((await desk.lock(o.ctx, clerk.id, second, { reason: 'other', ticket: 'T' }, [])).outcome, 'own-account');
});

test('what a recovery says is fixed, and no SQL leads back from its end', async (t) => {
  const o = await office();
  const account = await citizen(o);
  const recovery = await openOne(t, o, account);
  const refused = (sql: string, ...values: unknown[]) =>
    t.throwsAsync(o.database.pool.query(sql, [recovery.number, ...values]), undefined, sql);
  await refused('UPDATE recoveries SET opened_by = $2 WHERE number = $1', o.other.id);
  await refused("UPDATE recoveries SET evidence = 'eid-at-counter' WHERE number = $1");
  await refused('UPDATE recoveries SET account_id = $2 WHERE number = $1', await citizen(o));
  await refused("UPDATE recoveries SET status = 'redeemed', ended_at = now() WHERE number = $1");
  await refused("UPDATE recoveries SET status = 'approved' WHERE number = $1");
  await recoveries.stopBy(o.ctx, o.approver.id, recovery.number, 'rejected', letters);
  await refused("UPDATE recoveries SET status = 'open', ended_at = NULL WHERE number = $1");
  await refused(
    "UPDATE recoveries SET status = 'approved', ended_at = NULL, approved_by = $2, approved_at = now() WHERE number = $1",
    o.other.id,
  );
  await t.throwsAsync(
    o.database.pool.query(
      `INSERT INTO recoveries (id, number, account_id, credential_state, status, reason, ticket, evidence, opened_by, opened_at, waits_until, approved_by, approved_at, stop_hash)
       SELECT gen_random_uuid(), 'R-X', account_id, 1, 'approved', reason, ticket, evidence, opened_by, opened_at, waits_until, $2, now(), '\\x00' FROM recoveries WHERE number = $1`,
      [recovery.number, o.other.id],
    ),
  );
});

test('the citizen is told at each step and can stop it from the mail', async (t) => {
  const o = await office();
  const account = await citizen(o, 'erika@buerger.example');
  const recovery = await openOne(t, o, account);
  const { code } = await approveOne(o, recovery);
  const { takeDue } = await import('../accounts/notices.ts');
  const mails = (await takeDue(o.ctx, 20)).filter(({ to }) => to === 'erika@buerger.example');
  t.is(mails.length, 2);
  const tokens = mails.map(({ text }) => /https:\/\/login\.stadt\.example\/stopp\/(\S+)/.exec(text)?.[1] ?? '');
  t.regex(tokens[0] ?? '', recoveryCases.STOP_TOKEN);
  t.is(tokens[0], tokens[1]);
  const found = await recoveryCases.findByStopToken(o.ctx, tokens[0] ?? '');
  t.is(found?.number, recovery.number);
  t.is(await recoveryCases.findByStopToken(o.ctx, 'x'.repeat(43)), undefined);
  t.deepEqual(await recoveries.stop(o.ctx, recovery.id, letters), { outcome: 'ended', again: false });
  t.deepEqual(await recoveries.stop(o.ctx, recovery.id, letters), { outcome: 'ended', again: true });
  o.pass(25 * HOUR);
  t.deepEqual(await redeemWith(o.ctx, code.reveal()), { outcome: 'over' });
  t.is((await recoveryCases.ofAccount(o.ctx, account))[0]?.status, 'stopped');
  const [row] = await o.ctx.db('audit').where({ event: 'recovery-stopped' }).select('actor');
  t.is(row.actor.kind, 'citizen');
});

test('asking again with the same ticket opens no second one', async (t) => {
  const o = await office();
  const account = await citizen(o);
  const wanted = { account, reason: 'device-lost', ticket: 'T-7', evidence: 'passport' } as const;
  const first = await recoveries.open(o.ctx, o.clerk.id, wanted, recoveries.WAIT_HOURS, letters);
  const second = await recoveries.open(o.ctx, o.clerk.id, wanted, recoveries.WAIT_HOURS, letters);
  t.is(first.outcome === 'opened' && first.recovery.number, second.outcome === 'opened' && second.recovery.number);
  t.true(second.outcome === 'opened' && second.again);
  const third = await recoveries.open(o.ctx, o.clerk.id, { ...wanted, ticket: 'T-8' }, recoveries.WAIT_HOURS, letters);
  t.is(third.outcome, 'already-open');
  t.is((await o.ctx.db('recoveries')).length, 1);
});

test('a lost letter is replaced by its approver alone, and the old code is over', async (t) => {
  const o = await office();
  const recovery = await openOne(t, o, await citizen(o), 'eid-at-counter');
  const first = await approveOne(o, recovery);
  t.deepEqual(await recoveries.approve(o.ctx, o.other.id, recovery.number, 'hand', letters), {
    outcome: 'not-open',
    status: 'approved',
  });
  const second = await approveOne(o, recovery);
  t.true(second.renewed);
  t.deepEqual(await redeemWith(o.ctx, first.code.reveal()), { outcome: 'over' });
  t.is((await redeemWith(o.ctx, second.code.reveal())).outcome, 'redeemed');
});

test('a credential that changed meanwhile ends the recovery’s use', async (t) => {
  const o = await office();
  const account = await citizen(o);
  const { code } = await approveOne(o, await openOne(t, o, account, 'eid-at-counter'));
  await o.ctx.db('accounts').where({ id: account }).increment('credential_state', 1);
  t.deepEqual(await redeemWith(o.ctx, code.reveal()), { outcome: 'over' });
  t.is(
    (await o.ctx.db('letter_codes').whereNotNull('used_at').where({ account_id: account })).length,
    0,
    'nothing spent',
  );
});

test('undecided for two weeks, or not redeemed in time: expired, and a new one can be opened', async (t) => {
  const o = await office();
  const account = await citizen(o);
  const first = await openOne(t, o, account);
  o.pass(14 * 24 * HOUR);
  t.is((await recoveryCases.find(o.ctx, first.number))?.status, 'expired');
  t.deepEqual(await recoveryCases.list(o.ctx, { limit: 10 }), []);
  const late = await recoveries.approve(o.ctx, o.approver.id, first.number, 'hand', letters);
  t.deepEqual(late, { outcome: 'not-open', status: 'expired' });
  const second = await openOne(t, o, account, 'eid-at-counter');
  const { code } = await approveOne(o, second);
  o.pass(24 * HOUR);
  t.deepEqual(await redeemWith(o.ctx, code.reveal()), { outcome: 'over' });
  await openOne(t, o, account);
  const ended = await o.ctx.db('recoveries').where({ account_id: account }).orderBy('opened_at').select('status');
  t.deepEqual(
    ended.map(({ status }) => status),
    ['expired', 'expired', 'open'],
  );
});

const SCALE = 12;

test('two approvals at once: one outcome', async (t) => {
  const o = await office();
  for (let round = 0; round < SCALE; round += 1) {
    const recovery = await openOne(t, o, await citizen(o));
    const results = await Promise.all(
      [o.approver, o.other].map(({ id }) => recoveries.approve(o.ctx, id, recovery.number, 'hand', letters)),
    );
    t.deepEqual(results.map(({ outcome }) => outcome).sort(), ['approved', 'not-open']);
    t.is((await o.ctx.db('letter_codes').where({ recovery_id: recovery.id })).length, 1);
  }
});

test('approve against cancel: one outcome, and no code outlives it', async (t) => {
  const o = await office();
  for (let round = 0; round < SCALE; round += 1) {
    const recovery = await openOne(t, o, await citizen(o), 'eid-at-counter');
    const [approved, cancelled] = await Promise.all([
      recoveries.approve(o.ctx, o.approver.id, recovery.number, 'hand', letters),
      recoveries.stopBy(o.ctx, o.clerk.id, recovery.number, 'cancelled', letters),
    ]);
    t.is(cancelled.outcome, 'ended', 'an approval before it is cancelled, too');
    const final = await recoveryCases.find(o.ctx, recovery.number);
    t.is(final?.status, 'cancelled');
    if (approved.outcome === 'approved')
      t.deepEqual(await redeemWith(o.ctx, approved.code.reveal()), { outcome: 'over' });
  }
});

test('redeemed many times at once: one wins; stopped and redeemed at once: one outcome', async (t) => {
  const o = await office();
  for (let round = 0; round < SCALE; round += 1) {
    const account = await citizen(o);
    const recovery = await openOne(t, o, account, 'eid-at-counter');
    const code = (await approveOne(o, recovery)).code.reveal();
    const results = await Promise.all([
      ...Array.from({ length: 4 }, () => redeemWith(o.ctx, code)),
      ...(round % 2 === 0 ? [] : [recoveries.stop(o.ctx, recovery.id, letters)]),
    ]);
    const redeemed = results.filter(({ outcome }) => outcome === 'redeemed').length;
    const stopped = results.filter(({ outcome }) => outcome === 'ended').length;
    t.is(redeemed + stopped, 1, `round ${round}`);
    const status = (await recoveryCases.find(o.ctx, recovery.number))?.status;
    t.is(status, redeemed === 1 ? 'redeemed' : 'stopped');
    t.is((await o.ctx.db('passkeys').where({ account_id: account })).length, redeemed);
  }
});

test('a mistyped code is told apart from a wrong one, and codes are throttled by address', async (t) => {
  const o = await office();
  const { code } = await approveOne(o, await openOne(t, o, await citizen(o), 'eid-at-counter'));
  const good = code.reveal();
  const swapped = good.replace(/^(.)/, good.startsWith('7') ? '8' : '7');
  t.deepEqual(await letterCodes.check(o.ctx, swapped, 'a'), { outcome: 'mistyped' });
  t.is((await letterCodes.check(o.ctx, good.replaceAll('0', 'O').replaceAll('1', 'l'), 'a')).outcome, 'valid');
  const foreign = await openDomain();
  domains.push(foreign);
  const stranger = await makeMemberCode(foreign);
  for (let tries = 0; tries < 30; tries += 1) {
    t.deepEqual(await letterCodes.check(o.ctx, stranger, 'b'), { outcome: 'wrong' });
  }
  t.is((await letterCodes.check(o.ctx, good, 'b')).outcome, 'wait');
  t.is((await letterCodes.check(o.ctx, good, 'c')).outcome, 'valid', 'another address goes on');
});

/** A well-formed code that this domain has not given out. */
const makeMemberCode = async (d: Domain): Promise<string> => {
  const { bootstrap } = await import('../accounts/staff.ts');
  const wanted = { name: 'N', email: emailOf('n@stadt.example'), language: 'de' };
  const invited = await bootstrap(d.ctx, wanted, () => ({ subject: '', text: '' }));
  if (invited.outcome !== 'invited') throw new Error(invited.outcome);
  return invited.code.reveal();
};
