import test from 'ava';
import fc from 'fast-check';
import * as accounts from '../accounts/accounts.ts';
import * as attributes from '../accounts/attributes.ts';
import * as claims from '../accounts/claims.ts';
import * as consents from '../accounts/consents.ts';
import type { Context } from '../accounts/context.ts';
import { type ClientId, parseClientId } from '../accounts/ids.ts';
import { emailOf, everythingStored, openDomain, registrationOf, TOWN } from './harness/domain.ts';

const register = async (ctx: Context, email?: string) => {
  const credential = { kind: 'password', hash: { hash: 'x', pepperVersion: 1 } } as const;
  const wanted = { town: TOWN, language: 'de', credential, ...(email === undefined ? {} : { email: emailOf(email) }) };
  const registered = await accounts.register(ctx, wanted);
  if (registered.outcome !== 'registered') throw new Error(registered.outcome);
  return registered.account;
};

const LIBRARY = parseClientId('bibliothek') as ClientId;

test('a consent is found again by account and service, and by nobody who reads the database', async (t) => {
  const domain = await openDomain();
  const { ctx } = domain;
  const [erika, max] = [await register(ctx), await register(ctx)];
  const registration = registrationOf();
  t.is(await consents.find(ctx, erika, LIBRARY), undefined);
  await consents.record(ctx, erika, registration, { given: ['given_name'], refused: ['age_over_16'] });
  const digest = consents.registrationDigest(registration);
  t.deepEqual(await consents.find(ctx, erika, LIBRARY), {
    digest,
    given: ['given_name'],
    refused: ['age_over_16'],
    since: '2026-11-21',
  });
  t.is(await consents.find(ctx, max, LIBRARY), undefined);
  const stored = await everythingStored(domain);
  for (const trace of ['bibliothek', 'given_name', digest]) t.false(stored.includes(trace), trace);

  await consents.record(ctx, erika, registration, { given: ['given_name', 'age_over_16'], refused: [] });
  t.deepEqual((await consents.find(ctx, erika, LIBRARY))?.refused, []);
  t.is((await ctx.db('consents')).length, 1);
  await t.throwsAsync(consents.record(ctx, erika, registration, { given: ['email'], refused: [] }));
  await domain.database.drop();
});

test('a citizen is asked again when what was shown has changed, and not otherwise', (t) => {
  const registration = registrationOf();
  const consent = {
    digest: consents.registrationDigest(registration),
    given: ['given_name'],
    refused: ['age_over_16'],
    since: '2026-11-21',
  };
  t.false(consents.isDue(undefined, registration, []));
  t.true(consents.isDue(undefined, registration, ['given_name']));
  t.false(consents.isDue(consent, registration, ['given_name', 'age_over_16']));
  t.true(consents.isDue({ ...consent, refused: [] }, registration, ['given_name', 'age_over_16']));
  t.true(consents.isDue({ ...consent, given: [], refused: ['given_name'] }, registration, ['given_name']));

  const unseen = registrationOf({ redirectUris: ['https://bibliothek.example/neu'], contacts: [] });
  t.false(consents.isDue(consent, unseen, ['given_name']));
  const [first, second] = registration.claims;
  if (first === undefined || second === undefined) return t.fail();
  const changes = [
    { name: { de: 'Bücherei' } },
    { organisation: 'stadt' },
    { claims: [{ ...first, purpose: { de: 'Werbung' } }, second] },
    { claims: [{ ...first, legalBasis: { de: 'Gesetz' } }, second] },
    { claims: [first, { ...second, required: true }] },
    { claims: [first] },
  ];
  for (const change of changes)
    t.true(consents.isDue(consent, registrationOf(change), ['given_name']), JSON.stringify(change));
});

test('only what is both asked for and registered is requested', (t) => {
  const use = (claim: string) => ({ claim, purpose: { de: 'x' }, legalBasis: { de: 'y' }, required: false });
  const registration = registrationOf({ claims: ['email', 'name', 'age_over_18', 'address'].map(use) });
  t.deepEqual(claims.requestedClaims(registration, 'openid'), []);
  t.deepEqual(claims.requestedClaims(registration, 'openid email profile phone'), ['email', 'name']);
  const parameter = JSON.stringify({
    userinfo: { age_over_18: null, birthdate: { essential: true } },
    id_token: { address: null },
  });
  t.deepEqual(claims.requestedClaims(registration, 'openid', parameter), ['age_over_18', 'address']);
  for (const odd of ['', '{', 'null', '[]', '7', '{"userinfo":"email"}']) {
    t.deepEqual(claims.requestedClaims(registration, 'openid', odd), []);
  }
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.constantFrom(...Object.keys(claims.CLAIM_CATALOGUE))),
      fc.array(fc.constantFrom('openid', ...Object.keys(claims.SCOPE_CLAIMS))),
      fc.jsonValue(),
      (registered, scope, json) => {
        const narrowed = registrationOf({ claims: registered.map(use) });
        const requested = claims.requestedClaims(narrowed, scope.join(' '), JSON.stringify(json));
        t.true(requested.every((claim) => registered.includes(claim)));
      },
    ),
  );
});

const person = (changes: Partial<claims.Person> = {}): claims.Person => ({
  attributes: {
    given_name: 'Erika',
    family_name: 'Mustermann',
    birthdate: '2008-02-29',
    address: { recipient: 'E. M.', street_address: 'Berliner Straße 70', postal_code: '33330', locality: 'GÜTERSLOH' },
  },
  email: 'erika@beispiel.example',
  language: 'de',
  subject: 'Ab_-0123456789abcdefghijklmnopqrstuvwxyz',
  town: TOWN,
  ...changes,
});

test('every claim has a value where there is something to say, and none otherwise', (t) => {
  const all = Object.keys(claims.CLAIM_CATALOGUE);
  const now = new Date('2026-11-21T10:00:00Z');
  t.deepEqual(claims.claimValues(person(), all, now), {
    given_name: 'Erika',
    family_name: 'Mustermann',
    name: 'Erika Mustermann',
    preferred_username: 'b-ab0123456789',
    email: 'erika@beispiel.example',
    email_verified: true,
    birthdate: '2008-02-29',
    address: {
      formatted: 'Berliner Straße 70\n33330 GÜTERSLOH',
      street_address: 'Berliner Straße 70',
      postal_code: '33330',
      locality: 'GÜTERSLOH',
    },
    locale: 'de',
    age_over_12: true,
    age_over_14: true,
    age_over_16: true,
    age_over_18: true,
    age_over_65: false,
    resident: true,
    postal_code_area: '333',
  });
  const { email: _, ...silent } = person({ attributes: {} });
  t.deepEqual(claims.claimValues(silent, all, now), { preferred_username: 'b-ab0123456789', locale: 'de' });
  t.deepEqual(claims.claimValues(person(), ['constructor', 'sub', '__proto__'], now), {});
});

test('an age is reached on the civil day of the town; born on 29 February, on 1 March', (t) => {
  const adult = (now: string) => claims.claimValues(person(), ['age_over_18'], new Date(now))['age_over_18'];
  t.false(adult('2026-02-28T22:59:59Z'));
  t.true(adult('2026-02-28T23:00:00Z'));
});

test('a town further away is not this one', (t) => {
  const address = { street_address: 'Markt 1', postal_code: '33378', locality: 'Rheda-Wiedenbrück' };
  t.deepEqual(claims.claimValues(person({ attributes: { address } }), ['resident'], new Date()), { resident: false });
});

test('what is released is what was allowed, with a user name that two organisations cannot compare', async (t) => {
  const domain = await openDomain();
  const { ctx } = domain;
  const account = await register(ctx, 'erika@beispiel.example');
  await attributes.record(ctx, account, { given_name: 'Erika' }, 'self');
  const names = ['given_name', 'preferred_username'];
  const one = await claims.released(ctx, account, registrationOf(), names, TOWN);
  const other = await claims.released(ctx, account, registrationOf({ organisation: 'stadt' }), names, TOWN);
  t.is(one['given_name'], 'Erika');
  t.deepEqual(Object.keys(one), names);
  t.not(one['preferred_username'], other['preferred_username']);
  await ctx.db('accounts').where({ id: account }).update({ data_key: null });
  t.deepEqual(await claims.released(ctx, account, registrationOf(), names, TOWN), {});
  await domain.database.drop();
});
