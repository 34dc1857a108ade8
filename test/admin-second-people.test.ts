import test from 'ava';
import type { AccountId } from '../accounts/ids.ts';
import * as letterCodes from '../accounts/letter-codes.ts';
import * as proposals from '../accounts/service-proposals.ts';
import * as staff from '../accounts/staff.ts';
import type { Role } from '../accounts/terms.ts';
import { AdminClient } from './harness/admin-client.ts';
import { emailOf, registrationOf } from './harness/domain.ts';
import { joinWith, makeMember, type TestMember } from './harness/staff.ts';
import { type RunningTown, startTown } from './harness/town.ts';

let town: RunningTown;
const HOUR = 3_600_000;

type Person = { member: TestMember; client: AdminClient };
let chief: Person;

test.before(async () => {
  town = await startTown({ production: true });
  const member = await makeMember(town.context(), ['chief']);
  chief = { member, client: await AdminClient.of(town, member.account) };
});
test.after.always(() => town?.close());

const hire = async (...roles: Role[]): Promise<Person> => {
  const member = await makeMember(town.context(), roles, { by: chief.member.id });
  return { member, client: await AdminClient.of(town, member.account) };
};

/** The roles with which somebody could act at a later moment. */
const rolesAt = async (account: AccountId, hours: number): Promise<readonly Role[] | undefined> => {
  const ctx = town.context();
  const later = { ...ctx, now: () => new Date(Date.now() + hours * HOUR) };
  return ctx.db.transaction(async (db) => (await staff.acting({ ...later, db }, account, true))?.roles);
};

const fileOf = (clientId: string, host = `${clientId}.stadt.example`): { name: string; text: string } => ({
  name: `${clientId}.yaml`,
  text: `client_id: ${clientId}
organisation: stadt
name: { de: ${clientId}, en: ${clientId} }
description: { de: Ein Dienst, en: A service }
kind: web
token_endpoint_auth_method: client_secret_basic
redirect_uris: [https://${host}/callback]
contacts: [technik@stadt.example]
`,
});

const inForce = async (): Promise<string[]> =>
  (await town.context().db('clients').orderBy('client_id').select('client_id')).map((row) => row.client_id);

const propose = async (by: Person, ...files: { name: string; text: string }[]): Promise<string> => {
  const answer = await by.client.call('client apply', { files, commit: true });
  return String(answer.body['number'] ?? JSON.stringify(answer.body));
};

test.serial('a change of the services takes a second person, and SQL itself says so', async (t) => {
  const [one, other] = [await hire('operator'), await hire('operator')];
  const before = await inForce();
  const dry = await one.client.call('client apply', { files: [fileOf('eins')] });
  t.is(dry.body['number'], undefined);
  t.is(await proposals.waiting(town.context()), undefined, 'a dry run proposes nothing');
  const number = await propose(one, fileOf('eins'));
  t.regex(number, /^D-\w{4}-\w{4}$/);
  t.deepEqual(await inForce(), before, 'nothing is in force');
  t.is(await propose(one, fileOf('eins')), number, 'asked again: the same');
  const { proposal } = (await other.client.call('client list')).body as { proposal: Record<string, unknown> };
  t.like(proposal, { number, proposedBy: one.member.name });

  t.is((await one.client.call('client approve', { number, commit: true })).body['reason'], 'own-proposal');
  const db = town.context().db;
  const by = (id: string) => ({ status: 'applied', approved_by: id, ended_at: new Date() });
  await t.throwsAsync(db('service_proposals').where({ number }).update(by(one.member.id)), {
    message: /service_proposals_two_people/,
  });
  await t.throwsAsync(db('service_proposals').where({ number }).update({ registrations: '[]' }), {
    message: /does not change/,
  });
  const looked = await other.client.call('client approve', { number });
  t.is((looked.body['secrets'] as { secret?: string }[])[0]?.secret, undefined, 'a dry run shows no secret');
  const [change] = looked.body['changes'] as { client: string; fields: { field: string }[] }[];
  t.is(change?.client, 'eins');
  t.true(
    change?.fields.some(({ field }) => field === 'redirectUris'),
    'who approves sees all of a new service',
  );
  t.deepEqual(await inForce(), before);

  const done = await other.client.call('client approve', { number, commit: true });
  t.regex((done.body['secrets'] as { secret: string }[])[0]?.secret ?? '', /^[A-Za-z0-9]{43}$/);
  t.deepEqual(await inForce(), ['eins']);
  const again = await other.client.call('client approve', { number, commit: true });
  t.true(again.body['again']);
  t.deepEqual(again.body['secrets'], [], 'shown once');
  await t.throwsAsync(db('service_proposals').where({ number }).update({ status: 'open' }), { message: /ends once/ });
  for (const event of ['services-proposed', 'services-approved', 'registrations-applied'])
    t.true((await db('audit').where({ event })).length > 0, event);
});

test.serial('a proposal is void when something else came in force, and a newer one takes its place', async (t) => {
  const [one, other] = [await hire('operator'), await hire('operator')];
  const first = await propose(one, fileOf('eins'), fileOf('zwei'));
  const second = await propose(other, fileOf('eins'), fileOf('drei'));
  t.is((await other.client.call('client approve', { number: first, commit: true })).body['reason'], 'not-open');
  t.is((await one.client.call('client approve', { number: second, commit: true })).status, 200);
  t.deepEqual(await inForce(), ['drei', 'eins']);
  const third = await propose(one, fileOf('eins'));
  await proposals.putInForce(town.context(), [registrationOf({ clientId: 'vier' })]);
  t.is((await other.client.call('client approve', { number: third, commit: true })).body['reason'], 'outdated');
  t.deepEqual(await inForce(), ['vier']);
});

test.serial('two approvals at once: one puts in force, one secret is shown', async (t) => {
  const [one, ...others] = [await hire('operator'), await hire('operator'), await hire('operator')];
  const number = await propose(one, fileOf('rennen'));
  const answers = await Promise.all(
    others.map(({ client }) => client.call('client approve', { number, commit: true })),
  );
  t.deepEqual(answers.map(({ status }) => status).sort(), [200, 409]);
  t.is(answers.flatMap(({ body }) => (body['secrets'] as object[] | undefined) ?? []).length, 1);
});

test.serial('a chief who invites two invented people waits a day, and everybody is told how to object', async (t) => {
  const auditor = await hire('auditor');
  const sent = town.mail.mails.length;
  const invite = { name: 'Erfunden', email: 'erfunden@stadt.example', roles: ['approver', 'clerk'], commit: true };
  t.is((await chief.client.call('staff invite', invite)).status, 200);
  const code = await letterCodes.issue(
    town.context(),
    { purpose: 'invitation', staff: (await staff.find(town.context(), emailOf(invite.email)))?.id ?? '' },
    town.context().now(),
    new Date(town.context().now().getTime() + HOUR),
  );
  const account = await joinWith(town.context(), code.reveal());
  const invented = await AdminClient.of(town, account);
  const early = await invented.call('recovery list');
  t.is(early.status, 403, 'no role acts yet');
  const from = new Date(String(early.body['from'])).getTime() - Date.now();
  t.true(from > 23 * HOUR && from <= 24 * HOUR, 'and it is told when one does');

  const told = async (text: RegExp) => {
    for (let tries = 0; tries < 200; tries += 1) {
      const mails = town.mail.mails.slice(sent).filter((mail) => text.test(mail.text));
      if (mails.some((mail) => mail.to.includes(auditor.member.email))) return true;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return false;
  };
  t.true(await told(/schluessel staff object erfunden@stadt\.example --commit/));

  t.is((await chief.client.call('staff confirm', { email: invite.email, commit: true })).body['reason'], 'own-grant');
  const db = town.context().db;
  const id = (await staff.find(town.context(), emailOf(invite.email)))?.id ?? '';
  await t.throwsAsync(
    db('staff_roles')
      .where({ staff_id: id })
      .update({ acts_from: new Date(0) }),
    {
      message: /second chief/,
    },
  );
  await t.throwsAsync(
    db('staff_roles')
      .where({ staff_id: id })
      .update({ acts_from: new Date(0), confirmed_by: chief.member.id }),
    { message: /staff_roles_second_chief/ },
  );
  t.is((await auditor.client.call('staff object', { email: invite.email, commit: true })).status, 200);
  t.deepEqual(await rolesAt(account, 48), [], 'the roles are gone for good');
  t.is(
    (await auditor.client.call('staff object', { email: chief.member.email, commit: true })).body['reason'],
    'not-waiting',
  );
});

test.serial('a role acts when its time has come, or when a second chief vouches for the person', async (t) => {
  const person = await makeMember(town.context(), ['clerk'], { by: chief.member.id, waitHours: 24 });
  const client = await AdminClient.of(town, person.account);
  t.is((await client.call('recovery list')).status, 403);
  t.deepEqual(await rolesAt(person.account, 23), []);
  t.deepEqual(await rolesAt(person.account, 25), ['clerk']);
  const second = await hire('chief');
  t.is((await second.client.call('staff confirm', { email: person.email, commit: true })).status, 200);
  t.is((await client.call('recovery list')).status, 200);
  await chief.client.call('staff grant', { email: person.email, role: 'approver', commit: true });
  const input = { kennung: 'XX', reason: 'other', ticket: 'T' };
  t.is((await client.call('account unlock', input)).status, 403);
  const member = (await chief.client.call('staff list')).body['staff'] as {
    email: string;
    waiting: { role: string }[];
  }[];
  t.deepEqual(
    member.find(({ email }) => email === person.email)?.waiting.map(({ role }) => role),
    ['approver'],
  );
  t.is((await client.call('staff confirm', { email: person.email, commit: true })).status, 403, 'not by a clerk');
  t.is((await second.client.call('staff confirm', { email: person.email, commit: true })).status, 200);
  t.is((await client.call('account unlock', input)).status, 409, 'refused for the account, no longer for the role');
});
