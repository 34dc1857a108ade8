/**
 * The modules of the OpenID Foundation's plans for Dynamic OP, Config OP and third-party initiated login, by their names
 * there (oidcc-dynamic-certification-test-plan and so on), under PROFILE=sandbox.
 */
import { randomUUID } from 'node:crypto';
import test from 'ava';
import {
  createRemoteJWKSet,
  decodeJwt,
  decodeProtectedHeader,
  exportJWK,
  generateKeyPair,
  jwtVerify,
  SignJWT,
} from 'jose';
import { type Documents, startDocuments } from './harness/documents.ts';
import { addCitizen } from './harness/relying-party.ts';
import { SuiteClient } from './harness/suite-client.ts';
import { type RunningTown, startTown } from './harness/town.ts';
import { askUserinfo, returned, sendJson } from './harness/trial-client.ts';
import { Visitor } from './harness/visitor.ts';

const CREDENTIALS = { email: 'anna@buerger.example', password: 'drei blaue Häuser am Fluss' };

let town: RunningTown;
let documents: Documents;
/** How far the town's clock is ahead. */
let aheadMs = 0;

test.before(async () => {
  town = await startTown({ testSuites: true, now: () => new Date(Date.now() + aheadMs) });
  documents = await startDocuments();
  await addCitizen(town, CREDENTIALS.email, CREDENTIALS.password);
});

test.after.always(async () => {
  await documents?.close();
  await town?.close();
});

/** As the plan registers its clients: by private_key_jwt, whose audience is the token endpoint. */
const register = (metadata: Record<string, unknown> = {}) =>
  SuiteClient.register(town, CREDENTIALS, { token_endpoint_auth_method: 'private_key_jwt', ...metadata });

const attempt = (metadata: Record<string, unknown>) =>
  sendJson(`${town.issuer}/reg`, 'POST', { redirect_uris: ['https://suite.example/callback'], ...metadata });

const discovery = async (): Promise<Record<string, unknown>> =>
  (await sendJson(`${town.issuer}/.well-known/openid-configuration`, 'GET')).body;

test.serial('oidcc-discovery-endpoint-verification', async (t) => {
  const body = await discovery();
  t.is(body['issuer'], town.issuer);
  for (const [name, value] of Object.entries(body)) {
    if (name.endsWith('_endpoint') || name === 'jwks_uri') {
      t.true(String(value).startsWith(`${town.issuer}/`), name);
      const get = await new Visitor().send(String(value));
      const post = await new Visitor().send(String(value), { method: 'POST', body: new URLSearchParams({}) });
      t.false(get.status === 404 && post.status === 404, name);
    }
    if (name.endsWith('_supported') && Array.isArray(value)) {
      t.true(value.length > 0, name);
      t.is(new Set(value).size, value.length, name);
    }
  }
  // OpenID Connect Discovery §3 and Core §15.2: what a provider with dynamic registration supports.
  for (const type of ['code', 'id_token', 'id_token token'])
    t.true((body['response_types_supported'] as string[]).includes(type), type);
  for (const grant of ['authorization_code', 'implicit', 'refresh_token'])
    t.true((body['grant_types_supported'] as string[]).includes(grant), grant);
  t.true((body['id_token_signing_alg_values_supported'] as string[]).includes('RS256'));
  t.true((body['request_object_signing_alg_values_supported'] as string[]).includes('RS256'));
  t.true((body['scopes_supported'] as string[]).includes('openid'));
  for (const scope of body['scopes_supported'] as string[]) t.regex(scope, /^[\x21\x23-\x5B\x5D-\x7E]+$/);
  t.is(body['claims_parameter_supported'], true);
  t.deepEqual(body['subject_types_supported'], ['pairwise']);
  for (const tag of [...(body['ui_locales_supported'] as string[]), ...(body['claims_locales_supported'] as string[])])
    t.is(new Intl.Locale(tag).baseName, tag);

  const { keys } = (await sendJson(String(body['jwks_uri']), 'GET')).body as { keys: Record<string, unknown>[] };
  t.is(new Set(keys.map(({ kid }) => kid)).size, keys.length);
  for (const key of keys) {
    t.is(key['use'], 'sig');
    for (const secret of ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k']) t.false(secret in key, secret);
  }
});

test.serial('oidcc-server; oidcc-idtoken-rs256: registration, a whole sign-in, removal', async (t) => {
  const client = await register({ id_token_signed_response_alg: 'RS256' });
  t.is(client.metadata['client_secret'], undefined);
  const { header } = await client.signIn(t, new Visitor());
  t.is(header.alg, 'RS256');
  await client.unregister(t);
  const answer = await client.open(new Visitor());
  t.is(answer.status, 400);
});

test.serial('oidcc-idtoken-unsigned: `none` is not offered, and refused', async (t) => {
  t.false(((await discovery())['id_token_signing_alg_values_supported'] as string[]).includes('none'));
  const { status, body } = await attempt({ id_token_signed_response_alg: 'none' });
  t.is(status, 400);
  t.is(body['error'], 'invalid_client_metadata');
});

test.serial('oidcc-userinfo-rs256', async (t) => {
  t.true(((await discovery())['userinfo_signing_alg_values_supported'] as string[]).includes('RS256'));
  const client = await register({ userinfo_signed_response_alg: 'RS256' });
  const back = await client.authorize(t, new Visitor(), { scope: 'openid email' });
  const { tokens, claims } = await client.read(t, await client.redeem(back.get('code')), 'einmal');
  const info = await askUserinfo(town, tokens['access_token'] ?? '');
  t.regex(String(info.headers['content-type']), /^application\/jwt/);
  const keys = createRemoteJWKSet(new URL('/jwks', town.issuer));
  const { payload, protectedHeader } = await jwtVerify(info.body['text'] ?? '', keys, {
    issuer: town.issuer,
    audience: client.clientId,
  });
  t.is(protectedHeader.alg, 'RS256');
  t.is(payload.sub, claims.sub);
  t.is(payload['email'], CREDENTIALS.email);
  t.is(payload['nonce'], undefined);
});

test.serial('oidcc-ensure-redirect-uri-in-authorization-request', async (t) => {
  const client = await register({ redirect_uris: ['https://suite.example/callback', 'https://suite.example/zwei'] });
  for (const one of [client, await register()]) {
    const answer = await one.open(new Visitor(), { redirect_uri: undefined });
    t.is(answer.status, 400);
    t.is(answer.headers['location'], undefined);
  }
});

test.serial('oidcc-redirect-uri-query-OK; -mismatch; -added; -regfrag', async (t) => {
  const client = await register({ redirect_uris: ['https://suite.example/callback?foo=bar'] });
  const back = await client.authorize(t, new Visitor());
  t.is(back.get('foo'), 'bar');
  await client.read(t, await client.redeem(back.get('code')), 'einmal');
  for (const query of ['?foo=baz', '', '?foo=bar&x=y']) {
    const answer = await client.open(new Visitor(), { redirect_uri: `https://suite.example/callback${query}` });
    t.is(answer.status, 400, query);
    t.is(answer.headers['location'], undefined);
  }
  const { status, body } = await attempt({ redirect_uris: ['https://suite.example/callback#teil'] });
  t.is(status, 400);
  t.is(body['error'], 'invalid_redirect_uri');
});

test.serial(
  'oidcc-registration-logo-uri; -policy-uri; -tos-uri: kept, and the notices linked where one signs in',
  async (t) => {
    const metadata = {
      client_uri: 'https://suite.example/',
      logo_uri: 'https://suite.example/logo.png',
      policy_uri: 'https://suite.example/policy',
      tos_uri: 'https://suite.example/tos',
    };
    const client = await register(metadata);
    for (const [name, value] of Object.entries(metadata)) t.is(client.metadata[name], value);
    const page = await client.open(new Visitor());
    for (const address of [metadata.policy_uri, metadata.tos_uri]) t.true(page.text.includes(`href="${address}"`));
    await client.signIn(t, new Visitor());
  },
);

/** A key pair of the client, its public half published. */
const publishKeys = async (path: string) => {
  const { publicKey, privateKey } = await generateKeyPair('RS256', { extractable: true });
  const kid = randomUUID();
  documents.answers.set(path, { keys: [{ ...(await exportJWK(publicKey)), kid, use: 'sig', alg: 'RS256' }] });
  return { privateKey, kid };
};

test.serial('oidcc-registration-jwks-uri; oidcc-refresh-token-rp-key-rotation', async (t) => {
  const key = await publishKeys('/jwks');
  const client = await register({
    jwks: undefined,
    jwks_uri: `${documents.origin}/jwks`,
    grant_types: ['authorization_code', 'refresh_token'],
  });
  client.key = key;
  const { tokens, claims } = await client.signIn(t, new Visitor());
  client.key = await publishKeys('/jwks');
  const refresh = { grant_type: 'refresh_token', refresh_token: tokens['refresh_token'] ?? '' };
  t.is((await client.post(refresh)).body['error'], 'invalid_client', 'keys are not fetched for each wrong signature');
  // The suite waits for a minute as well; all that reads the clock is in this process.
  const { now } = Date;
  t.teardown(() => {
    Date.now = now;
  });
  Date.now = () => now() + 61_000;
  const answer = await client.post(refresh);
  t.is(answer.status, 200, JSON.stringify(answer.body));
  t.is(decodeJwt(answer.body['id_token'] ?? '').sub, claims.sub);
});

test.serial('oidcc-registration-sector-uri; -sector-bad', async (t) => {
  documents.answers.set('/redirect_uris.json', ['https://suite.example/callback']);
  documents.answers.set('/others.json', ['https://else.example/callback']);
  const sector = { subject_type: 'pairwise', sector_identifier_uri: `${documents.origin}/redirect_uris.json` };
  // oidc-provider takes a sector by https only, as OpenID Connect Core §8.1 has it.
  t.is((await attempt(sector)).status, 400);
  town.front.serve('katalog.lesen.example', (req, res) => {
    res.setHeader('content-type', 'application/json').end(JSON.stringify(documents.answers.get(req.url ?? '')));
  });
  const origin = town.front.origin('katalog.lesen.example');
  const good = await register({ ...sector, sector_identifier_uri: `${origin}/redirect_uris.json` });
  await good.signIn(t, new Visitor());
  const bad = await attempt({ ...sector, sector_identifier_uri: `${origin}/others.json` });
  t.is(bad.status, 400);
  t.is(bad.body['error'], 'invalid_client_metadata');
});

test.serial('oidcc-request-uri-signed-rs256; only from addresses that are registered', async (t) => {
  const body = await discovery();
  t.is(body['request_uri_parameter_supported'], true);
  t.is(body['require_request_uri_registration'], true);
  const address = `${documents.origin}/requesturi/${randomUUID()}#${randomUUID()}`;
  const client = await register({ request_uris: [address], request_object_signing_alg: 'RS256' });
  t.deepEqual(client.metadata['request_uris'], [address]);
  const object = (claims: Record<string, unknown> = {}): Promise<string> =>
    new SignJWT({
      client_id: client.clientId,
      response_type: 'code',
      redirect_uri: client.redirectUri,
      scope: 'openid email',
      state: 'aus dem Objekt',
      nonce: 'auch daher',
      ...claims,
    })
      .setProtectedHeader({ alg: 'RS256' })
      .setIssuer(client.clientId)
      .setAudience(town.issuer)
      .sign(client.key.privateKey);
  const { pathname } = new URL(address);
  documents.answers.set(pathname, await object());
  const visitor = new Visitor();
  const plain = { state: undefined, nonce: undefined, redirect_uri: undefined };
  const page = await client.open(visitor, { ...plain, request_uri: address });
  const back = returned(await client.finish(visitor, page));
  t.is(back.get('state'), 'aus dem Objekt');
  await client.read(t, await client.redeem(back.get('code')), 'auch daher');

  documents.answers.set(pathname, await object({ redirect_uri: 'https://else.example/' }));
  const elsewhere = await client.open(visitor, { ...plain, request_uri: address });
  t.is(elsewhere.status, 400, 'oidcc-ensure-request-object-with-redirect-uri');
  documents.answers.set(pathname, 'nichts dergleichen');
  const broken = await client.open(visitor, { request_uri: address });
  t.is(returned(broken).get('error'), 'invalid_request_object');
  for (const request_uri of [`${documents.origin}/woanders`, address.split('#', 1)[0] ?? '']) {
    const refused = await client.open(visitor, { request_uri });
    t.is(returned(refused).get('error'), 'request_uri_not_supported', request_uri);
  }
  const wrong = await attempt({ request_uris: ['ftp://suite.example/request'] });
  t.is(wrong.body['error'], 'invalid_client_metadata');
});

test.serial('oidcc-ensure-client-assertion-with-iss-aud-succeeds; other audiences are refused', async (t) => {
  const client = await register();
  const visitor = new Visitor();
  for (const aud of [town.issuer, `${town.issuer}/token`, [town.issuer]]) {
    const back = await client.authorize(t, visitor);
    await client.read(t, await client.redeem(back.get('code'), { assertion: { aud } }), 'einmal');
  }
  for (const wrong of [
    { aud: 'https://else.example/token' },
    { iss: 'else' },
    { exp: Math.floor(Date.now() / 1000) - 300 },
  ]) {
    const back = await client.authorize(t, visitor);
    const answer = await client.redeem(back.get('code'), { assertion: wrong });
    t.is(answer.status, 401, JSON.stringify(wrong));
    t.is(answer.body['error'], 'invalid_client');
  }
});

test.serial('oidcc-server-rotate-keys: a new key is published beside the old one, and signs later', async (t) => {
  const keysNow = async () =>
    ((await sendJson(`${town.issuer}/jwks`, 'GET')).body as { keys: { kid: string; n?: string }[] }).keys;
  const before = await keysNow();
  aheadMs += 31 * 86_400_000;
  for (let tries = 0; tries < 100 && (await keysNow()).length <= before.length; tries += 1) {
    await town.context().db.raw("SELECT pg_notify('signing_keys', '')");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const after = await keysNow();
  t.true(after.length > before.length);
  for (const old of before) t.true(after.some(({ kid }) => kid === old.kid));
  aheadMs = 0;
});

test.serial('oidcc-3rd_party-init-login; -nohttps', async (t) => {
  const client = await register({ initiate_login_uri: 'https://suite.example/initiate' });
  t.is(client.metadata['initiate_login_uri'], 'https://suite.example/initiate');
  const read = await sendJson(
    String(client.metadata['registration_client_uri']),
    'GET',
    undefined,
    String(client.metadata['registration_access_token']),
  );
  t.is(read.status, 200);
  t.is(read.body['initiate_login_uri'], 'https://suite.example/initiate');
  const { status, body } = await attempt({ initiate_login_uri: 'http://suite.example/initiate' });
  t.is(status, 400);
  t.is(body['error'], 'invalid_client_metadata');
});

test.serial(
  'response types other than code: for a client that registers them, with the hashes they need',
  async (t) => {
    const visitor = new Visitor();
    for (const response_type of ['id_token', 'id_token token', 'code id_token', 'code token', 'code id_token token']) {
      const client = await register({
        response_types: [response_type],
        grant_types: response_type.includes('code') ? ['authorization_code', 'implicit'] : ['implicit'],
      });
      const scope = 'openid email';
      const answer = await client.finish(visitor, await client.open(visitor, { response_type, scope }));
      t.regex(String(answer.headers['location']), /^https:\/\/suite\.example\/callback#/, response_type);
      const back = returned(answer);
      t.is(back.has('code'), response_type.includes('code'));
      t.is(back.has('access_token'), response_type.split(' ').includes('token'));
      t.is(back.get('state'), 'zustand');
      if (!response_type.includes('id_token')) continue;
      const keys = createRemoteJWKSet(new URL('/jwks', town.issuer));
      const { payload } = await jwtVerify(back.get('id_token') ?? '', keys, { audience: client.clientId });
      t.is(payload['nonce'], 'einmal');
      t.is('c_hash' in payload, back.has('code'));
      t.is('at_hash' in payload, back.has('access_token'));
      // Core §5.4: claims of a scope are in the ID token only where no access token is to be had.
      t.is(payload['email'], response_type === 'id_token' ? CREDENTIALS.email : undefined);
      const without = await client.open(visitor, { response_type, nonce: undefined });
      t.is(returned(without).get('error'), 'invalid_request', 'oidcc-ensure-request-without-nonce-fails');
    }
    const plain = await register();
    t.is(returned(await plain.open(visitor, { response_type: 'id_token' })).get('error'), 'invalid_request');
  },
);

test.serial('claims asked for by name in the ID token are there, others are not', async (t) => {
  const client = await register();
  const { claims, tokens } = await client.signIn(t, new Visitor(), {
    scope: 'openid email',
    claims: JSON.stringify({ id_token: { email: { essential: true }, auth_time: null }, userinfo: { locale: null } }),
  });
  t.is(claims['email'], CREDENTIALS.email);
  t.is(claims['email_verified'], undefined);
  t.is(claims['locale'], undefined);
  t.is((await askUserinfo(town, tokens['access_token'] ?? '')).body['locale'], 'de');
  t.is(decodeProtectedHeader(tokens['id_token'] ?? '').alg, 'RS256');
});

test.serial('RFC 8628: a client without keys registers itself for codes of devices, and gets one', async (t) => {
  const grant = 'urn:ietf:params:oauth:grant-type:device_code';
  for (const token_endpoint_auth_method of ['none', 'client_secret_basic']) {
    const { status, body } = await attempt({
      redirect_uris: [],
      response_types: [],
      grant_types: [grant, 'refresh_token'],
      token_endpoint_auth_method,
    });
    t.is(status, 201, JSON.stringify(body));
    t.deepEqual(body['grant_types'], ['refresh_token', grant]);
    const credentials = `${String(body['client_id'])}:${String(body['client_secret'])}`;
    const answer = await new Visitor().send(`${town.issuer}/device/auth`, {
      method: 'POST',
      body: new URLSearchParams({ client_id: String(body['client_id']), scope: 'openid' }),
      ...(token_endpoint_auth_method === 'client_secret_basic' && {
        headers: { authorization: `Basic ${Buffer.from(credentials).toString('base64')}` },
      }),
    });
    t.is(answer.status, 200, answer.text);
    t.regex(JSON.parse(answer.text).user_code, /^[A-Z]{4}-[A-Z]{4}$/);
  }
});
