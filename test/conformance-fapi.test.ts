/**
 * The modules of the OpenID Foundation's plans for FAPI 2.0 that succeed, or may (fapi2-security-profile-final-test-plan,
 * fapi2-message-signing-final-test-plan), by their names there without the common prefix. The clients register
 * themselves; every way of authentication with every way of binding tokens. What must fail is in fapi-refusals.test.ts.
 */
import { randomBytes } from 'node:crypto';
import test, { type ExecutionContext } from 'ava';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { selfSigned, startAuthority } from './harness/client-certificates.ts';
import { type Deviation, FapiClient, newKeyPair } from './harness/fapi-client.ts';
import { CREDENTIALS, opened } from './harness/fapi-town.ts';
import { addCitizen, atHome, pkce } from './harness/relying-party.ts';
import { type RunningTown, startTown } from './harness/town.ts';
import { returned, sendJson } from './harness/trial-client.ts';
import { Visitor } from './harness/visitor.ts';

const VARIANTS = ['jwt + dpop', 'jwt + mtls', 'tls + mtls', 'tls + dpop', 'self-signed + mtls', 'signing'] as const;
type Name = (typeof VARIANTS)[number];

let town: RunningTown;
let clients: Record<Name, FapiClient>;
/** How far the town's clock is ahead. */
let aheadMs = 0;

test.before(async () => {
  const authority = await startAuthority();
  town = await startTown({
    testSuites: true,
    clientAuthority: authority.pem,
    now: () => new Date(Date.now() + aheadMs),
  });
  await addCitizen(town, CREDENTIALS.email, CREDENTIALS.password);
  const certificate = await authority.issue('suite.bank.example');
  const tls = { auth: 'tls_client_auth', certificate, tlsName: 'suite.bank.example' } as const;
  const jwt = { auth: 'private_key_jwt' } as const;
  clients = {
    'jwt + dpop': await FapiClient.registered(town, { ...jwt, bound: 'dpop' }),
    'jwt + mtls': await FapiClient.registered(town, { ...jwt, bound: 'mtls', certificate }),
    'tls + mtls': await FapiClient.registered(town, { ...tls, bound: 'mtls' }),
    'tls + dpop': await FapiClient.registered(town, { ...tls, bound: 'dpop' }),
    'self-signed + mtls': await FapiClient.registered(town, {
      auth: 'self_signed_tls_client_auth',
      bound: 'mtls',
      certificate: await selfSigned('suite'),
    }),
    signing: await FapiClient.registered(town, { ...jwt, bound: 'dpop', signing: true }),
  };
});

test.after.always(() => town?.close());

const visitor = new Visitor();
const seconds = (): number => Math.floor(Date.now() / 1000);

/** A whole sign-in with whatever is peculiar about its request; what came back is checked. */
const signIn = async (t: ExecutionContext, client: FapiClient, peculiar: Deviation = {}, atToken: Deviation = {}) => {
  const { back, proof } = await client.obtainCode(visitor, CREDENTIALS, peculiar);
  const answer = await opened(town, back, client.variant.clientId);
  t.is(answer.get('iss'), town.issuer, String(answer));
  const tokens = await client.redeem(answer.get('code'), proof.verifier, atToken);
  t.is(tokens.status, 200, JSON.stringify(tokens.body));
  return { answer, tokens: tokens.body, access: tokens.body['access_token'] ?? '' };
};

for (const name of VARIANTS) {
  test.serial(`${name}: happy-flow; refresh-token; access-token-type-header-case-sensitivity`, async (t) => {
    const client = clients[name];
    const state = randomBytes(96).toString('base64url');
    const { answer, tokens, access } = await signIn(t, client, { fields: { state } });
    t.is(answer.get('state'), state);
    t.is(tokens['token_type']?.toLowerCase(), client.variant.bound === 'dpop' ? 'dpop' : 'bearer');
    t.true(Number(tokens['expires_in']) > 0);
    const keys = createRemoteJWKSet(new URL('/jwks', town.issuer));
    const { payload, protectedHeader } = await jwtVerify(tokens['id_token'] ?? '', keys, {
      issuer: town.issuer,
      audience: client.variant.clientId,
    });
    t.is(protectedHeader.alg, 'ES256');
    t.truthy(protectedHeader.kid);
    t.is((await client.userinfo(access)).body['sub'], payload.sub);
    const scheme = client.variant.bound === 'dpop' ? 'dPOP' : 'bEARER';
    t.is((await client.userinfo(access, { headers: { authorization: `${scheme} ${access}` } })).status, 200);

    const refresh = { grant_type: 'refresh_token', refresh_token: tokens['refresh_token'] ?? '' };
    const next = await client.post('/token', refresh);
    t.is(next.status, 200, JSON.stringify(next.body));
    t.is((await client.userinfo(next.body['access_token'] ?? '')).status, 200);
    const anonymous = await client.post('/token', refresh, { anonymous: true, noCertificate: true });
    t.true(anonymous.status === 400 || anonymous.status === 401);
    t.regex(anonymous.body['error'] ?? '', /^invalid_(client|grant|request)$/);
    const unproven = await client.post('/token', refresh, { noProof: true, noCertificate: true });
    t.true(unproven.status === 400 || unproven.status === 401);
    const stolen = await clients[name === 'jwt + dpop' ? 'signing' : 'jwt + dpop'].post('/token', refresh);
    t.is(stolen.body['error'], 'invalid_grant');
  });
}

test.serial('discovery-end-point-verification, also by RFC 8414', async (t) => {
  for (const path of ['/.well-known/openid-configuration', '/.well-known/oauth-authorization-server']) {
    const { status, body } = await sendJson(`${town.issuer}${path}`, 'GET');
    t.is(status, 200);
    const list = (name: string): string[] => body[name] as string[];
    t.is(body['issuer'], town.issuer);
    t.deepEqual(body['subject_types_supported'], ['pairwise']);
    t.is(body['authorization_response_iss_parameter_supported'], true);
    t.is(body['tls_client_certificate_bound_access_tokens'], true);
    t.true(list('response_modes_supported').includes('jwt'));
    t.true(list('dpop_signing_alg_values_supported').every((alg) => ['PS256', 'ES256', 'EdDSA'].includes(alg)));
    for (const name of ['id_token', 'request_object', 'authorization', 'token_endpoint_auth', 'introspection'])
      t.true(list(`${name}_signing_alg_values_supported`).includes('ES256'), name);
    for (const method of ['private_key_jwt', 'tls_client_auth', 'self_signed_tls_client_auth'])
      t.true(list('token_endpoint_auth_methods_supported').includes(method), method);
    for (const [name, value] of Object.entries(body))
      if (/_alg_values_supported$/.test(name)) t.false((value as string[]).includes('none'), name);
    t.is(body['mtls_endpoint_aliases'] === undefined, false);
  }
});

test.serial('user-rejects-authentication: access_denied, with the query of the redirect URI', async (t) => {
  const redirectUri = 'https://suite.example/callback?dummy1=lorem&dummy2=ipsum';
  const client = await FapiClient.registered(
    town,
    { auth: 'private_key_jwt', bound: 'dpop' },
    { redirect_uris: [redirectUri] },
  );
  const pushed = await client.push(pkce());
  const stranger = new Visitor();
  const page = await stranger.open(client.authorizationUrl(pushed.body['request_uri'] ?? ''), atHome(town));
  const back = returned(await stranger.submitTo(page, 'cancel', {}, atHome(town)));
  t.is(back.get('error'), 'access_denied');
  t.is(back.get('state'), 'zustand');
  t.is(back.get('iss'), town.issuer);
  t.is(back.get('dummy1'), 'lorem');
  t.is(back.get('dummy2'), 'ipsum');
});

test.serial('FAPI 2.0 §5.3.2.2-8: no redirect URI with http, not even where clients register themselves', async (t) => {
  const registering = FapiClient.registered(
    town,
    { auth: 'private_key_jwt', bound: 'dpop' },
    { redirect_uris: ['http://suite.example/callback'] },
  );
  await t.throwsAsync(registering, { message: /must be https/ });
});

test.serial('a nonce that the provider never gave is no proof (RFC 9449 §4.3-10)', async (t) => {
  const client = clients['jwt + dpop'];
  const { back, proof } = await client.obtainCode(visitor, CREDENTIALS);
  const refused = await client.redeem(back.get('code'), proof.verifier, { proof: { nonce: 'von anderswo' } });
  t.is(refused.status, 400);
  t.is(refused.body['error'], 'invalid_dpop_proof');
});

test.serial('ensure-authorization-request-without-state-success; -without-nonce-success; -64-char-nonce', async (t) => {
  for (const name of ['jwt + dpop', 'signing'] as const) {
    const client = clients[name];
    const stateless = await signIn(t, client, { fields: { state: undefined }, request: { state: undefined } });
    t.is(stateless.answer.get('state'), null);
    await signIn(t, client, { fields: { nonce: undefined }, request: { nonce: undefined } });
    for (const length of [64, 384]) {
      const nonce = 'n'.repeat(length);
      const { tokens } = await signIn(t, client, { fields: { nonce, state: 's'.repeat(length) } });
      const claims = JSON.parse(Buffer.from((tokens['id_token'] ?? '').split('.')[1] ?? '', 'base64url').toString());
      t.is(claims.nonce, nonce);
    }
  }
});

test.serial('ensure-other-scope-order-succeeds; test-claims-parameter-identity-claims', async (t) => {
  const client = clients['jwt + dpop'];
  const claims = JSON.stringify({
    id_token: { email: null, name: { essential: true }, nirgends: null },
    userinfo: { email: null, email_verified: { essential: true }, nirgends: { essential: true } },
  });
  const { tokens, access } = await signIn(t, client, { fields: { scope: 'email openid', claims } });
  const inToken = JSON.parse(Buffer.from((tokens['id_token'] ?? '').split('.')[1] ?? '', 'base64url').toString());
  t.is(inToken.email, CREDENTIALS.email);
  const { body } = await client.userinfo(access);
  t.is(body['email'], CREDENTIALS.email);
  t.is(body['email_verified'] as unknown, true);
});

test.serial('check-dpop-proof-nbf-exp; -iat-10seconds-before, -after-succeeds', async (t) => {
  const client = clients['jwt + dpop'];
  for (const proof of [{ nbf: seconds(), exp: seconds() + 300 }, { iat: seconds() - 10 }, { iat: seconds() + 10 }]) {
    const { access } = await signIn(t, client, {}, { proof });
    t.is((await client.userinfo(access, { proof })).status, 200);
  }
});

test.serial(
  'dpop: code bound by dpop_jkt or by a proof at the pushed request, and then to that key alone',
  async (t) => {
    const client = clients['jwt + dpop'];
    const jkt = await client.thumbprint();
    const other = await newKeyPair();
    await signIn(t, client, { fields: { dpop_jkt: jkt } });
    await signIn(t, client, { rawProof: await client.proofFor('/request') });
    await signIn(t, client, { fields: { dpop_jkt: jkt }, rawProof: await client.proofFor('/request') });
    const mismatched = await client.push(pkce(), {
      fields: { dpop_jkt: jkt },
      rawProof: await client.proofFor('/request', other),
    });
    t.is(mismatched.status, 400, 'ensure-mismatched-dpop-jkt-fails');
    t.regex(mismatched.body['error'] ?? '', /^invalid_(request|dpop_proof)$/);
    for (const bound of [{ fields: { dpop_jkt: jkt } }, { rawProof: await client.proofFor('/request') }]) {
      const { back, proof } = await client.obtainCode(visitor, CREDENTIALS, bound);
      const refused = await client.redeem(back.get('code'), proof.verifier, { proofKey: other });
      t.is(refused.status, 400, 'ensure-token-endpoint-fails-with-mismatched-dpop-jkt');
      t.regex(refused.body['error'] ?? '', /^invalid_(grant|dpop_proof|request)$/);
    }
  },
);

test.serial('dpop-negative-tests at userinfo: what succeeds all the same', async (t) => {
  const client = clients['jwt + dpop'];
  const { access } = await signIn(t, client);
  const htu = `${town.issuer}/userinfo`;
  const { host } = new URL(htu);
  for (const proof of [
    { htu: `${htu}?query=1#fragment` },
    { htu: htu.replace(host, host.toUpperCase()).replace('https', 'HTTPS') },
    { 'https://suite.example/more': true },
  ])
    t.is((await client.userinfo(access, { proof })).status, 200, JSON.stringify(proof));
  t.is((await client.userinfo(access, { proofHeader: { more: true } })).status, 200);
});

test.serial('dpop-negative-tests at userinfo: what fails', async (t) => {
  const client = clients['jwt + dpop'];
  const { access } = await signIn(t, client);
  const wrong: [string, Deviation][] = [
    ['typ missing', { proofHeader: { typ: undefined } }],
    ['typ wrong', { proofHeader: { typ: 'jwt' } }],
    ['jwk missing', { proofHeader: { jwk: undefined } }],
    ['jti missing', { proof: { jti: undefined } }],
    ['htm missing', { proof: { htm: undefined } }],
    ['htm wrong', { proof: { htm: 'PUT' } }],
    ['htu missing', { proof: { htu: undefined } }],
    ['htu wrong', { proof: { htu: 'https://else.example/userinfo' } }],
    ['iat missing', { proof: { iat: undefined } }],
    ['iat in an hour', { proof: { iat: seconds() + 3600 } }],
    ['iat an hour ago', { proof: { iat: seconds() - 3600 } }],
    ['ath missing', { proof: { ath: undefined } }],
    ['ath wrong', { proof: { ath: 'x'.repeat(43) } }],
    ['another key', { proofKey: await newKeyPair() }],
    ['not well-formed', { rawProof: 'not.a.proof' }],
    ['signature changed', { rawProof: `${(await client.proofFor('/userinfo', undefined, access)).slice(0, -4)}AAAA` }],
    ['two proofs', { rawProof: [0, 1].map(() => 'e30.e30.e30').join(', ') }],
    ['no proof', { noProof: true }],
    ['no proof, as a bearer token', { noProof: true, headers: { authorization: `Bearer ${access}` } }],
  ];
  for (const [what, deviation] of wrong) {
    const { status } = await client.userinfo(access, deviation);
    t.true(status === 400 || status === 401, `${what}: ${status}`);
  }
  t.is((await client.userinfo(access)).status, 200, 'the token still works');
});

test.serial('par: reused-request-uri-prior-to-auth-completion-succeeds; without-duplicate-parameters', async (t) => {
  const client = clients['jwt + dpop'];
  const proof = pkce();
  const url = client.authorizationUrl((await client.push(proof)).body['request_uri'] ?? '');
  const first = await new Visitor().open(url, atHome(town));
  t.is(first.status, 200);
  const { back } = await client.visit(visitor, url, CREDENTIALS);
  t.is((await client.redeem(back.get('code'), proof.verifier)).status, 200);
});

test.serial('par: attempt-invalid-http-method; attempt-to-use-expired-request_uri', async (t) => {
  const client = clients['jwt + dpop'];
  for (const method of ['GET', 'PUT']) {
    const { status } = await new Visitor().send(`${town.issuer}/request`, { method });
    t.true(status >= 400 && status < 500, `${method} ${status}`);
  }
  const pushed = await client.push(pkce());
  aheadMs += Number(pushed.body['expires_in']) * 1000 + 1000;
  const { answer, back } = await client.visit(
    visitor,
    client.authorizationUrl(pushed.body['request_uri'] ?? ''),
    CREDENTIALS,
  );
  t.is(back.get('code'), null);
  t.true(back.get('error') === 'invalid_request_uri' || /invalid_request_uri/.test(answer.text));
});

test.serial('message signing: request objects that are accepted', async (t) => {
  const client = clients.signing;
  const aud = ['https://else.example', town.issuer];
  await signIn(t, client, { request: { aud } });
  await signIn(t, client, { request: { nbf: seconds() + 8, iat: seconds() } });
});

test.serial(
  'message signing: state-only-outside-request-object-not-used; different state inside and outside',
  async (t) => {
    const client = clients.signing;
    for (const inside of [undefined, 'innen']) {
      const proof = pkce();
      const pushed = await client.push(proof, { request: { state: inside } });
      const url = client.authorizationUrl(pushed.body['request_uri'] ?? '', { state: 'aussen' });
      const { back } = await client.visit(visitor, url, CREDENTIALS);
      const answer = await opened(town, back, client.variant.clientId);
      t.is(answer.get('state') ?? undefined, inside);
      t.truthy(answer.get('code'));
    }
  },
);
