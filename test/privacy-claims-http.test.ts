/** What services get over HTTP is within what is registered, allowed by the citizen, and asked for; whatever they ask. */

import test from 'ava';
import fc from 'fast-check';
import { decodeJwt } from 'jose';
import * as attributes from '../accounts/attributes.ts';
import * as claims from '../accounts/claims.ts';
import { inTransaction } from '../accounts/context.ts';
import { sealOf } from '../accounts/data-key.ts';
import type { AccountId } from '../accounts/ids.ts';
import type { Registration } from '../accounts/town.ts';
import { serviceWith } from './harness/registration.ts';
import { addCitizen, atHome, basic, pkce, post, userinfo } from './harness/relying-party.ts';
import { type RunningTown, startTown } from './harness/town.ts';
import { Visitor } from './harness/visitor.ts';

const CREDENTIALS = { email: 'alles@buerger.example', password: 'elf silberne Teekannen' };
const ALL = Object.keys(claims.CLAIM_CATALOGUE);
const SERVICES = 8;
const RUNS = 30;
/** What a token may say beside the citizen's data. */
const OF_THE_PROTOCOL = {
  id_token: ['sub', 'aud', 'exp', 'iat', 'iss', 'nonce', 'auth_time', 'acr', 'amr', 'sid', 'at_hash'],
  introspection: ['active', 'sub', 'client_id', 'exp', 'iat', 'sid', 'iss', 'jti', 'aud', 'scope', 'token_type'],
};

const serviceOf = (at: number, uses: readonly { claim: string; required: boolean }[]): Registration =>
  serviceWith(`dienst${at}`, {
    organisation: at % 2 === 0 ? 'stadt' : 'werke',
    redirectUris: [`https://dienst${at}.example/callback`],
    claims: uses.map((use) => ({
      ...use,
      purpose: { de: 'Zweck', en: 'Purpose' },
      legalBasis: { de: 'Gesetz', en: 'Law' },
    })),
    refreshTokens: true,
  });

/** So that what somebody has checked is among what is asked for. */
const VERIFIED = ['verified_claims', 'birthdate', 'address'].map((claim) => ({ claim, required: false }));

const services = fc
  .sample(fc.array(fc.record({ claim: fc.constantFrom(...ALL), required: fc.boolean() }), { maxLength: 12 }), SERVICES)
  .map((uses, at) =>
    serviceOf(at, [...new Map([...(at % 2 === 0 ? VERIFIED : []), ...uses].map((use) => [use.claim, use])).values()]),
  );

const WITHOUT = serviceOf(SERVICES, []);

let town: RunningTown;
let account: AccountId;

test.before(async () => {
  town = await startTown({ registrations: [...services, WITHOUT] });
  account = await addCitizen(town, CREDENTIALS.email, CREDENTIALS.password);
  const address = { street_address: 'Markt 1', postal_code: '33330', locality: 'Teststadt' };
  await attributes.record(town.context(), account, { given_name: 'Erika', family_name: 'Mustermann' }, 'self');
  await inTransaction(town.context(), async (tx) => {
    const seal = await sealOf(tx, account);
    if (seal === undefined) throw new Error('no seal');
    await attributes.write(tx, account, seal, { birthdate: '1980-01-02', address }, 'counter', 'substantial');
  });
});

test.after.always(() => town?.close());

const visitor = new Visitor();

type Asked = { scopes: string[]; parameter: { userinfo?: object; id_token?: object }; ticks: string[] };

/** Walks through consent with the given boxes ticked; everything that the service got, and what the citizen allowed. */
const visit = async (service: Registration, { scopes, parameter, ticks }: Asked) => {
  const proof = pkce();
  const url = new URL('/auth', town.issuer);
  const [redirect = ''] = service.redirectUris;
  url.search = new URLSearchParams({
    client_id: service.clientId,
    response_type: 'code',
    redirect_uri: redirect,
    scope: ['openid', ...scopes].join(' '),
    // Without either member the parameter is refused.
    ...(Object.keys(parameter).length > 0 && { claims: JSON.stringify(parameter) }),
    prompt: 'consent',
    code_challenge: proof.challenge,
    code_challenge_method: 'S256',
  }).toString();
  let page = await visitor.open(url, atHome(town));
  if (page.text.includes('name="identifier"')) {
    const { email: identifier, password } = CREDENTIALS;
    page = await visitor.submit(page, { identifier, password }, atHome(town));
  }
  const allowed = new Set<string>();
  if (page.text.includes('/consent"')) {
    const boxes = [...page.text.matchAll(/name="claim\.([^"]+)"/g)].map(([, claim = '']) => claim);
    const ticked = boxes.filter((claim) => ticks.includes(claim));
    for (const claim of ticked) allowed.add(claim);
    for (const { claim, required } of service.claims) if (required) allowed.add(claim);
    const fields = Object.fromEntries(ticked.map((claim) => [`claim.${claim}`, 'yes']));
    page = await visitor.submitTo(page, 'consent', fields, atHome(town));
  }
  const { location } = page.headers;
  const code = typeof location === 'string' ? new URL(location).searchParams.get('code') : null;
  if (code === null) throw new Error(`no code: ${location} ${page.status} ${page.text.slice(-4000)}`);
  const fields = { grant_type: 'authorization_code', code, redirect_uri: redirect, code_verifier: proof.verifier };
  const first = await post(town, '/token', fields, basic(town, service.clientId));
  if (first.status !== 200) throw new Error(JSON.stringify(first.body));
  const renewal = { grant_type: 'refresh_token', refresh_token: first.body['refresh_token'] ?? '' };
  const second = await post(town, '/token', renewal, basic(town, service.clientId));
  const got = [];
  for (const { body } of [first, second]) {
    const token = body['access_token'] ?? '';
    got.push({
      idToken: decodeJwt(body['id_token'] ?? '') as Record<string, unknown>,
      userinfo: (await userinfo(town, token)).body as Record<string, unknown>,
      introspection: (await post(town, '/token/introspection', { token }, basic(town, service.clientId)))
        .body as Record<string, unknown>,
    });
  }
  return { got, allowed };
};

const inside = (value: unknown): string[] =>
  [value ?? []].flat().flatMap((one) => Object.keys((one as { claims: object }).claims));

test('nothing is given that is not registered, allowed and asked for, by userinfo, ID token or introspection', async (t) => {
  const names = fc.constantFrom(...ALL, 'phone_number', '__proto__', 'constructor', 'nickname');
  const wish = fc.constantFrom(null, { essential: true }, { value: 'x' }, {});
  const asked = fc.dictionary(names, wish, { maxKeys: 10 });
  const scope = fc.constantFrom('phone', 'offline_access', 'profile', 'email', 'address');
  const standing = new Map<Registration, Set<string>>();
  let given = 0;
  let verified = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...services),
      fc.record({
        scopes: fc.uniqueArray(scope),
        parameter: fc.record({ userinfo: asked, id_token: asked }, { requiredKeys: [] }),
        ticks: fc.subarray(ALL),
      }),
      async (service, what) => {
        const { got, allowed } = await visit(service, what);
        const registered = new Set(service.claims.map(({ claim }) => claim));
        const parameter = [what.parameter.userinfo, what.parameter.id_token].flatMap((one) => Object.keys(one ?? {}));
        const scoped = what.scopes.flatMap(
          (name) => (claims.SCOPE_CLAIMS as Readonly<Record<string, readonly string[]>>)[name] ?? [],
        );
        const wanted = new Set([...parameter, ...scoped]);
        // What this request leaves out stays as it was decided before.
        const before = [...(standing.get(service) ?? [])].filter((claim) => !wanted.has(claim));
        const decided = new Set([...before, ...allowed].filter((claim) => before.includes(claim) || wanted.has(claim)));
        standing.set(service, decided);
        for (const { idToken, userinfo: info, introspection } of got) {
          t.deepEqual(
            Object.keys(idToken).filter((name) => !OF_THE_PROTOCOL.id_token.includes(name)),
            [],
          );
          t.deepEqual(
            Object.keys(introspection).filter((name) => !OF_THE_PROTOCOL.introspection.includes(name)),
            [],
          );
          for (const claim of Object.keys(info).filter((name) => name !== 'sub')) {
            t.true(
              registered.has(claim) && allowed.has(claim) && wanted.has(claim),
              `${claim} ${JSON.stringify(what)}`,
            );
            given += 1;
          }
          for (const claim of inside(info['verified_claims'])) {
            t.true(registered.has(claim) && decided.has(claim), `${claim} within verified_claims`);
            verified += 1;
          }
        }
      },
    ),
    { numRuns: RUNS, endOnFailure: true, includeErrorInReport: true },
  );
  t.true(given > 10, `the property is about values that were given: ${given}`);
  t.log(`${given} claims given, ${verified} of them verified`);
});

test('discovery names what of Identity Assurance works, and no more', async (t) => {
  const { text } = await new Visitor().send(new URL('/.well-known/openid-configuration', town.issuer));
  const metadata = JSON.parse(text) as Record<string, unknown>;
  t.true(metadata['verified_claims_supported']);
  t.deepEqual(metadata['trust_frameworks_supported'], ['eidas']);
  t.deepEqual(
    (metadata['claims_in_verified_claims_supported'] as string[]).sort(),
    [
      ...['address', 'age_over_12', 'age_over_14', 'age_over_16', 'age_over_18', 'age_over_65', 'birthdate'],
      ...['family_name', 'given_name', 'name', 'postal_code_area', 'resident'],
    ].sort(),
  );
  t.is(metadata['evidence_supported'], undefined, 'no evidence is handed out');
  t.true((metadata['claims_supported'] as string[]).includes('verified_claims'));
  t.true(metadata['claims_parameter_supported']);
});

test('the time of a sign-in is told only where it is due: all services of one session would have it in common', async (t) => {
  const times = async (more: Record<string, string>): Promise<unknown> => {
    const proof = pkce();
    const url = new URL('/auth', town.issuer);
    const [redirect = ''] = WITHOUT.redirectUris;
    url.search = new URLSearchParams({
      client_id: WITHOUT.clientId,
      response_type: 'code',
      redirect_uri: redirect,
      scope: 'openid',
      code_challenge: proof.challenge,
      code_challenge_method: 'S256',
      ...more,
    }).toString();
    let page = await own.open(url, atHome(town));
    if (page.text.includes('name="identifier"')) {
      const { email: identifier, password } = CREDENTIALS;
      page = await own.submit(page, { identifier, password }, atHome(town));
    }
    const code = new URL(String(page.headers['location'])).searchParams.get('code') ?? '';
    const fields = { grant_type: 'authorization_code', code, redirect_uri: redirect, code_verifier: proof.verifier };
    const { body } = await post(town, '/token', fields, basic(town, WITHOUT.clientId));
    return decodeJwt(body['id_token'] ?? '')['auth_time'];
  };
  const own = new Visitor();
  const asked = (wish: unknown) => ({ claims: JSON.stringify({ id_token: { auth_time: wish } }) });
  t.is(await times({}), undefined);
  t.is(await times(asked(null)), undefined);
  t.is(await times(asked({ essential: false })), undefined);
  t.is(typeof (await times(asked({ essential: true }))), 'number');
  t.is(typeof (await times({ max_age: '1000' })), 'number');
});
