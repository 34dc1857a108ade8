/** RFC 9470: an API asks for a stronger or fresher sign-in, and gets it. */
import test from 'ava';
import { createRemoteJWKSet, decodeJwt, jwtVerify } from 'jose';
import { ACR } from '../accounts/assurance.ts';
import type { Registration } from '../accounts/town.ts';
import { challengeOf, demoApi } from '../infra/sandbox/demo/api.ts';
import { de } from '../interactions/texts/de.ts';
import { serviceWith } from './harness/registration.ts';
import { basic, post, redeem, type Tokens } from './harness/relying-party.ts';
import { type Person, type ServiceVisit, Stage } from './harness/sign-in.ts';
import { Visitor } from './harness/visitor.ts';

const API = 'https://konto.stadt-a.example/';
const OPAQUE = 'https://akte.stadt-a.example/';
const PLAIN = 'https://auskunft.stadt-a.example/';
const SCOPE = 'konto:lesen';

const api = (clientId: string, identifier: string, tokens: 'jwt' | 'opaque', stepUp: boolean): Registration =>
  serviceWith(clientId, {
    kind: 'api',
    resource: { identifier, scopes: [SCOPE], tokens, ...(stepUp && { stepUp }) },
  });

let stage: Stage;
// A name that the town's certificate has.
const HOST = 'katalog.lesen.example';

test.before(async () => {
  stage = await Stage.start({
    registrations: [
      api('konto', API, 'jwt', true),
      api('akte', OPAQUE, 'opaque', true),
      api('auskunft', PLAIN, 'jwt', false),
    ],
  });
  const { town } = stage;
  const handler = demoApi({
    issuer: town.issuer,
    jwksUri: `${town.issuer}/jwks`,
    audience: API,
    scope: SCOPE,
    acrValues: [ACR.substantial, ACR.high],
    maxAgeSeconds: 900,
  });
  town.front.serve(HOST, (req, res) => void handler(req, res));
});
test.serial.beforeEach(() => stage.resetClock());
test.after.always(() => stage?.town.close());

const forApi = (resource: string, more: Record<string, string> = {}) => ({
  resource,
  scope: `openid ${SCOPE}`,
  ...more,
});
const tokenOf = async (visit: ServiceVisit, resource: string): Promise<Tokens> =>
  redeem(stage.town, 'fahrkarte', visit.callback?.get('code') ?? '', visit.proof.verifier, { resource });
const callApi = async (token: string) => {
  const headers = { authorization: `Bearer ${token}` };
  return new Visitor().send(stage.town.front.origin(HOST), { headers });
};
const introspect = async (client: string, token: string): Promise<Record<string, unknown>> =>
  (await post(stage.town, '/token/introspection', { token }, basic(stage.town, client))).body;
const signedIn = async (person: Person, changes: Record<string, string>): Promise<ServiceVisit> => {
  const visit = await stage.visit().open(changes);
  return visit.signIn(person);
};

test.serial('the API refuses a weak sign-in, says what it wants, and takes the one made for it', async (t) => {
  const person = await stage.newPerson({ proofed: true });
  await stage.town.context().db('backup_codes').where({ account_id: person.account }).delete();
  const weak = await signedIn(person, forApi(API));
  const first = (await tokenOf(weak, API)).body['access_token'] ?? '';
  t.like(decodeJwt(first), { acr: ACR.low });
  const refused = await callApi(first);
  t.is(refused.status, 401);
  const challenge = challengeOf(String(refused.headers['www-authenticate']));
  t.like(challenge, { error: 'insufficient_user_authentication', acr_values: ACR.substantial, max_age: '900' });

  // The client passes on what the API asks for (RFC 9470 §4); only the second factor is missing.
  await stage.addApp(person.account);
  const { acr_values = '', max_age = '' } = challenge;
  const stronger = await stage.visit(weak.visitor).open(forApi(API, { acr_values, max_age }));
  t.is(stronger.heading, de.secondFactor.title);
  await stronger.send('totp', { code: await stage.appCode() });
  const second = (await tokenOf(stronger, API)).body['access_token'] ?? '';
  const accepted = await callApi(second);
  t.is(accepted.status, 200, accepted.text);
  const keys = createRemoteJWKSet(new URL('/jwks', stage.town.issuer));
  const { payload } = await jwtVerify(second, keys, { audience: API, typ: 'at+jwt' });
  t.is(payload['acr'], ACR.substantial);
  t.is(payload['auth_time'], decodeJwt(first)['auth_time'], 'a second factor alone is no new sign-in');
});

test.serial('a citizen whose account cannot reach it comes back with the level there is', async (t) => {
  const person = await stage.newPerson();
  const visit = await signedIn(person, forApi(API, { acr_values: ACR.substantial }));
  t.is(decodeJwt((await tokenOf(visit, API)).body['access_token'] ?? '')['acr'], ACR.basis);
});

test.serial('introspection says level and time to an API with opaque tokens', async (t) => {
  const person = await stage.newPerson({ proofed: true });
  const visit = await signedIn(person, forApi(OPAQUE));
  const token = (await tokenOf(visit, OPAQUE)).body['access_token'] ?? '';
  const answer = await introspect('akte', token);
  t.like(answer, { active: true, acr: ACR.low, aud: OPAQUE });
  t.true(Math.abs(Number(answer['auth_time']) - Date.now() / 1000) < 60);
});

test.serial('nobody else learns level or time: other APIs, userinfo tokens, tokens of a service itself', async (t) => {
  const person = await stage.newPerson({ proofed: true });
  const visit = await signedIn(person, forApi(PLAIN, { acr_values: ACR.low, max_age: '3600' }));
  const plain = decodeJwt((await tokenOf(visit, PLAIN)).body['access_token'] ?? '');
  t.deepEqual([plain['acr'], plain['auth_time']], [undefined, undefined]);
  const own = await stage.visit(visit.visitor).open({ acr_values: ACR.low });
  const { body } = await redeem(stage.town, 'fahrkarte', own.callback?.get('code') ?? '', own.proof.verifier);
  const seen = await introspect('fahrkarte', body['access_token'] ?? '');
  t.true(seen['active'] as unknown as boolean);
  t.deepEqual([seen['acr'], seen['auth_time']], [undefined, undefined]);
  const machine = await post(
    stage.town,
    '/token',
    { grant_type: 'client_credentials', resource: API, scope: SCOPE },
    basic(stage.town, 'auskunft'),
  );
  const inOwnName = decodeJwt(machine.body['access_token'] ?? '');
  t.deepEqual([inOwnName['acr'], inOwnName['auth_time']], [undefined, undefined]);
  const refused = await callApi(machine.body['access_token'] ?? '');
  t.like(challengeOf(String(refused.headers['www-authenticate'])), { error: 'insufficient_user_authentication' });
});
