import test from 'ava';
import * as accounts from '../accounts/accounts.ts';
import * as chain from '../accounts/audit-chain.ts';
import type { AccountId } from '../accounts/ids.ts';
import * as staff from '../accounts/staff.ts';
import * as staffRoles from '../accounts/staff-roles.ts';
import { ROLES, type Role } from '../accounts/terms.ts';
import { VERBS } from '../provider/admin-api/api.ts';
import { AdminClient } from './harness/admin-client.ts';
import { emailOf } from './harness/domain.ts';
import { makeMember, type TestMember } from './harness/staff.ts';
import { type RunningTown, startTown } from './harness/town.ts';

let town: RunningTown;
let chief: TestMember;
const members = new Map<Role, { member: TestMember; client: AdminClient }>();
const silent = () => ({ subject: 'x', text: 'x' });

const hire = async (roles: readonly Role[]): Promise<{ member: TestMember; client: AdminClient }> => {
  const member = await makeMember(town.context(), roles, { by: chief.id });
  return { member, client: await AdminClient.of(town, member.account) };
};

const as = (role: Role): AdminClient => {
  const known = members.get(role);
  if (known === undefined) throw new Error(role);
  return known.client;
};

let count = 0;
const citizen = async (): Promise<{ id: AccountId; kennung: string; email: string }> => {
  count += 1;
  const email = `admin-${count}@buerger.example`;
  const registered = await accounts.register(town.context(), {
    town: { id: 'teststadt' },
    language: 'de',
    email: emailOf(email),
    credential: { kind: 'password', hash: { hash: '$argon2id$v=19$m=8,t=1,p=1$c2FsdA$aGFzaA', pepperVersion: 1 } },
  });
  if (registered.outcome !== 'registered') throw new Error(registered.outcome);
  return { id: registered.account, kennung: registered.kennung, email };
};

test.before(async () => {
  town = await startTown();
  chief = await makeMember(town.context(), ['chief']);
  for (const role of ROLES) {
    members.set(
      role,
      role === 'chief' ? { member: chief, client: await AdminClient.of(town, chief.account) } : await hire([role]),
    );
  }
});

test.after.always(() => town?.close());

/** Written down a second time on purpose: a change of the product's table must be meant. */
const ALLOWED: Record<string, readonly Role[]> = {
  'me show': ['clerk', 'approver', 'operator', 'auditor', 'chief', 'service'],
  'staff list': ['auditor', 'chief'],
  'staff invite': ['chief'],
  'staff grant': ['chief'],
  'staff confirm': ['chief'],
  'staff object': ['clerk', 'approver', 'operator', 'auditor', 'chief'],
  'staff revoke': ['chief'],
  'recovery open': ['clerk'],
  'recovery approve': ['approver'],
  'recovery reject': ['approver'],
  'recovery cancel': ['clerk', 'approver'],
  'recovery list': ['clerk', 'approver', 'auditor'],
  'recovery show': ['clerk', 'approver', 'auditor'],
  'account find': ['clerk', 'approver'],
  'account show': ['clerk', 'approver'],
  'account create': ['clerk'],
  'account lock': ['clerk', 'approver'],
  'account unlock': ['approver'],
  'account close': ['approver'],
  'letters list': ['clerk'],
  'letters print': ['clerk'],
  'letters done': ['clerk'],
  'client list': ['operator', 'auditor'],
  'client show': ['operator', 'auditor'],
  'client plan': ['operator'],
  'client apply': ['operator'],
  'client approve': ['operator'],
  'client rotate-secret': ['operator'],
  'client diagnose': ['operator', 'service'],
  'client check': ['operator', 'service'],
  'keys list': ['operator', 'auditor'],
  'keys rotate': ['operator'],
  'keys revoke': ['operator'],
  'notices list': ['operator'],
  'notices retry': ['operator'],
  'audit search': ['auditor'],
  'audit verify': ['auditor', 'operator'],
  'audit export': ['auditor'],
  doctor: ['operator'],
};

/** Acceptable fields for each verb, so that nothing but the role can refuse it. */
const INPUT: Record<string, Record<string, unknown>> = {
  'staff invite': { name: 'N', email: 'neu@stadt.example', roles: ['clerk'] },
  'staff grant': { email: 'niemand@stadt.example', role: 'clerk' },
  'staff confirm': { email: 'niemand@stadt.example' },
  'staff object': { email: 'niemand@stadt.example' },
  'staff revoke': { email: 'niemand@stadt.example' },
  'recovery open': { kennung: 'XX', evidence: 'passport', reason: 'other', ticket: 'T' },
  'recovery approve': { number: 'R-0000-0000' },
  'recovery reject': { number: 'R-0000-0000' },
  'recovery cancel': { number: 'R-0000-0000' },
  'recovery show': { number: 'R-0000-0000' },
  'account find': { kennung: 'XX' },
  'account show': { kennung: 'XX' },
  'account create': { given_name: 'A', family_name: 'B', evidence: 'passport', ticket: 'T' },
  'account lock': { kennung: 'XX', reason: 'other', ticket: 'T' },
  'account unlock': { kennung: 'XX', reason: 'other', ticket: 'T' },
  'account close': { kennung: 'XX', reason: 'other', ticket: 'T' },
  'letters done': { batch: 'B-0000-0000' },
  'client show': { client: 'nobody' },
  'client plan': { files: [] },
  'client apply': { files: [] },
  'client approve': { number: 'D-0000-0000' },
  'client rotate-secret': { client: 'nobody' },
  'client diagnose': { client: 'nobody' },
  'client check': { client: 'nobody' },
  'keys revoke': { kid: 'none' },
};

test.serial('every verb is in the table, and every verb × role is answered as the table says', async (t) => {
  t.deepEqual(Object.keys(VERBS).sort(), Object.keys(ALLOWED).sort());
  let refused = 0;
  for (const [verb, allowed] of Object.entries(ALLOWED)) {
    for (const role of ROLES) {
      const answer = await as(role).call(verb, INPUT[verb] ?? {});
      const name = `${role}: ${verb} → ${answer.status} ${JSON.stringify(answer.body).slice(0, 120)}`;
      if (allowed.includes(role)) t.true([200, 409].includes(answer.status), name);
      else {
        t.is(answer.status, 403, name);
        t.deepEqual(answer.body, { error: 'not_permitted', verb });
        refused += 1;
      }
    }
  }
  t.is(refused + Object.values(ALLOWED).flat().length, Object.keys(ALLOWED).length * ROLES.length);
});

test.serial('at the counter nobody gives an account an e-mail address, as services take it for proven', async (t) => {
  const { status, body } = await as('clerk').call('account create', {
    ...INPUT['account create'],
    email: 'a@b.example',
  });
  t.is(status, 400);
  t.deepEqual(body, { error: 'fields', fields: ['email'] });
});

test.serial('a ticket’s second letter is for the same person, proofed as well', async (t) => {
  const made = { ...INPUT['account create'], ticket: 'AK-17', street: 'Weg 1', postal_code: '33330', locality: 'Ort' };
  const create = (changes: object) => as('clerk').call('account create', { ...made, ...changes, commit: true });
  const first = await create({});
  t.like(first.body, { committed: true, again: false });
  for (const changes of [{ family_name: 'C' }, { delivery: 'post' }, { evidence: 'known-representative' }]) {
    const { status, body } = await create(changes);
    t.is(status, 409);
    t.is(body['reason'], 'ticket-of-another');
  }
  t.like((await create({})).body, { committed: true, again: true, kennung: first.body['kennung'] });
});

test.serial('nobody without a role, without staff, or with a citizen’s account gets in', async (t) => {
  const nobody = await hire(['clerk']);
  await staffRoles.revoke(town.context(), emailOf(nobody.member.email), silent, 'clerk');
  t.is((await nobody.client.call('me show')).status, 403);
  const stranger = await AdminClient.of(town, (await citizen()).id);
  for (const verb of Object.keys(ALLOWED)) {
    t.deepEqual((await stranger.call(verb, INPUT[verb] ?? {})).body, { error: 'no_staff' }, verb);
  }
});

test.serial('only a DPoP-bound token of the staff client for this API counts, and each proof once', async (t) => {
  const { member } = members.get('auditor') ?? (t.fail() as never);
  const client = as('auditor');
  const verb = 'me show';
  t.is((await client.call(verb)).status, 200);
  const others = {
    'another audience': await AdminClient.of(town, member.account, { aud: 'https://api.example' }),
    'two audiences': await AdminClient.of(town, member.account, {
      aud: [`${town.issuer}/admin/api`, 'https://api.example'],
    }),
    'another client': await AdminClient.of(town, member.account, { clientId: 'portal' }),
    'another scope': await AdminClient.of(town, member.account, { scope: 'openid' }),
    'not bound': await AdminClient.of(town, member.account, { bound: false }),
  };
  for (const [name, other] of Object.entries(others)) t.is((await other.call(verb)).status, 401, name);
  const now = Math.floor(Date.now() / 1000);
  const twists = {
    bearer: { scheme: 'Bearer' },
    'no proof': { proof: null },
    'no JWT': { proof: 'x.y.z' },
    'another type': { typ: 'jwt' },
    'another method': { claims: { htm: 'GET' } },
    'another address': { claims: { htu: `${town.issuer}/admin/api/staff/invite` } },
    'another host': { claims: { htu: 'https://elsewhere.example/admin/api/me/show' } },
    'another token': { claims: { ath: 'x' } },
    'no id': { claims: { jti: '' } },
    old: { claims: { iat: now - 120 } },
    future: { claims: { iat: now + 120 } },
    'a made-up token': { token: 'x'.repeat(43) },
  };
  for (const [name, twist] of Object.entries(twists)) {
    const answer = await client.call(verb, {}, twist);
    t.is(answer.status, 401, name);
    t.regex(answer.headers.get('www-authenticate') ?? '', /^DPoP /);
  }
  const foreignKey = await (await AdminClient.of(town, member.account)).proof(verb, { token: client.token });
  t.is((await client.call(verb, {}, { proof: foreignKey })).status, 401, 'a key that the token is not bound to');
  const proof = await client.proof(verb);
  const used = await Promise.all(Array.from({ length: 8 }, () => client.call(verb, {}, { proof })));
  t.is(used.filter(({ status }) => status === 200).length, 1, 'eight at once: one');
  t.is((await client.call(verb, {}, { proof })).status, 401);
});

test.serial('an ended sign-in is over at once', async (t) => {
  const { client } = await hire(['auditor']);
  t.is((await client.call('me show')).status, 200);
  await (await town.app.provider().Grant.find(client.grantId))?.destroy();
  t.is((await client.call('me show')).status, 401);
});

test.serial('what is not a request of this API is refused with the reason', async (t) => {
  const client = as('clerk');
  t.is((await client.call('recovery invent')).status, 404);
  t.is((await client.call('me show', {}, { method: 'GET', claims: { htm: 'GET' } })).status, 405);
  t.is((await client.call('me show', 'not json')).status, 400);
  t.is((await client.call('me show', [])).status, 400);
  t.is((await client.call('me show', {}, { contentType: 'text/plain' })).status, 400);
  t.deepEqual((await client.call('me show', { more: 1 })).body, { error: 'fields', fields: ['more'] });
  t.deepEqual(
    (await client.call('recovery open', { kennung: ['a'], evidence: 'copy', reason: 'other', ticket: '../x y' })).body,
    {
      error: 'fields',
      fields: ['kennung', 'ticket', 'evidence'],
    },
  );
  t.deepEqual((await client.call('recovery list', { commit: 'yes' })).body, { error: 'fields', fields: ['commit'] });
  t.deepEqual((await client.call('account find', { kennung: 'a', email: 'b' })).body, {
    error: 'refused',
    reason: 'name-one',
  });
});

const openInput = (kennung: string, ticket = 'T-1') => ({
  kennung,
  evidence: 'eid-at-counter',
  reason: 'other',
  ticket,
});

test.serial('a dry run says the same as the deed and leaves nothing but that somebody searched', async (t) => {
  const { id, kennung } = await citizen();
  const dry = await as('clerk').call('recovery open', openInput(kennung));
  t.is(dry.status, 200);
  t.false(dry.body['committed']);
  t.is((await town.context().db('recoveries').where({ account_id: id })).length, 0);
  const events = await town
    .context()
    .db('audit')
    .where({ account_id: id })
    .whereRaw("actor->>'kind' = 'staff'")
    .select('event');
  t.deepEqual(events, [{ event: 'account-searched' }]);
  const done = await as('clerk').call('recovery open', { ...openInput(kennung), commit: true });
  t.true(done.body['committed']);
  const { number } = done.body['recovery'] as { number: string };
  const dryApproval = await as('approver').call('recovery approve', { number });
  t.is(dryApproval.body['letter'], undefined, 'a code that is not good is not shown');
  t.is((await town.context().db('letter_codes').where({ account_id: id })).length, 0);
});

test.serial(
  'a citizen is found by the pseudonym that a service quotes, and nothing on record names the service',
  async (t) => {
    const { id } = await citizen();
    const organisation = 'buecherei';
    const pseudonym = town.keys.subject(organisation, id);
    const found = await as('clerk').call('account find', { pseudonym });
    t.is(found.status, 200);
    for (const told of [organisation, 'bibliothek', pseudonym])
      t.false(JSON.stringify(found.body).includes(told), told);
    const rows = await town.context().db('audit').where({ account_id: id }).whereRaw("actor->>'kind' = 'staff'");
    t.true(rows.length > 0);
    t.like(rows[0], { event: 'account-searched', detail: { by: 'pseudonym', found: true } });
    for (const told of [organisation, 'bibliothek', pseudonym]) t.false(JSON.stringify(rows).includes(told), told);
    const unknown = await as('clerk').call('account find', { pseudonym: `${pseudonym.slice(0, 42)}B` });
    t.false(unknown.body['ok'] === true && unknown.body['kennung'] !== undefined);
  },
);

test.serial('a role that is taken between plan and commit is missing at the commit', async (t) => {
  const { member, client } = await hire(['clerk', 'auditor']);
  const { id, kennung } = await citizen();
  t.is((await client.call('recovery open', openInput(kennung))).status, 200);
  await staffRoles.revoke(town.context(), emailOf(member.email), silent, 'clerk');
  const before = Date.now();
  t.is((await client.call('recovery open', { ...openInput(kennung), commit: true })).status, 403);
  t.true(Date.now() - before < 1000);
  t.is((await town.context().db('recoveries').where({ account_id: id })).length, 0);
  t.is((await client.call('me show')).status, 200, 'the other role stands');
});

test.serial('taking a role races with using it: done with it, or refused', async (t) => {
  for (let round = 0; round < 8; round += 1) {
    const { member, client } = await hire(['clerk']);
    const { id, kennung } = await citizen();
    const [answer] = await Promise.all([
      client.call('recovery open', { ...openInput(kennung), commit: true }),
      staffRoles.revoke(town.context(), emailOf(member.email), silent, 'clerk'),
    ]);
    const made = (await town.context().db('recoveries').where({ account_id: id })).length;
    t.is(made, answer.status === 200 ? 1 : 0, String(answer.status));
  }
});

test.serial('a change is checkpointed before it is acknowledged', async (t) => {
  const { kennung } = await citizen();
  await as('clerk').call('account lock', { kennung, reason: 'citizen-asked', ticket: 'T-2', commit: true });
  const [row] = await town
    .context()
    .db('audit')
    .where({ event: 'account-locked' })
    .orderBy('seq', 'desc')
    .limit(1)
    .select('seq');
  const [link] = await town.context().db('audit_chain').where({ seq: row.seq }).select('position');
  const kept = town.logged.flatMap((line): chain.Checkpoint[] =>
    line.includes('audit checkpoint') ? [JSON.parse(line).checkpoint] : [],
  );
  t.true(kept.some(({ position }) => position >= Number(link.position)));
  t.deepEqual((await chain.verify(town.context(), kept)).faults, []);
});

test.serial('unlocking and closing take a second person', async (t) => {
  const both = await hire(['clerk', 'approver']);
  const { id, kennung } = await citizen();
  const why = { kennung, reason: 'taken-over', ticket: 'T-3', commit: true };
  t.is((await both.client.call('account close', why)).body['reason'], 'not-possible');
  t.is((await both.client.call('account lock', why)).status, 200);
  t.false(await accounts.isActive(town.context(), id));
  t.is((await both.client.call('account unlock', why)).body['reason'], 'same-person');
  t.is((await both.client.call('account close', why)).body['reason'], 'same-person');
  t.is((await as('approver').call('account unlock', why)).status, 200);
  t.true(await accounts.isActive(town.context(), id));
  t.is((await both.client.call('account lock', why)).status, 200);
  t.is((await as('approver').call('account close', why)).status, 200);
  t.is((await accounts.load(town.context(), id))?.status, 'closed');
});

test.serial('a clerk sees what the counter needs, searches exactly, and not without end', async (t) => {
  const { client } = await hire(['clerk']);
  const { kennung, email } = await citizen();
  const { account } = (await client.call('account show', { email })).body as { account: Record<string, unknown> };
  t.is(account['kennung'], kennung);
  t.is(account['email'], 'a…@b….example');
  t.deepEqual(Object.keys(account).sort(), [
    'createdOn',
    'email',
    'kennung',
    'language',
    'passkeys',
    'password',
    'post',
    'reduced',
    'status',
  ]);
  t.is((await client.call('account find', { email: email.slice(0, -1) })).body['reason'], 'no-account');
  let found = 0;
  for (let tries = 0; tries < 60; tries += 1)
    found += (await client.call('account find', { email })).status === 200 ? 1 : 0;
  t.is(found, 58, 'with the two before: sixty');
  t.is((await client.call('recovery open', openInput(kennung))).body['reason'], 'wait', 'no way around by a dry run');
});

test.serial('staff are found neither at the counter nor recovered', async (t) => {
  const load = await accounts.load(town.context(), chief.account);
  t.is((await as('clerk').call('account find', { kennung: load?.kennung })).body['reason'], 'no-account');
  await t.throwsAsync(
    town
      .context()
      .db('passwords')
      .insert({ account_id: chief.account, hash: 'x', pepper_version: 1, changed_at: new Date() }),
    {
      message: /passkeys only/,
    },
  );
});

test.serial('nobody grants themselves a role, and the last chief stays', async (t) => {
  const ctx = town.context();
  t.is(
    (await as('chief').call('staff grant', { email: chief.email, role: 'clerk', commit: true })).body['reason'],
    'oneself',
  );
  await t.throwsAsync(
    ctx.db('staff_roles').insert({ staff_id: chief.id, role: 'clerk', granted_by: chief.id, granted_at: new Date() }),
    {
      message: /staff_roles_not_to_oneself/,
    },
  );
  t.is((await as('chief').call('staff revoke', { email: chief.email, commit: true })).body['reason'], 'last-chief');
  const wanted = { name: 'Zweite', email: emailOf('zweite@stadt.example'), language: 'de' };
  t.is((await staff.bootstrap(ctx, wanted, silent)).outcome, 'chief-exists');
});

test.serial('the doctor finds a healthy town healthy, apart from its certificate for a test', async (t) => {
  const { body } = await as('operator').call('doctor');
  const findings = body['findings'] as { check: string; state: string }[];
  for (const { check, state } of findings) if (check !== 'certificate') t.is(state, 'good', check);
  t.deepEqual([...new Set(findings.map(({ check }) => check))].sort(), [
    'audit',
    'certificate',
    'checkpoints',
    'clock',
    'configuration',
    'database',
    'keys',
    'mail',
    'outbox',
    'services',
    'staff',
  ]);
});

test.serial('keys: the next one is made ahead of time, a stolen one is gone at once', async (t) => {
  const operator = as('operator');
  const list = async () =>
    (await operator.call('keys list')).body['keys'] as { kid: string; alg: string; state: string }[];
  const before = (await list()).filter(({ alg }) => alg === 'ES256');
  t.deepEqual(
    before.map(({ state }) => state),
    ['current'],
  );
  t.is((await operator.call('keys rotate')).status, 200);
  t.is((await list()).length, (await list()).length);
  t.is((await list()).filter(({ alg }) => alg === 'ES256').length, 1, 'a dry run');
  await operator.call('keys rotate', { commit: true });
  t.true((await operator.call('keys rotate', { commit: true })).body['again']);
  await operator.call('keys revoke', { kid: before[0]?.kid, commit: true });
  const after = (await list()).filter(({ alg, state }) => alg === 'ES256' && state !== 'gone');
  t.deepEqual(
    after.map(({ state }) => state),
    ['current'],
  );
  t.not(after[0]?.kid, before[0]?.kid);
});
