import test from 'ava';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { CREDENTIALS, type FapiTown, opened, startFapiTown } from './harness/fapi-town.ts';
import type { RunningTown } from './harness/town.ts';
import { sendJson } from './harness/trial-client.ts';
import { Visitor } from './harness/visitor.ts';

let town: RunningTown;
let clients: FapiTown['clients'];

test.before(async () => {
  ({ town, clients } = await startFapiTown());
});

test.after.always(() => town?.close());

for (const name of ['jwtdpop', 'jwtmtls', 'tlstls', 'selftls', 'signing'] as const) {
  test.serial(
    `${name}: pushed request, code, bound tokens, userinfo, refresh, introspection, revocation`,
    async (t) => {
      const client = clients[name];
      const { back, proof } = await client.obtainCode(new Visitor(), CREDENTIALS);
      const answer = await opened(town, back, name);
      t.is(answer.get('iss'), town.issuer);
      t.is(answer.get('state'), 'zustand');
      const tokens = await client.redeem(answer.get('code'), proof.verifier);
      t.is(tokens.status, 200, JSON.stringify(tokens.body));
      const { access_token: access = '', refresh_token: refresh = '', id_token: id = '' } = tokens.body;
      t.is(tokens.body['token_type'], client.variant.bound === 'dpop' ? 'DPoP' : 'Bearer');
      const keys = createRemoteJWKSet(new URL('/jwks', town.issuer));
      const idToken = await jwtVerify(id, keys, { issuer: town.issuer, audience: name });
      t.is(idToken.protectedHeader.alg, 'ES256');
      t.is((await client.userinfo(access)).body['sub'], idToken.payload.sub);

      const asked = await client.post('/token/introspection', { token: access });
      t.is(asked.status, 200, JSON.stringify(asked.body));
      t.is(asked.body['active'] as unknown, true);
      const { cnf } = asked.body as unknown as { cnf: Record<string, string> };
      t.truthy(client.variant.bound === 'dpop' ? cnf['jkt'] : cnf['x5t#S256']);

      const next = await client.post('/token', { grant_type: 'refresh_token', refresh_token: refresh });
      t.is(next.status, 200, JSON.stringify(next.body));
      t.is(next.body['refresh_token'], refresh, 'refresh tokens are not rotated (FAPI 2.0 §5.3.2.1-9)');
      t.is((await client.userinfo(next.body['access_token'] ?? '')).status, 200);
      t.is((await client.post('/token/revocation', { token: refresh })).status, 200);
      const gone = await client.post('/token', { grant_type: 'refresh_token', refresh_token: refresh });
      t.is(gone.body['error'], 'invalid_grant');
    },
  );
}

test.serial('message signing: introspection is answered by a signed JWT to those who ask for one', async (t) => {
  const client = clients.signing;
  const { back, proof } = await client.obtainCode(new Visitor(), CREDENTIALS);
  const tokens = await client.redeem((await opened(town, back, 'signing')).get('code'), proof.verifier);
  const answer = await client.post(
    '/token/introspection',
    { token: tokens.body['access_token'] },
    { headers: { accept: 'application/token-introspection+jwt' } },
  );
  t.regex(String(answer.headers['content-type']), /^application\/token-introspection\+jwt/);
  const keys = createRemoteJWKSet(new URL('/jwks', town.issuer));
  const { payload, protectedHeader } = await jwtVerify(answer.body['text'] ?? '', keys, { issuer: town.issuer });
  t.is(protectedHeader.typ, 'token-introspection+jwt');
  t.is((payload['token_introspection'] as { active: boolean }).active, true);
});

test.serial('discovery says what works: algorithms, methods and where certificates are taken', async (t) => {
  const { body } = await sendJson(new URL('/.well-known/openid-configuration', town.issuer), 'GET');
  const aliases = body['mtls_endpoint_aliases'] as Record<string, string>;
  t.is(aliases['token_endpoint'], `${town.mtlsOrigin}/token`);
  for (const address of Object.values(aliases))
    t.not((await new Visitor().send(address, { method: 'POST', body: new URLSearchParams({}) })).status, 404, address);
  t.is(body['tls_client_certificate_bound_access_tokens'], true);
  t.is(body['authorization_response_iss_parameter_supported'], true);
  for (const method of ['private_key_jwt', 'tls_client_auth', 'self_signed_tls_client_auth'])
    t.true((body['token_endpoint_auth_methods_supported'] as string[]).includes(method));
  t.deepEqual(body['code_challenge_methods_supported'], ['S256']);
  t.true((body['response_modes_supported'] as string[]).includes('jwt'));
});
