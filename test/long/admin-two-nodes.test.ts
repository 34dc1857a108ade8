/** What two people or two browsers do at once, each at another node, in processes of their own: one outcome. */
import test from 'ava';
import * as accounts from '../../accounts/accounts.ts';
import type { AccountId } from '../../accounts/ids.ts';
import * as recoveries from '../../accounts/recoveries.ts';
import * as recoveryCases from '../../accounts/recovery-cases.ts';
import type { Role } from '../../accounts/terms.ts';
import { citizenLetters } from '../../interactions/citizen-letters.ts';
import { letterTextsIn } from '../../interactions/texts/letters.ts';
import { AdminClient } from '../harness/admin-client.ts';
import { LetterVisit } from '../harness/letter-visit.ts';
import { inTurn, SecondNode } from '../harness/second-node.ts';
import { heading } from '../harness/sign-in.ts';
import { makeMember, type TestMember } from '../harness/staff.ts';
import { type RunningTown, startTown, TEST_TOWN } from '../harness/town.ts';
import { scaled } from './scale.ts';

type Colleague = { readonly member: TestMember; readonly client: AdminClient };

const t_ = letterTextsIn('de');
const second = new SecondNode();
let town: RunningTown;
let chief: Colleague;
let clerk: Colleague;
let approver: Colleague;
let other: Colleague;

const hire = async (role: Role): Promise<Colleague> => {
  const member = await makeMember(town.context(), [role], role === 'chief' ? {} : { by: chief.member.id });
  return { member, client: await AdminClient.of(town, member.account) };
};

test.before(async () => {
  town = await startTown({
    // Of two requests at once each goes to another node.
    around: async (handler, facts) => {
      await second.start(facts);
      return inTurn(handler, second.handler);
    },
  });
  chief = await hire('chief');
  [clerk, approver, other] = await Promise.all([hire('clerk'), hire('approver'), hire('approver')]);
});
test.after.always(async () => {
  await town?.close();
  await second.close();
});

const db = () => town.context().db;
const letters = () => citizenLetters(TEST_TOWN, new URL(town.issuer));

const citizen = async (): Promise<{ account: AccountId; kennung: string }> => {
  const registered = await accounts.register(town.context(), {
    town: TEST_TOWN,
    language: 'de',
    credential: { kind: 'password', hash: { hash: '$argon2id$v=19$m=8,t=1,p=1$c2FsdA$aGFzaA', pepperVersion: 1 } },
  });
  if (registered.outcome !== 'registered') throw new Error(registered.outcome);
  return registered;
};

const opened = async (): Promise<recoveryCases.Recovery> => {
  const { account } = await citizen();
  const wanted = { account, reason: 'device-lost', ticket: 'B-1', evidence: 'eid-at-counter' } as const;
  const found = await recoveries.open(town.context(), clerk.member.id, wanted, recoveries.WAIT_HOURS, letters());
  if (found.outcome !== 'opened') throw new Error(found.outcome);
  return found.recovery;
};

/** A letter with a code that is good now. */
const approved = async (): Promise<{ recovery: recoveryCases.Recovery; code: string }> => {
  const recovery = await opened();
  const found = await recoveries.approve(town.context(), approver.member.id, recovery.number, 'hand', letters());
  if (found.outcome !== 'approved') throw new Error(found.outcome);
  return { recovery, code: found.code.reveal() };
};

const audited = async (account: AccountId, event: string): Promise<number> =>
  (await db()('audit').where({ account_id: account, event })).length;

test.serial('one letter at two nodes at once: redeemed once', async (t) => {
  const rounds = scaled(25, 3);
  const served = (await second.state()).served;
  for (let round = 0; round < rounds; round += 1) {
    const { recovery, code } = await approved();
    const visits = [new LetterVisit(town.issuer), new LetterVisit(town.issuer)];
    for (const visit of visits) await (await visit.open(code)).choosePassword();
    await Promise.all(visits.map((visit) => visit.send('without-app')));
    t.deepEqual(visits.map(({ page }) => heading(page)).sort(), [t_.code.title, t_.done.title].sort());
    t.is((await db()('passwords').where({ account_id: recovery.account })).length, 1);
    t.is(await audited(recovery.account, 'recovery-redeemed'), 1);
    t.is((await recoveryCases.find(town.context(), recovery.number))?.status, 'redeemed');
  }
  t.true((await second.state()).served - served >= rounds, 'the second node had its part');
  t.log(`${rounds} letters, each redeemed once`);
});

test.serial('two approvals at two nodes at once: one code', async (t) => {
  const rounds = scaled(100, 5);
  for (let round = 0; round < rounds; round += 1) {
    const { id, number, account } = await opened();
    const answers = await Promise.all(
      [approver, other].map(({ client }) => client.call('recovery approve', { number, commit: true })),
    );
    t.deepEqual(answers.map(({ status }) => status).sort(), [200, 409]);
    const late = answers.find(({ status }) => status === 409);
    t.like(late?.body, { reason: 'not-open', status: 'approved' });
    t.is((await db()('letter_codes').where({ recovery_id: id })).length, 1);
    t.is(await audited(account, 'recovery-approved'), 1);
  }
  t.log(`${rounds} pairs of approvals: one outcome each`);
});

test.serial('approved at one node and cancelled at the other: cancelled, and no code outlives it', async (t) => {
  const rounds = scaled(100, 5);
  let both = 0;
  for (let round = 0; round < rounds; round += 1) {
    const { id, number, account } = await opened();
    const [yes, no] = await Promise.all([
      approver.client.call('recovery approve', { number, commit: true }),
      clerk.client.call('recovery cancel', { number, commit: true }),
    ]);
    t.is(no.status, 200);
    t.true(yes.status === 200 || yes.body['status'] === 'cancelled', JSON.stringify(yes.body).slice(0, 100));
    both += yes.status === 200 ? 1 : 0;
    t.is((await recoveryCases.find(town.context(), number))?.status, 'cancelled');
    t.is((await db()('letter_codes').where({ recovery_id: id }).whereNull('replaced_at')).length, 0);
    t.is(await audited(account, 'recovery-approved'), yes.status === 200 ? 1 : 0);
    t.is(await audited(account, 'recovery-cancelled'), 1);
  }
  t.log(`${rounds} cancelled, ${both} of them after an approval`);
});

test.serial('redeemed at one node and cancelled at the other: one of the two', async (t) => {
  const rounds = scaled(25, 3);
  let redeemed = 0;
  for (let round = 0; round < rounds; round += 1) {
    const { recovery, code } = await approved();
    const visit = await (await new LetterVisit(town.issuer).open(code)).choosePassword();
    const [, no] = await Promise.all([
      visit.send('without-app'),
      clerk.client.call('recovery cancel', { number: recovery.number, commit: true }),
    ]);
    const done = heading(visit.page) === t_.done.title;
    redeemed += done ? 1 : 0;
    t.is(no.status, done ? 409 : 200, JSON.stringify(no.body).slice(0, 100));
    t.is((await recoveryCases.find(town.context(), recovery.number))?.status, done ? 'redeemed' : 'cancelled');
    t.is(await audited(recovery.account, 'recovery-redeemed'), done ? 1 : 0);
  }
  t.log(`${rounds} letters: ${redeemed} redeemed, ${rounds - redeemed} cancelled`);
});

test.serial('a proof that one node has seen is good at no other', async (t) => {
  const rounds = scaled(100, 5);
  for (let round = 0; round < rounds; round += 1) {
    const proof = await approver.client.proof('me show');
    const answers = await Promise.all([0, 1].map(() => approver.client.call('me show', {}, { proof })));
    t.deepEqual(answers.map(({ status }) => status).sort(), [200, 401]);
    t.is((await approver.client.call('me show', {}, { proof })).status, 401);
  }
  t.log(`${rounds} proofs: each good once`);
});

test.serial('a role that is taken at one node is gone at the other, between plan and commit as well', async (t) => {
  const rounds = scaled(20, 3);
  let slowest = 0;
  for (let round = 0; round < rounds; round += 1) {
    const { member, client } = await hire('clerk');
    const { account, kennung } = await citizen();
    const input = { kennung, evidence: 'passport', reason: 'other', ticket: 'B-1' };
    t.is((await client.call('recovery open', input)).status, 200, 'the plan');
    const began = performance.now();
    const taken = await chief.client.call('staff revoke', { email: member.email, role: 'clerk', commit: true });
    t.is(taken.status, 200);
    // The token was issued before; one after the other, each node is asked.
    for (const _ of [1, 2]) t.is((await client.call('recovery open', { ...input, commit: true })).status, 403);
    slowest = Math.max(slowest, performance.now() - began);
    t.is((await db()('recoveries').where({ account_id: account })).length, 0);
  }
  t.log(`${rounds} roles: gone at both nodes at the first request, at most ${slowest.toFixed(0)} ms with the taking`);
});
