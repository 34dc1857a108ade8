/** Discovery says exactly what works: each value that it names does, and the best-known values that it does not name do not. */
import test, { type ExecutionContext } from 'ava';
import { createRemoteJWKSet, exportJWK, generateKeyPair, jwtVerify, SignJWT } from 'jose';
import { selfSigned, startAuthority } from './harness/client-certificates.ts';
import { dpopProof, newKeyPair } from './harness/fapi-client.ts';
import { addCitizen, pkce } from './harness/relying-party.ts';
import { SuiteClient } from './harness/suite-client.ts';
import { type RunningTown, startTown } from './harness/town.ts';
import { askUserinfo, returned, sendJson } from './harness/trial-client.ts';
import { forms, Visitor } from './harness/visitor.ts';

const CREDENTIALS = { email: 'anna@buerger.example', password: 'drei blaue Häuser am Fluss' };
const ALGORITHMS = ['ES256', 'RS256', 'PS256', 'EdDSA', 'ES384', 'HS256', 'none'];

let town: RunningTown;
let discovery: Record<string, unknown>;

test.before(async () => {
  const { pem } = await startAuthority();
  town = await startTown({ clientAuthority: pem });
  await addCitizen(town, CREDENTIALS.email, CREDENTIALS.password);
  discovery = (await sendJson(`${town.issuer}/.well-known/openid-configuration`, 'GET')).body;
});

test.after.always(() => town?.close());

const list = (name: string): string[] => discovery[name] as string[];
const register = (metadata: Record<string, unknown> = {}) => SuiteClient.register(town, CREDENTIALS, metadata);
const attempt = (metadata: Record<string, unknown>) =>
  sendJson(`${town.issuer}/reg`, 'POST', { redirect_uris: ['https://suite.example/callback'], ...metadata });

/** One browser, signed in by its first use. */
const visitor = new Visitor();

/** Exactly the named ones of the candidates are taken. */
const exactly = async (
  t: ExecutionContext,
  name: string,
  candidates: readonly string[],
  works: (value: string) => Promise<boolean>,
): Promise<void> => {
  for (const value of new Set([...list(name), ...candidates]))
    t.is(await works(value), list(name).includes(value), `${name}: ${value}`);
};

test.serial('response_types_supported', async (t) => {
  const client = await register();
  const all = ['code', 'id_token', 'token', 'id_token token', 'code id_token', 'code token', 'none'];
  await exactly(t, 'response_types_supported', all, async (response_type) => {
    const page = await client.open(visitor, { response_type });
    return returned(page).get('error') !== 'unsupported_response_type';
  });
});

test.serial('response_modes_supported', async (t) => {
  const client = await register();
  await exactly(t, 'response_modes_supported', ['web_message', 'web_message.jwt'], async (response_mode) => {
    const page = await client.finish(visitor, await client.open(visitor, { response_mode }));
    if (response_mode.startsWith('form_post')) return forms(page)[0]?.action.href === client.redirectUri;
    const location = page.headers['location'];
    if (typeof location !== 'string' || returned(page).has('error')) return false;
    const { hash } = new URL(location);
    return response_mode.startsWith('fragment') === (hash !== '');
  });
});

test.serial('grant_types_supported', async (t) => {
  const client = await register({ grant_types: ['authorization_code', 'refresh_token'] });
  const foreign = ['password', 'implicit', 'urn:ietf:params:oauth:grant-type:token-exchange'];
  await exactly(
    t,
    'grant_types_supported',
    [...foreign, 'urn:openid:params:grant-type:ciba', 'urn:ietf:params:oauth:grant-type:jwt-bearer'],
    async (grant_type) => (await client.post({ grant_type })).body['error'] !== 'unsupported_grant_type',
  );
});

test.serial('scopes_supported', async (t) => {
  const client = await register({ grant_types: ['authorization_code', 'refresh_token'] });
  const candidates = [...list('scopes_supported'), 'phone', 'groups', 'admin'];
  const asked = { scope: candidates.join(' '), prompt: 'consent' };
  const { tokens } = await client.signIn(t, visitor, asked);
  t.deepEqual(tokens['scope']?.split(' ').sort(), [...list('scopes_supported')].sort());
});

test.serial('claims_supported: each can be asked for by name, and no other is ever given', async (t) => {
  const client = await register();
  const asked = Object.fromEntries(
    [...list('claims_supported'), 'phone_number', 'picture'].map((name) => [name, null]),
  );
  const { tokens, claims } = await client.signIn(t, visitor, {
    claims: JSON.stringify({ userinfo: asked, id_token: asked }),
  });
  const { body } = await askUserinfo(town, tokens['access_token'] ?? '');
  const protocol = new Set(['aud', 'exp', 'iat', 'nonce', 'at_hash']);
  for (const name of [...Object.keys(body), ...Object.keys(claims)])
    t.true(protocol.has(name) || list('claims_supported').includes(name), name);
  for (const name of ['sub', 'email', 'email_verified', 'locale', 'preferred_username']) t.truthy(body[name], name);
  for (const name of ['acr', 'amr', 'auth_time', 'sid', 'iss', 'email']) t.truthy(claims[name], name);
});

test.serial('token_endpoint_auth_methods_supported', async (t) => {
  const { publicKey } = await generateKeyPair('ES256');
  const own = await exportJWK(publicKey);
  const { jwk } = await selfSigned('suite');
  const more: Record<string, Record<string, unknown>> = {
    private_key_jwt: { jwks: { keys: [own] } },
    self_signed_tls_client_auth: { jwks: { keys: [jwk] } },
    tls_client_auth: { tls_client_auth_san_dns: 'suite.example' },
  };
  const foreign = ['client_secret_jwt', 'attest_jwt_client_auth'];
  await exactly(t, 'token_endpoint_auth_methods_supported', foreign, async (method) => {
    const { status } = await attempt({ token_endpoint_auth_method: method, ...more[method] });
    return status === 201;
  });
});

test.serial('subject_types_supported', async (t) => {
  await exactly(t, 'subject_types_supported', ['public'], async (subject_type) => {
    const { status } = await attempt({ subject_type });
    return status === 201;
  });
});

for (const name of ['id_token', 'userinfo', 'authorization', 'introspection'] as const) {
  test.serial(`${name}_signing_alg_values_supported: the provider signs with each`, async (t) => {
    await exactly(t, `${name}_signing_alg_values_supported`, ALGORITHMS, async (alg) => {
      const { status } = await attempt({ [`${name}_signed_response_alg`]: alg });
      return status === 201;
    });
    for (const alg of list(`${name}_signing_alg_values_supported`)) {
      const client = await register({ [`${name}_signed_response_alg`]: alg });
      const jarm = name === 'authorization' ? { response_mode: 'jwt' } : {};
      const back = returned(await client.finish(visitor, await client.open(visitor, jarm)));
      const keys = createRemoteJWKSet(new URL('/jwks', town.issuer));
      const response = back.get('response');
      const signed = response === null ? undefined : (await jwtVerify(response, keys)).payload;
      const tokens = await client.redeem(String(signed?.['code'] ?? back.get('code')));
      const access = tokens.body['access_token'] ?? '';
      const asked = await new Visitor().send(`${town.issuer}/token/introspection`, {
        method: 'POST',
        body: new URLSearchParams({ token: access }),
        headers: {
          accept: 'application/token-introspection+jwt',
          authorization: `Basic ${Buffer.from(`${client.clientId}:${String(client.metadata['client_secret'])}`).toString('base64')}`,
        },
      });
      const jwt = {
        id_token: tokens.body['id_token'],
        userinfo: name === 'userinfo' ? (await askUserinfo(town, access)).body['text'] : undefined,
        authorization: response ?? undefined,
        introspection: asked.text,
      }[name];
      t.is((await jwtVerify(jwt ?? '', keys)).protectedHeader.alg, alg);
    }
  });
}

test.serial(
  'token_endpoint_auth_signing_alg_values_supported; request_object_signing_alg_values_supported',
  async (t) => {
    for (const alg of ALGORITHMS.filter((one) => !/^HS|none/.test(one))) {
      const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
      const client = await register({
        token_endpoint_auth_method: 'private_key_jwt',
        jwks: { keys: [{ ...(await exportJWK(publicKey)), use: 'sig' }] },
      });
      const now = Math.floor(Date.now() / 1000);
      const sign = (claims: Record<string, unknown>): Promise<string> =>
        new SignJWT({ iss: client.clientId, aud: town.issuer, iat: now, exp: now + 60, ...claims })
          .setProtectedHeader({ alg })
          .sign(privateKey);
      const { challenge } = pkce();
      const request = await sign({
        client_id: client.clientId,
        scope: 'openid',
        response_type: 'code',
        redirect_uri: client.redirectUri,
        code_challenge: challenge,
        code_challenge_method: 'S256',
      });
      const page = await client.finish(visitor, await client.open(visitor, { request }));
      const requests = list('request_object_signing_alg_values_supported');
      t.is(returned(page).has('code'), requests.includes(alg), `request object: ${alg}`);
      const { status, text } = await new Visitor().send(`${town.issuer}/request`, {
        method: 'POST',
        headers: { accept: 'application/json' },
        body: new URLSearchParams({
          client_id: client.clientId,
          client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
          client_assertion: await sign({ sub: client.clientId, jti: crypto.randomUUID() }),
          response_type: 'code',
          redirect_uri: client.redirectUri,
          scope: 'openid',
        }),
      });
      t.is(
        status === 201,
        list('token_endpoint_auth_signing_alg_values_supported').includes(alg),
        `assertion: ${alg} ${text}`,
      );
    }
  },
);

test.serial('dpop_signing_alg_values_supported', async (t) => {
  const client = await register();
  for (const alg of ['ES256', 'PS256', 'EdDSA', 'RS256', 'ES384']) {
    const proof = await dpopProof(await newKeyPair(alg), 'POST', `${town.issuer}/token`, undefined, {
      proofHeader: { alg },
    });
    const back = await client.authorize(t, visitor);
    const { status, text } = await new Visitor().send(`${town.issuer}/token`, {
      method: 'POST',
      headers: {
        dpop: proof,
        authorization: `Basic ${Buffer.from(`${client.clientId}:${String(client.metadata['client_secret'])}`).toString('base64')}`,
      },
      body: new URLSearchParams({
        grant_type: 'authorization_code',
        code: back.get('code') ?? '',
        redirect_uri: client.redirectUri,
      }),
    });
    t.is(status === 200, list('dpop_signing_alg_values_supported').includes(alg), `${alg} ${text}`);
  }
});

test.serial('code_challenge_methods_supported', async (t) => {
  const client = await register();
  await exactly(t, 'code_challenge_methods_supported', ['plain'], async (code_challenge_method) => {
    const page = await client.open(visitor, { code_challenge: pkce().challenge, code_challenge_method });
    return returned(page).has('code');
  });
});

test.serial('acr_values_supported, ui_locales_supported: each is understood', async (t) => {
  const client = await register();
  for (const acr_values of list('acr_values_supported')) {
    const page = await client.open(new Visitor(), { acr_values });
    t.true(page.text.includes('name="identifier"'), acr_values);
  }
  for (const ui_locales of list('ui_locales_supported')) {
    const page = await client.open(new Visitor(), { ui_locales });
    t.regex(page.text, new RegExp(`<html[^>]* lang="${ui_locales}"`));
  }
});

test.serial('what is not named is not there', async (t) => {
  for (const name of ['check_session_iframe', 'backchannel_authentication_endpoint', 'challenge_endpoint'])
    t.is(discovery[name], undefined);
  t.is(discovery['request_uri_parameter_supported'], false);
  const client = await register();
  const page = await client.open(visitor, { request_uri: 'https://suite.example/request.jwt' });
  t.is(returned(page).get('error'), 'request_uri_not_supported');
  for (const path of ['/backchannel', '/challenge', '/credential', '/me', '/session/check'])
    t.is(
      (await new Visitor().send(`${town.issuer}${path}`, { method: 'POST', body: new URLSearchParams() })).status,
      404,
    );
  for (const path of ['/.well-known/openid-credential-issuer', '/.well-known/webfinger'])
    t.is((await new Visitor().send(`${town.issuer}${path}`)).status, 404);
});

test.serial('in production: one response type, no registration, and RS256 only where a service needs it', async (t) => {
  const real = await startTown({ production: true });
  t.teardown(() => real.close());
  const { body } = await sendJson(`${real.issuer}/.well-known/openid-configuration`, 'GET');
  t.deepEqual(body['response_types_supported'], ['code']);
  t.is(body['registration_endpoint'], undefined);
  t.is(body['userinfo_signing_alg_values_supported'], undefined);
  for (const name of Object.keys(body).filter((one) => one.endsWith('_signing_alg_values_supported'))) {
    const values = body[name] as string[];
    t.false(values.includes('RS256'), name);
    t.false(values.includes('none'), name);
  }
  t.deepEqual(body['id_token_signing_alg_values_supported'], ['ES256']);
  const { keys } = (await sendJson(`${real.issuer}/jwks`, 'GET')).body as { keys: { alg: string }[] };
  t.true(keys.every(({ alg }) => alg === 'ES256'));
  const { status } = await sendJson(`${real.issuer}/reg`, 'POST', {
    redirect_uris: ['https://suite.example/callback'],
  });
  t.is(status, 404);
  t.false((body['token_endpoint_auth_methods_supported'] as string[]).includes('tls_client_auth'));
  t.is(body['mtls_endpoint_aliases'], undefined);
});
