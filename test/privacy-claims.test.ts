import test from 'ava';
import fc from 'fast-check';
import * as accounts from '../accounts/accounts.ts';
import * as attributes from '../accounts/attributes.ts';
import * as claims from '../accounts/claims.ts';
import * as consents from '../accounts/consents.ts';
import { parseClientId } from '../accounts/ids.ts';
import type { ClaimUse } from '../accounts/town.ts';
import { type Proofs, verifiedClaims } from '../accounts/verified-claims.ts';
import { checkLeastData } from '../adapters/claim-rules.ts';
import { readSource } from '../adapters/town-source.ts';
import { emailOf, openDomain, registrationOf, TOWN } from './harness/domain.ts';

const ALL = Object.keys(claims.CLAIM_CATALOGUE);
const use = (claim: string, changes: Partial<ClaimUse> = {}): ClaimUse => ({
  claim,
  purpose: { de: 'Bearbeitung' },
  legalBasis: { de: 'Gesetz' },
  required: false,
  ...changes,
});

test('what a service gets is within what is registered and what was allowed, whatever it asks for', async (t) => {
  const domain = await openDomain();
  t.teardown(domain.database.drop);
  const { ctx } = domain;
  const registered = await accounts.register(ctx, {
    town: TOWN,
    language: 'de',
    email: emailOf('erika@beispiel.example'),
    credential: { kind: 'password', hash: { hash: 'x', pepperVersion: 1 } },
  });
  if (registered.outcome !== 'registered') throw new Error(registered.outcome);
  const { account } = registered;
  const address = { street_address: 'Markt 1', postal_code: '33330', locality: 'Gütersloh' };
  const person = { given_name: 'Erika', family_name: 'Mustermann', birthdate: '1980-01-02', address };
  await attributes.record(ctx, account, person, 'self');
  const clientId = parseClientId('bibliothek');
  if (clientId === undefined) throw new Error('no client id');

  const names = fc.uniqueArray(fc.constantFrom(...ALL));
  const asked = fc.dictionary(
    fc.constantFrom(...ALL, 'sub', 'phone_number', '__proto__', 'constructor'),
    fc.jsonValue(),
  );
  let given = 0;
  await fc.assert(
    fc.asyncProperty(
      names,
      names,
      fc.array(fc.constantFrom('openid', 'phone', 'offline_access', ...Object.keys(claims.SCOPE_CLAIMS))),
      fc.record({ userinfo: asked, id_token: asked }, { requiredKeys: [] }),
      async (inRegistration, wished, scopes, parameter) => {
        const registration = registrationOf({ claims: inRegistration.map((claim) => use(claim)) });
        const requested = claims.requestedClaims(registration, scopes.join(' '), JSON.stringify(parameter));
        const allowed = requested.filter((claim) => wished.includes(claim));
        await consents.record(ctx, account, registration, {
          given: allowed,
          refused: requested.filter((claim) => !allowed.includes(claim)),
        });
        const consent = await consents.find(ctx, account, clientId);
        const released = await claims.released(ctx, account, registration, consent?.given ?? [], TOWN);
        for (const claim of Object.keys(released)) {
          t.true(inRegistration.includes(claim) && allowed.includes(claim), claim);
          given += 1;
        }
      },
    ),
    { numRuns: 150 },
  );
  t.true(given > 50, 'the property is about values that were given');
});

test('verified claims are the given ones that somebody has proofed, together by level and day', (t) => {
  const proofs: Proofs = {
    given_name: { level: 'substantial', on: '2026-03-01' },
    family_name: { level: 'substantial', on: '2026-03-01' },
    address: { level: 'high', on: '2026-05-09' },
  };
  const given = [
    { claim: 'name', from: ['given_name', 'family_name'], value: 'Erika Mustermann' },
    { claim: 'resident', from: ['address'], value: true },
    { claim: 'birthdate', from: ['birthdate'], value: '1980-01-02' },
  ] as const;
  const name = {
    verification: { trust_framework: 'eidas', assurance_level: 'substantial', time: '2026-03-01T00:00:00Z' },
    claims: { name: 'Erika Mustermann' },
  };
  t.deepEqual(verifiedClaims(proofs, given.slice(0, 1)), name);
  t.deepEqual(verifiedClaims(proofs, given), [
    name,
    {
      verification: { trust_framework: 'eidas', assurance_level: 'high', time: '2026-05-09T00:00:00Z' },
      claims: { resident: true },
    },
  ]);
  t.is(verifiedClaims({}, given), undefined);
  const half = { ...proofs, family_name: { level: 'low', on: '2026-01-31' } } as const;
  t.deepEqual(verifiedClaims(half, given.slice(0, 1)), {
    verification: { trust_framework: 'eidas', assurance_level: 'low', time: '2026-01-31T00:00:00Z' },
    claims: { name: 'Erika Mustermann' },
  });

  const person: claims.Person = {
    attributes: { given_name: 'Erika', family_name: 'Mustermann' },
    proofs,
    language: 'de',
    subject: 'x',
    town: TOWN,
  };
  const both = claims.claimValues(person, ['given_name', 'verified_claims'], new Date());
  t.deepEqual(
    (both['verified_claims'] as { claims: object }).claims,
    { given_name: 'Erika' },
    'never more than is given',
  );
  t.deepEqual(claims.claimValues(person, ['verified_claims'], new Date()), {});
});

const faultsOf = (...uses: ClaimUse[]): string[] => {
  const file = new URL('../infra/towns/guetersloh/services/buergerportal.yaml', import.meta.url).pathname;
  const source = readSource(file);
  checkLeastData(source, registrationOf({ claims: uses }));
  return source.faults.map(({ reason }) => reason);
};

test('raw data is refused where a claim that says less serves', (t) => {
  const because = { rawBecause: { de: 'Das Gesetz verlangt den Tag', en: 'The law demands the day' } };
  t.deepEqual(faultsOf(use('email'), use('age_over_18'), use('resident'), use('name')), []);
  t.deepEqual(faultsOf(use('birthdate', because), use('address', because)), []);
  t.regex(faultsOf(use('birthdate'))[0] ?? '', /raw_because/);
  t.regex(faultsOf(use('address'))[0] ?? '', /resident, postal_code_area/);
  t.regex(faultsOf(use('address', because), use('resident'))[0] ?? '', /resident is registered as well/);
  const served: [ClaimUse, RegExp][] = [
    [use('birthdate', { ...because, purpose: { de: 'Prüfung, ob Sie volljährig sind' } }), /age_over_18/],
    [use('birthdate', { ...because, purpose: { de: 'x', en: 'Minimum age of the event' } }), /age_over/],
    [use('birthdate', { ...because, purpose: { de: 'Seniorenermäßigung' } }), /age_over_65/],
    [use('address', { ...because, purpose: { de: 'Nur wer in der Stadt wohnt' } }), /resident/],
    [use('address', { ...because, purpose: { de: 'Statistik des Einzugsgebiets' } }), /postal_code_area|resident/],
    [use('name', { purpose: { de: 'Anrede' } }), /given_name/],
  ];
  for (const [claim, expected] of served) t.regex(faultsOf(claim)[0] ?? '', expected, JSON.stringify(claim.purpose));
});
