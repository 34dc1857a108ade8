/**
 * An app of one organisation calls APIs of another for a citizen. Each knows the citizen by the pseudonym of its own
 * organisation, and neither gets to see the other's in anything that it is given.
 */
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import test from 'ava';
import { compactDecrypt, createRemoteJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose';
import * as client from 'openid-client';
import * as clients from '../accounts/clients.ts';
import * as consents from '../accounts/consents.ts';
import * as deletion from '../accounts/deletion.ts';
import { exportAccount } from '../accounts/export.ts';
import { type AccountId, type ClientId, parseClientId } from '../accounts/ids.ts';
import * as securityEvents from '../accounts/security-events.ts';
import type { ApiUse, Registration, Resource } from '../accounts/town.ts';
import { createPostgresStore } from '../adapters/oidc-store-postgres.ts';
import { Registrations } from '../provider/registrations.ts';
import { withdrawal } from '../provider/withdrawal.ts';
import { serviceWith } from './harness/registration.ts';
import { addCitizen, atHome, basic, obtainCode, pkce, post, redeem, userinfo } from './harness/relying-party.ts';
import { type RunningTown, startTown, TEST_TOWN } from './harness/town.ts';
import { Visitor } from './harness/visitor.ts';

const CREDENTIALS = { email: 'quer@buerger.example', password: 'sieben bunte Regenschirme' };
const LOANS = 'https://ausleihe.buecher.example/';
const FEES = 'https://gebuehren.buecher.example/';
const SHELVES = 'https://regale.buecher.example/';
const CALLBACK = 'https://app.stadt-a.example/callback';
const SCOPES = ['konto:lesen', 'konto:schreiben'];
const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });

const base = serviceWith('stadtapp', {
  name: { de: 'Stadt-App', en: 'City app' },
  description: { de: 'App der Stadt', en: 'App of the city' },
  kind: 'native',
  redirectUris: [CALLBACK],
  authMethod: 'none',
  refreshTokens: true,
});
const use = (resource: string): ApiUse => ({
  resource,
  scopes: ['konto:lesen'],
  purpose: { de: 'Ausleihen in der App zeigen', en: 'Showing loans in the app' },
  legalBasis: { de: 'Art. 6 Abs. 1 Buchst. a DSGVO', en: 'Art. 6(1)(a) GDPR' },
});
const APP: Registration = { ...base, apis: [LOANS, FEES, SHELVES].map(use) };
const WEB: Registration = {
  ...base,
  clientId: 'stadtweb',
  kind: 'web',
  authMethod: 'client_secret_basic',
  apis: [use(LOANS)],
};
const api = (clientId: string, resource: Omit<Resource, 'scopes'>): Registration => ({
  ...base,
  clientId,
  organisation: 'buecherei',
  name: { de: `Schnittstelle ${clientId}` },
  kind: 'api',
  redirectUris: [],
  authMethod: 'client_secret_basic',
  refreshTokens: false,
  resource: { ...resource, scopes: SCOPES },
  securityEventsUri: 'https://buecher.example/events',
});
const encryptionKey = { ...publicKey.export({ format: 'jwk' }), kid: 'gebuehren-1' };
const APIS: Record<string, Registration> = {
  [LOANS]: api('ausleihe', { identifier: LOANS, tokens: 'opaque' }),
  [FEES]: api('gebuehren', { identifier: FEES, tokens: 'jwt', encryptionKey }),
  [SHELVES]: api('regale', { identifier: SHELVES, tokens: 'jwt' }),
};

let town: RunningTown;
let account: AccountId;
let config: client.Configuration;
let tokens: client.TokenEndpointResponse & client.TokenEndpointResponseHelpers;
let seconds = 0;
const visitor = new Visitor();
/** What the APIs of the library were told, by token. */
const learned: Record<string, unknown>[] = [];
let ours = '';
let theirs = '';

/** An API as its developers would write it: a JWT it opens and checks by itself, anything else it asks about. */
const demoApi = createServer((req, res) => {
  const identifier = String(req.headers['x-api']);
  const token = (req.headers.authorization ?? '').replace(/^Bearer /, '');
  const check = async (): Promise<Record<string, unknown>> => {
    if (token.split('.').length === 5) {
      const { plaintext, protectedHeader } = await compactDecrypt(token, privateKey);
      const inner = Buffer.from(plaintext).toString();
      const keys = createRemoteJWKSet(new URL(`${town.issuer}/jwks`));
      const { payload } = await jwtVerify(inner, keys, {
        issuer: town.issuer,
        audience: identifier,
        typ: 'at+jwt',
      });
      return { ...payload, protectedHeader, header: decodeProtectedHeader(inner) };
    }
    const { clientId = '' } = APIS[identifier] ?? {};
    const own = await client.discovery(
      new URL(town.issuer),
      clientId,
      {},
      client.ClientSecretBasic(town.secretOf(clientId)),
    );
    return client.tokenIntrospection(own, token);
  };
  check().then(
    (found) => {
      learned.push(found);
      res.writeHead(found['active'] === false ? 401 : 200).end(JSON.stringify({ leser: found['sub'] }));
    },
    (error: unknown) => res.writeHead(401).end(String(error)),
  );
});

const callApi = async (
  identifier: string,
  token: string,
): Promise<{ status: number; body: Record<string, unknown> }> => {
  const { port } = demoApi.address() as AddressInfo;
  const answer = await fetch(`http://127.0.0.1:${port}/`, {
    headers: { authorization: `Bearer ${token}`, 'x-api': identifier },
  });
  const text = await answer.text();
  return { status: answer.status, body: text.startsWith('{') ? JSON.parse(text) : { text } };
};

test.before(async () => {
  await new Promise<void>((resolve) => demoApi.listen(0, '127.0.0.1', resolve));
  town = await startTown({
    registrations: [APP, WEB, ...Object.values(APIS)],
    now: () => new Date(Date.now() + seconds * 1000),
  });
  account = await addCitizen(town, CREDENTIALS.email, CREDENTIALS.password);
  ours = town.keys.subject('stadt', account);
  theirs = town.keys.subject('buecherei', account);
  config = await client.discovery(new URL(town.issuer), 'stadtapp', {}, client.None());
});

test.after.always(async () => {
  await town?.close();
  demoApi.close();
});

/** The address of an authorization request by the app, for all three APIs. */
const request = async (verifier: string): Promise<URL> => {
  const parameters = new URLSearchParams({
    redirect_uri: CALLBACK,
    scope: 'openid konto:lesen konto:schreiben',
    state: 'zustand',
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  });
  for (const resource of [LOANS, FEES, SHELVES]) parameters.append('resource', resource);
  return client.buildAuthorizationUrl(config, parameters);
};

const signIn = async (): Promise<typeof tokens> => {
  const verifier = client.randomPKCECodeVerifier();
  let page = await visitor.open(await request(verifier), atHome(town));
  if (page.text.includes('name="identifier"')) {
    const { email: identifier, password } = CREDENTIALS;
    page = await visitor.submit(page, { identifier, password }, atHome(town));
  }
  if (page.text.includes('/consent"')) page = await visitor.submitTo(page, 'consent', {}, atHome(town));
  const callback = new URL(String(page.headers['location']));
  return client.authorizationCodeGrant(
    config,
    callback,
    { pkceCodeVerifier: verifier, expectedState: 'zustand' },
    { resource: LOANS },
  );
};

test.serial('the citizen is asked before an app calls another organisation for them', async (t) => {
  const page = await visitor.open(await request(client.randomPKCECodeVerifier()), atHome(town));
  const { email: identifier, password } = CREDENTIALS;
  const asked = await visitor.submit(page, { identifier, password }, atHome(town));
  for (const shown of ['Stadtbücherei', 'Schnittstelle ausleihe', 'Ausleihen in der App zeigen', 'Stadt-App']) {
    t.true(asked.text.includes(shown), shown);
  }
  t.false(asked.text.includes('welche anderen Dienste'), 'a promise that does not hold here');
  t.is((await consents.list(town.context(), account)).length, 0);
  const refused = await visitor.submitTo(asked, 'deny', {}, atHome(town));
  t.is(new URL(String(refused.headers['location'])).searchParams.get('error'), 'access_denied');
});

test.serial('the API knows the citizen by its own organisation’s name, whatever kind of token it takes', async (t) => {
  tokens = await signIn();
  t.is(tokens.claims()?.sub, ours);
  const first = await callApi(LOANS, tokens.access_token);
  t.deepEqual(first, { status: 200, body: { leser: theirs } });
  t.is(learned.at(-1)?.['scope'], 'konto:lesen', 'what the registration names, not what was asked for');

  tokens = await client.refreshTokenGrant(config, tokens.refresh_token ?? '', { resource: FEES });
  t.is(tokens.access_token.split('.').length, 5, 'encrypted to the API');
  t.true((tokens.expires_in ?? 999) <= 300);
  t.deepEqual(await callApi(FEES, tokens.access_token), { status: 200, body: { leser: theirs } });
  t.like(learned.at(-1), { aud: FEES, client_id: 'stadtapp', header: { typ: 'at+jwt', alg: 'ES256' } });

  tokens = await client.refreshTokenGrant(config, tokens.refresh_token ?? '', { resource: SHELVES });
  t.false(tokens.access_token.includes('.'), 'a JWT that the app could read would tell it the pseudonym');
  t.deepEqual(await callApi(SHELVES, tokens.access_token), { status: 200, body: { leser: theirs } });

  const proof = pkce();
  const code = await obtainCode(town, visitor, 'bibliothek', proof);
  const library = await redeem(town, 'bibliothek', code, proof.verifier);
  t.is(decodeJwt(library.body['id_token'] ?? '').sub, theirs, 'the same name as at the library itself');
});

/** Everything that can be read in a token response, JWTs taken apart. */
const readable = (response: object): string =>
  Object.values(response)
    .flatMap((value) => [
      JSON.stringify(value),
      ...String(value)
        .split('.')
        .map((part) => Buffer.from(part, 'base64url').toString('latin1')),
    ])
    .join('\n');

test.serial('neither gets to see the other’s pseudonym or session', async (t) => {
  const got: object[] = [tokens];
  for (const resource of [LOANS, FEES, SHELVES]) {
    const next = await client.refreshTokenGrant(config, tokens.refresh_token ?? '', { resource });
    got.push({ ...next });
    tokens = next;
    await callApi(resource, next.access_token);
  }
  got.push(await client.tokenIntrospection(config, tokens.access_token));
  t.like(got.at(-1), { active: true, sub: ours }, 'the app that asks is told the name that it knows');
  const ofTheApp = got.map(readable).join('\n');
  t.true(ofTheApp.includes(ours));
  t.false(ofTheApp.includes(theirs));
  const session = decodeJwt(tokens.id_token ?? '')['sid'];
  const ofTheApi = JSON.stringify(learned);
  t.true(ofTheApi.includes(theirs) && learned.length >= 6);
  for (const secret of [ours, account, ...(typeof session === 'string' ? [session] : [])]) {
    t.false(ofTheApi.includes(secret), secret);
  }
  for (const told of learned) {
    const known = ['active', 'aud', 'client_id', 'exp', 'iat', 'iss', 'jti', 'scope', 'sub', 'token_type'];
    t.deepEqual(
      Object.keys(told).filter((name) => ![...known, 'header', 'protectedHeader'].includes(name)),
      [],
    );
  }
});

test.serial('with a session of the app known, the API is not told of it', async (t) => {
  const proof = pkce();
  const parameters = {
    client_id: 'stadtweb',
    redirect_uri: CALLBACK,
    resource: LOANS,
    scope: 'openid konto:lesen',
    claims: JSON.stringify({ id_token: { sid: null } }),
  };
  const url = new URL('/auth', town.issuer);
  url.search = new URLSearchParams({
    ...parameters,
    response_type: 'code',
    code_challenge: proof.challenge,
    code_challenge_method: 'S256',
  }).toString();
  const page = await visitor.open(url, atHome(town));
  const back = await visitor.submitTo(page, 'consent', {}, atHome(town));
  const code = new URL(String(back.headers['location'])).searchParams.get('code') ?? '';
  const fields = { grant_type: 'authorization_code', code, redirect_uri: CALLBACK, resource: LOANS };
  const { body } = await post(town, '/token', { ...fields, code_verifier: proof.verifier }, basic(town, 'stadtweb'));
  const token = body['access_token'] ?? '';
  const { sid } = decodeJwt(body['id_token'] ?? '');
  const own = await post(town, '/token/introspection', { token }, basic(town, 'stadtweb'));
  t.is(typeof sid, 'string');
  t.like(own.body, { sub: ours, sid: sid as string });
  const asked = await post(town, '/token/introspection', { token }, basic(town, 'ausleihe'));
  t.like(asked.body, { sub: theirs, client_id: 'stadtweb' });
  t.is(asked.body['sid'], undefined);
  const others = await post(town, '/token/introspection', { token }, basic(town, 'regale'));
  t.deepEqual(others.body as object, { active: false }, 'a token for another API, of the same organisation');
});

test.serial('a second visit is not asked again; a revoked token ends, one used twice ends them all', async (t) => {
  const again = await visitor.open(await request(client.randomPKCECodeVerifier()), atHome(town));
  t.true(String(again.headers['location']).includes('code='), again.text.slice(0, 500));
  await client.tokenRevocation(config, tokens.access_token);
  t.is((await callApi(SHELVES, tokens.access_token)).status, 401);

  tokens = await signIn();
  const spent = tokens.refresh_token ?? '';
  tokens = await client.refreshTokenGrant(config, spent, { resource: LOANS });
  t.is((await callApi(LOANS, tokens.access_token)).status, 200);
  seconds += 6;
  await t.throwsAsync(client.refreshTokenGrant(config, spent, { resource: LOANS }), {
    code: 'OAUTH_RESPONSE_BODY_ERROR',
  });
  t.is((await callApi(LOANS, tokens.access_token)).status, 401, 'the whole family is over');
  await t.throwsAsync(client.refreshTokenGrant(config, tokens.refresh_token ?? '', { resource: LOANS }));
});

test.serial('the citizen sees it among the own data, withdraws it, and it has ended', async (t) => {
  tokens = await signIn();
  const find = async (clientId: string) => (clientId === 'stadtapp' ? APP : undefined);
  const exported = await exportAccount(town.context(), account, TEST_TOWN, find, 'json');
  const service = exported?.services.find(({ client_id }) => client_id === 'stadtapp');
  t.like(service?.apis[0], { resource: LOANS, given: true, pseudonym: theirs, scopes: ['konto:lesen'] });
  const registrations = new Registrations(town.context, new URL(town.issuer), true);
  await registrations.load();
  const store = createPostgresStore({ pool: town.database.pool, keys: town.keys });
  const withdraw = withdrawal({ context: town.context, registrations, store, wake: () => {} });
  t.is((await callApi(LOANS, tokens.access_token)).status, 200);
  t.is((await withdraw(account, parseClientId('stadtapp') as ClientId)).outcome, 'withdrawn');
  t.is((await callApi(LOANS, tokens.access_token)).status, 401);
  const asked = await visitor.open(await request(client.randomPKCECodeVerifier()), atHome(town));
  t.true(asked.text.includes('/consent"'));
});

test.serial('an app’s own key would be a mark at every organisation: tokens bound to one are refused', async (t) => {
  tokens = await signIn();
  const keys = await client.randomDPoPKeyPair('ES256');
  const bound = client.refreshTokenGrant(
    config,
    tokens.refresh_token ?? '',
    { resource: LOANS },
    { DPoP: client.getDPoPHandle(config, keys) },
  );
  await t.throwsAsync(bound, { code: 'OAUTH_RESPONSE_BODY_ERROR' });
});

test.serial('what the registration does not name is refused, and ends when it is taken out', async (t) => {
  const store = createPostgresStore({ pool: town.database.pool, keys: town.keys });
  tokens = await signIn();
  t.not((await userinfo(town, tokens.access_token)).status, 200, 'a token for an API opens nothing else');
  await clients.apply(
    town.context(),
    [...town.registrations.filter(({ clientId }) => clientId !== 'stadtapp'), { ...APP, apis: [use(FEES)] }].map(
      (registration) => ({ registration }),
    ),
  );
  const refused = async (): Promise<boolean> => {
    try {
      tokens = await client.refreshTokenGrant(config, tokens.refresh_token ?? '', { resource: LOANS });
      return false;
    } catch (error) {
      return (error as { error?: string }).error === 'invalid_target';
    }
  };
  for (const end = Date.now() + 15_000; !(await refused()); ) t.true(Date.now() < end);

  const told: string[] = [];
  const ending = {
    service: (clientId: string) => [APP, WEB].find((one) => one.clientId === clientId),
    api: (identifier: string) => APIS[identifier],
    revoke: (id: AccountId) => store.revokeAccount(id),
  };
  t.true(await deletion.purge(town.context(), account, 'asked', ending));
  const later = { ...town.context(), now: () => new Date(Date.now() + 25 * 3_600_000) };
  for (const { clientId, subject } of await securityEvents.takeDue(later, 20)) {
    t.is(subject, theirs);
    told.push(clientId);
  }
  t.deepEqual(told.sort(), ['ausleihe', 'gebuehren', 'regale'], 'the APIs that got to know the citizen, once each');
});
