import test from 'ava';
import * as accounts from '../accounts/accounts.ts';
import * as attributes from '../accounts/attributes.ts';
import * as claims from '../accounts/claims.ts';
import type { Context } from '../accounts/context.ts';
import * as deletion from '../accounts/deletion.ts';
import * as identities from '../accounts/identities.ts';
import { comparable, contradictions } from '../accounts/identity-match.ts';
import { type AccountId, newAccountId } from '../accounts/ids.ts';
import * as notices from '../accounts/notices.ts';
import { everythingStored, openDomain, TOWN } from './harness/domain.ts';

const PASSWORD = {
  kind: 'password',
  hash: { hash: '$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA', pepperVersion: 1 },
} as const;
const ERIKA = { given_name: 'Erika', family_name: 'Mustermann', birthdate: '1964-08-12' };
const card = (identifier: string, known: attributes.Attributes = {}): identities.LinkableProof => ({
  source: 'eid',
  issuer: 'https://bsi.bund.de/eID',
  identifier,
  level: 'high',
  attributes: known,
});
const MAIL = { subject: 'Verknüpft', text: 'Ihr Ausweis.' };
const closing = {
  closing: () => MAIL,
  kept: MAIL,
  emails: { closed: 'older@buerger.example', kept: 'kept@buerger.example' },
};
const linking = { linked: MAIL, email: 'erika@example.org' };

const register = async (ctx: Context, credential: accounts.NewAccount['credential']): Promise<AccountId> => {
  const registered = await accounts.register(ctx, { town: TOWN, language: 'de', credential });
  if (registered.outcome !== 'registered') throw new Error(registered.outcome);
  return registered.account;
};
const stateOf = async (ctx: Context, account: AccountId): Promise<number> =>
  (await accounts.load(ctx, account))?.credentialState ?? -1;
const link = async (ctx: Context, account: AccountId, proof: identities.LinkableProof) =>
  identities.link(ctx, account, await stateOf(ctx, account), proof, linking);

test('a card opens an account without e-mail and password, and signs in to it again', async (t) => {
  const { ctx, database } = await openDomain();
  t.teardown(database.drop);
  t.deepEqual(await identities.signIn(ctx, card('aa')), { outcome: 'unknown' });
  const account = await register(ctx, { kind: 'identity', proof: card('aa', ERIKA) });
  t.deepEqual(await identities.signIn(ctx, card('aa')), { outcome: 'proven', account });
  t.deepEqual(await attributes.read(ctx, account), ERIKA);
  t.deepEqual(await ctx.db('attributes').distinct('source', 'level'), [{ source: 'eid', level: 'high' }]);
  const twice = await accounts.register(ctx, {
    town: TOWN,
    language: 'de',
    credential: { kind: 'identity', proof: card('aa') },
  });
  t.deepEqual(twice, { outcome: 'identity-taken' });
});

test('neither the identifier nor what was read is anywhere in the database in the clear', async (t) => {
  const domain = await openDomain();
  const { ctx, database } = domain;
  t.teardown(database.drop);
  await register(ctx, { kind: 'identity', proof: card('deadbeefdeadbeefdeadbeef', ERIKA) });
  const stored = await everythingStored(domain);
  for (const secret of ['deadbeefdeadbeef', 'Mustermann', '1964-08-12']) t.false(stored.includes(secret), secret);
});

test('the same identifier of another source or issuer is another identity', async (t) => {
  const { ctx, database } = await openDomain();
  t.teardown(database.drop);
  await register(ctx, { kind: 'identity', proof: card('aa') });
  t.is((await identities.signIn(ctx, { ...card('aa'), source: 'bundid' })).outcome, 'unknown');
  t.is((await identities.signIn(ctx, { ...card('aa'), issuer: 'https://other.example' })).outcome, 'unknown');
  t.is((await identities.signIn(ctx, { ...card('aa'), source: 'staff' })).outcome, 'unknown');
});

test('proving adulthood by card stores neither date of birth nor address', async (t) => {
  const { ctx, database } = await openDomain();
  t.teardown(database.drop);
  const account = await register(ctx, {
    kind: 'identity',
    proof: card('aa', { age_over: 18, resident: { lives: true, on: '2026-11-21' } }),
  });
  t.deepEqual(
    (await ctx.db('attributes').orderBy('name').select('name')).map(({ name }) => name),
    ['age_over', 'resident'],
  );
  const person = { attributes: await attributes.read(ctx, account), language: 'de', subject: 'x', town: TOWN };
  const asked = ['age_over_12', 'age_over_18', 'age_over_65', 'resident', 'birthdate', 'address'];
  t.deepEqual(claims.claimValues(person, asked, ctx.now()), { age_over_12: true, age_over_18: true, resident: true });
  // A later, smaller question takes nothing away.
  await identities.proof(ctx, account, card('aa', { age_over: 16 }));
  t.is((await attributes.read(ctx, account)).age_over, 18);
});

test('that somebody lives in the town is believed for a year', async (t) => {
  const { ctx, database, pass } = await openDomain();
  t.teardown(database.drop);
  const proof = card('aa', { resident: { lives: true, on: '2026-11-21' } });
  const account = await register(ctx, { kind: 'identity', proof });
  const resident = () => claims.released(ctx, account, { organisation: 'stadt' }, ['resident'], TOWN);
  pass(364 * 86_400);
  t.deepEqual(await resident(), { resident: true });
  pass(2 * 86_400);
  t.deepEqual(await resident(), {});
  await identities.proof(ctx, account, card('aa', { resident: { lives: false, on: '2027-11-22' } }));
  t.deepEqual(await resident(), { resident: false });
});

test('linking tells the citizen, counts as a change of credentials, and happens once', async (t) => {
  const { ctx, database } = await openDomain();
  t.teardown(database.drop);
  const account = await register(ctx, PASSWORD);
  const state = await stateOf(ctx, account);
  t.deepEqual(await link(ctx, account, card('aa')), { outcome: 'linked', replaced: false });
  t.is(await stateOf(ctx, account), state + 1);
  t.is((await ctx.db('notices')).length, 1);
  t.deepEqual(await link(ctx, account, card('aa')), { outcome: 'linked-before' });
  t.deepEqual(await identities.signIn(ctx, card('aa')), { outcome: 'proven', account });
  const stale = await identities.link(ctx, account, state, card('bb'), linking);
  t.deepEqual(stale, { outcome: 'stale' });
});

test('of 20 parallel links of one card to 20 accounts exactly one succeeds', async (t) => {
  const { ctx, database } = await openDomain({ max: 20 });
  t.teardown(database.drop);
  const all = await Promise.all(Array.from({ length: 20 }, () => register(ctx, PASSWORD)));
  const results = await Promise.allSettled(all.map((account) => link(ctx, account, card('aa'))));
  t.is(results.filter((one) => one.status === 'fulfilled' && one.value.outcome === 'linked').length, 1);
  t.is((await ctx.db('identities')).length, 1);
});

test('a card of somebody else is not linked to an account whose citizen was proofed', async (t) => {
  const { ctx, database } = await openDomain();
  t.teardown(database.drop);
  const account = await register(ctx, PASSWORD);
  await attributes.record(ctx, account, ERIKA, 'counter');
  const other = card('bb', { given_name: 'Hans', family_name: 'Heide', birthdate: '1980-01-01' });
  t.deepEqual(await link(ctx, account, other), {
    outcome: 'contradiction',
    names: ['birthdate', 'given_name', 'family_name'],
  });
  t.deepEqual(await link(ctx, account, card('aa', { ...ERIKA, family_name: 'MUSTERMANN' })), {
    outcome: 'linked',
    replaced: false,
  });
});

test('what the citizen typed in proves nothing, and gives way to what a card says', async (t) => {
  const { ctx, database } = await openDomain();
  t.teardown(database.drop);
  const account = await register(ctx, PASSWORD);
  await attributes.record(ctx, account, { given_name: 'Rikchen' }, 'self');
  t.is((await link(ctx, account, card('aa', ERIKA))).outcome, 'linked');
  t.is((await attributes.read(ctx, account)).given_name, 'Erika');
  await attributes.record(ctx, account, { given_name: 'Rikchen' }, 'self');
  t.is((await attributes.read(ctx, account)).given_name, 'Erika');
});

test('a new card of the same person takes the old one’s place; the old one opens nothing any more', async (t) => {
  const { ctx, database } = await openDomain();
  t.teardown(database.drop);
  const account = await register(ctx, PASSWORD);
  await link(ctx, account, card('aa', ERIKA));
  // Without what names the person, a second card could be anybody's.
  t.is((await link(ctx, account, card('bb'))).outcome, 'contradiction');
  t.deepEqual(await link(ctx, account, card('bb', ERIKA)), { outcome: 'linked', replaced: true });
  t.deepEqual(await identities.signIn(ctx, card('bb')), { outcome: 'proven', account });
  t.deepEqual(await identities.signIn(ctx, card('aa')), { outcome: 'retired' });
  t.is((await link(ctx, account, card('aa', ERIKA))).outcome, 'contradiction');
  t.deepEqual(
    await accounts.register(ctx, { town: TOWN, language: 'de', credential: { kind: 'identity', proof: card('aa') } }),
    { outcome: 'identity-taken' },
  );
});

test('what an older card confirmed without a name is not the new card’s', async (t) => {
  const { ctx, database } = await openDomain();
  t.teardown(database.drop);
  const account = await register(ctx, PASSWORD);
  await link(ctx, account, card('aa', { age_over: 18 }));
  t.deepEqual(await link(ctx, account, card('bb', ERIKA)), { outcome: 'linked', replaced: true });
  t.deepEqual(await attributes.read(ctx, account), ERIKA);
});

test('unlinking never leaves an account without a way in, in parallel neither', async (t) => {
  const { ctx, database } = await openDomain({ max: 10 });
  t.teardown(database.drop);
  const account = await register(ctx, { kind: 'identity', proof: card('aa', ERIKA) });
  const [only] = await identities.list(ctx, account);
  const unlinking = { unlinked: MAIL, email: undefined };
  t.deepEqual(await identities.unlink(ctx, account, only?.id ?? '', unlinking), { outcome: 'last-way-in' });
  await link(ctx, account, { ...card('bpk', ERIKA), source: 'bundid' });
  const two = await identities.list(ctx, account);
  t.is(two.length, 2);
  const results = await Promise.all(two.map(({ id }) => identities.unlink(ctx, account, id, unlinking)));
  t.deepEqual(results.map(({ outcome }) => outcome).toSorted(), ['last-way-in', 'unlinked']);
  t.is((await identities.list(ctx, account)).length, 1);
});

test('nobody unlinks an identity of another account', async (t) => {
  const { ctx, database } = await openDomain();
  t.teardown(database.drop);
  const erika = await register(ctx, { kind: 'identity', proof: card('aa') });
  const hans = await register(ctx, PASSWORD);
  const [identity] = await identities.list(ctx, erika);
  t.deepEqual(await identities.unlink(ctx, hans, identity?.id ?? '', { unlinked: MAIL, email: undefined }), {
    outcome: 'unknown',
  });
});

test('who has two accounts closes one of them, and the identity goes to the other', async (t) => {
  const { ctx, database } = await openDomain();
  t.teardown(database.drop);
  const older = await register(ctx, { kind: 'identity', proof: card('aa', ERIKA) });
  const newer = await register(ctx, PASSWORD);
  t.deepEqual(await link(ctx, newer, card('aa')), { outcome: 'elsewhere', account: older });
  t.deepEqual(await identities.closeOther(ctx, { keep: newer, close: older }, card('bb'), closing), {
    outcome: 'stale',
  });
  t.deepEqual(await identities.closeOther(ctx, { keep: newer, close: older }, card('aa'), closing), {
    outcome: 'closing',
    due: new Date(ctx.now().getTime() + deletion.REGRET_DAYS * 86_400_000),
  });
  t.deepEqual(await identities.signIn(ctx, card('aa')), { outcome: 'proven', account: newer });
  // As any deletion: it can be taken back until its day has come, and the citizen was told.
  t.true(await accounts.isActive(ctx, older));
  const told = await notices.takeDue(ctx, 10);
  t.deepEqual(told.map(({ to }) => to).toSorted(), ['kept@buerger.example', 'older@buerger.example']);
  t.true(await deletion.withdraw(ctx, older));
  await deletion.request(ctx, older, () => undefined);
  const later: Context = { ...ctx, now: () => new Date(ctx.now().getTime() + 15 * 86_400_000) };
  const ending = { service: () => undefined, api: () => undefined, revoke: async () => {} };
  t.is(await deletion.purgeDue(later, ending), 1);
  t.false(await accounts.isActive(ctx, older));
  t.true(await accounts.isActive(ctx, newer));
});

test('a password at BundID does not end an account that is better protected', async (t) => {
  const { ctx, database } = await openDomain();
  t.teardown(database.drop);
  const bundid = (level: identities.IdentityLevel): identities.LinkableProof => ({
    ...card('bpk'),
    source: 'bundid',
    level,
  });
  const older = await register(ctx, PASSWORD);
  t.is((await link(ctx, older, bundid('low'))).outcome, 'linked');
  const newer = await register(ctx, PASSWORD);
  const two = { keep: newer, close: older };
  for (const level of ['none', 'low'] as const)
    t.deepEqual(await identities.closeOther(ctx, two, bundid(level), closing), { outcome: 'weaker' });
  t.is(await identities.accountOf(ctx, bundid('low')), older);
  t.is(await deletion.dueAt(ctx, older), undefined);
  t.is((await identities.closeOther(ctx, two, bundid('substantial'), closing)).outcome, 'closing');

  // Where it is all that there is, its citizen could do no more there.
  const only = await register(ctx, { kind: 'identity', proof: { ...bundid('low'), identifier: 'only' } });
  const proof = { ...bundid('low'), identifier: 'only' };
  t.is((await identities.closeOther(ctx, { keep: newer, close: only }, proof, closing)).outcome, 'closing');
});

test('a locked account is not signed in to, nor linked, nor proofed', async (t) => {
  const { ctx, database } = await openDomain();
  t.teardown(database.drop);
  const account = await register(ctx, { kind: 'identity', proof: card('aa') });
  await ctx.db('accounts').update({ status: 'locked' });
  t.deepEqual(await identities.signIn(ctx, card('aa')), { outcome: 'not-active' });
  t.deepEqual(await link(ctx, account, card('bb')), { outcome: 'stale' });
  t.deepEqual(await identities.proof(ctx, account, card('aa', ERIKA)), { outcome: 'stale' });
});

test('accounts of staff and of citizens never mix', async (t) => {
  const { ctx, database } = await openDomain();
  t.teardown(database.drop);
  const citizen = await register(ctx, { kind: 'identity', proof: card('aa') });
  const upstream = { ...card('k.weber'), source: 'staff', issuer: 'https://login.arbeitgeber.example' } as const;
  t.deepEqual(await link(ctx, citizen, upstream), { outcome: 'wrong-kind' });
  const other = { ...upstream, identifier: 's.yilmaz' };
  const joined = await register(ctx, { kind: 'identity', proof: other });
  t.is((await accounts.load(ctx, joined))?.kind, 'staff');
  // No roles come with it.
  t.is((await ctx.db('staff')).length, 0);
  const staff = newAccountId();
  await accounts.insert(ctx, staff, { town: TOWN, language: 'de', kind: 'staff' });
  t.deepEqual(await link(ctx, staff, card('bb')), { outcome: 'wrong-kind' });
  t.deepEqual(await link(ctx, staff, upstream), { outcome: 'linked', replaced: false });
  t.deepEqual(await identities.signIn(ctx, upstream), { outcome: 'proven', account: staff });
  t.deepEqual(await identities.proof(ctx, staff, card('aa', ERIKA)), { outcome: 'stale' });
  t.deepEqual(await identities.closeOther(ctx, { keep: staff, close: citizen }, card('aa'), closing), {
    outcome: 'stale',
  });
});

test('proofing is by an identity of the account itself, or by a temporary login that contradicts nothing', async (t) => {
  const { ctx, database } = await openDomain();
  t.teardown(database.drop);
  const account = await register(ctx, { kind: 'identity', proof: card('aa') });
  t.deepEqual(await identities.proof(ctx, account, card('zz', ERIKA)), { outcome: 'not-linked' });
  t.deepEqual(await identities.proof(ctx, account, card('aa', ERIKA)), { outcome: 'recorded' });
  const temporary = (known: attributes.Attributes): identities.Proof => ({
    source: 'bundid',
    issuer: 'https://id.bund.example',
    level: 'substantial',
    attributes: known,
  });
  t.is((await identities.proof(ctx, account, temporary({ birthdate: '1970-01-01' }))).outcome, 'contradiction');
  t.deepEqual(await identities.proof(ctx, account, { ...temporary({ given_name: 'Rika' }), level: 'none' }), {
    outcome: 'contradiction',
    names: ['given_name'],
  });
});

test('a source that vouches for nothing changes no value', async (t) => {
  const { ctx, database } = await openDomain();
  t.teardown(database.drop);
  const account = await register(ctx, {
    kind: 'identity',
    proof: { ...card('b', ERIKA), source: 'bundid', level: 'none' },
  });
  t.deepEqual(await attributes.read(ctx, account), {});
  t.is((await ctx.db('audit').where({ event: 'attributes-recorded' })).length, 0);
});

test('names are compared as registers and cards spell them', (t) => {
  t.is(comparable('MUELLER-LUEDENSCHEIDT'), comparable('Müller Lüdenscheidt'));
  t.is(comparable('Groß'), comparable('GROSS'));
  t.is(comparable('Yılmaz'), comparable('YILMAZ'));
  t.not(comparable('Maier'), comparable('Meier'));
  t.deepEqual(contradictions({ given_name: 'Erika' }, { given_name: 'Erika Maria' }), []);
  t.deepEqual(contradictions({ given_name: 'Erika' }, { given_name: 'Maria' }), ['given_name']);
  t.deepEqual(contradictions({ birthdate: '1964-08-12' }, {}), []);
});
