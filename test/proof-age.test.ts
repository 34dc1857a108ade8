/** Proofs of identity grow old: the level falls, what they vouched for is asked anew, and the citizen is told. */
import test from 'ava';
import { ACR } from '../accounts/assurance.ts';
import * as attributes from '../accounts/attributes.ts';
import { released } from '../accounts/claims.ts';
import type { Context } from '../accounts/context.ts';
import { sealOf } from '../accounts/data-key.ts';
import { enrolled, proofingOf, recordProofing } from '../accounts/factors.ts';
import type { AccountId } from '../accounts/ids.ts';
import type { Registration } from '../accounts/town.ts';
import { ASK, Stage } from './harness/sign-in.ts';
import { TEST_TOWN } from './harness/town.ts';

const DAY_MS = 86_400_000;
const ADDRESS = { street_address: 'Musterweg 7', postal_code: '33330', locality: 'Teststadt' };
const ELSEWHERE = { street_address: 'Anderweg 1', postal_code: '10115', locality: 'Berlin' };

let stage: Stage;

test.before(async () => {
  stage = await Stage.start({ town: { ...TEST_TOWN, proofDays: { identity: 700, residence: 365, names: 1000 } } });
});
test.serial.beforeEach(() => stage.resetClock());
test.after.always(() => stage?.town.close());

const days = { identity: 700, residence: 365, names: 1000 };
const inDays = (count: number): Context => ({
  ...stage.town.context(),
  proofDays: days,
  now: () => new Date(Date.now() + count * DAY_MS),
});
const prove = async (ctx: Context, account: AccountId, values: attributes.Attributes): Promise<void> => {
  const seal = await sealOf(ctx, account);
  if (seal === undefined) throw new Error('no seal');
  await attributes.write(ctx, account, seal, values, 'eid', 'high');
};
const claims = (ctx: Context, account: AccountId) =>
  released(ctx, account, { organisation: 'stadt' }, ['resident', 'address', 'name', 'verified_claims'], TEST_TOWN);

test.serial(
  'the level of an account falls when its proof of identity is too old; a newer one counts, a weaker one too',
  async (t) => {
    const { account } = await stage.newPerson();
    const level = async (count: number) => (await enrolled(inDays(count), account)).proofing;
    t.is(await level(0), 'basis');
    await recordProofing(inDays(0), account, 'high');
    t.is(await level(699), 'high');
    t.is(await level(701), 'basis');
    await recordProofing(inDays(300), account, 'substantial');
    t.is(await level(699), 'high', 'the better one stands as long as it is believed');
    await recordProofing(inDays(701), account, 'substantial');
    t.is(await level(702), 'substantial');
    t.is(await level(1402), 'basis');
    const { until } = (await proofingOf(inDays(702), account)) ?? {};
    t.is(Math.round(((until?.getTime() ?? 0) - Date.now()) / DAY_MS), 1401);
  },
);

test.serial('where somebody lives is believed for a year; names for as long as the town says', async (t) => {
  const { account } = await stage.newPerson();
  await prove(inDays(0), account, { given_name: 'Ida', family_name: 'Muster', address: ADDRESS });
  const fresh = await claims(inDays(364), account);
  t.is(fresh['resident'], true);
  t.deepEqual(Object.keys((fresh['verified_claims'] as { claims: object }).claims).sort(), [
    'address',
    'name',
    'resident',
  ]);
  const old = await claims(inDays(366), account);
  t.is(old['resident'], undefined);
  t.truthy(old['address'], 'it is still known, as something that nobody vouches for');
  t.deepEqual(Object.keys((old['verified_claims'] as { claims: object }).claims), ['name']);
  t.is((await claims(inDays(1001), account))['verified_claims'], undefined);
});

test.serial('a citizen corrects what is proofed no more, and only that', async (t) => {
  const { account } = await stage.newPerson();
  await prove(inDays(0), account, { given_name: 'Ida', address: ADDRESS });
  const typed = { given_name: 'Eva', address: ELSEWHERE };
  await attributes.record(inDays(300), account, typed, 'self');
  t.deepEqual(await attributes.read(inDays(300), account), { given_name: 'Ida', address: ADDRESS });
  await attributes.record(inDays(366), account, typed, 'self');
  t.deepEqual(await attributes.read(inDays(366), account), { given_name: 'Ida', address: ELSEWHERE });
  t.is((await claims(inDays(366), account))['resident'], false);
  t.deepEqual(
    (await attributes.proofs(inDays(366), account)).map(({ name }) => name),
    ['given_name'],
  );
});

test.serial(
  'the sign-in follows, the page of the account says it, and a service asks again for where one lives',
  async (t) => {
    const person = await stage.newPerson();
    await recordProofing(inDays(-690), person.account, 'substantial');
    await prove(inDays(-400), person.account, { address: ADDRESS });
    const visit = await stage.visit().open({ claims: ASK });
    await visit.signIn(person);
    t.is((await visit.claims())['acr'], ACR.low);
    const page = await visit.visitor.send(new URL('/konto', stage.town.issuer));
    t.regex(page.text, /Vertrauensniveau substantiell: am .*, gilt bis/);
    t.regex(page.text, /Anschrift: am .*, abgelaufen am/);
    await stage.town
      .context()
      .db('accounts')
      .where({ id: person.account })
      .update({ proofed_at: inDays(-701).now() });
    const over = await stage.visit(visit.visitor).open({ claims: ASK });
    t.is((await over.claims())['acr'], ACR.basis, 'in the running session as well');
    const told = await visit.visitor.send(new URL('/konto', stage.town.issuer));
    t.regex(told.text, /Vertrauensniveau substantiell: am .*, abgelaufen am/);

    const registration: Registration = { ...(stage.town.registrations[1] as Registration) };
    const use = {
      claim: 'resident',
      purpose: { de: 'Einwohnertarif' },
      legalBasis: { de: 'Art. 6 Abs. 1 Buchst. a DSGVO' },
      required: true,
    };
    await stage.town
      .context()
      .db('clients')
      .where({ client_id: 'fahrkarte' })
      .update({ registration: JSON.stringify({ ...registration, claims: [use] }) });
    await stage.town.context().db.raw("SELECT pg_notify('registrations', '')");
    const again = await stage.visit(visit.visitor);
    const wanted = { claims: JSON.stringify({ userinfo: { resident: null } }) };
    const deadline = Date.now() + 10_000;
    do await again.open(wanted);
    while (!again.page?.text.includes('name="street_address"') && Date.now() < deadline);
    t.true(again.now.text.includes('name="street_address"'), again.heading);
    await again.send('details', ADDRESS);
    t.regex(again.now.text, /wohnt in der Stadt/);
  },
);
