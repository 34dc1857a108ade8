/** The budget of issue 3 at the whole provider, pages and guard included: how often a request goes to the store. */
import test from 'ava';
import { openCountedTown, seen, statements } from './harness/counted-town.ts';
import { basic, obtainCode, pkce, post, redeem, type Tokens, userinfo } from './harness/relying-party.ts';
import type { RunningTown } from './harness/town.ts';
import type { Visitor } from './harness/visitor.ts';

let town: RunningTown;
let visitor: Visitor;

test.before(async () => {
  [town, visitor] = await openCountedTown();
});
test.after.always(() => town?.close());

for (const [name, scope] of [
  ['fahrkarte', 'openid'],
  ['portal', 'openid email profile'],
] as const) {
  test.serial(`${name}: authorize and token 4 round trips, userinfo and introspection 1`, async (t) => {
    const walk = async (): Promise<Tokens> => {
      const proof = pkce();
      const code = await obtainCode(town, visitor, name, proof, undefined, { scope });
      return redeem(town, name, code, proof.verifier);
    };
    await walk();
    let tokens: Tokens | undefined;
    const flow = await statements(async () => {
      tokens = await walk();
    });
    t.is(tokens?.status, 200, JSON.stringify(tokens?.body));
    t.true(flow <= 4, seen.join('\n---\n'));
    const token = tokens?.body['access_token'] ?? '';
    let claims: Tokens | undefined;
    const asked = await statements(async () => {
      claims = await userinfo(town, token);
    });
    t.is(claims?.status, 200);
    if (name === 'portal') t.truthy(claims?.body['email']);
    t.true(asked <= 1, seen.join('\n---\n'));
    let active: Tokens | undefined;
    const introspected = await statements(async () => {
      active = await post(town, '/token/introspection', { token }, basic(town, name));
    });
    t.is(active?.body['active'], true as never);
    t.true(introspected <= 1, seen.join('\n---\n'));
  });
}

test.serial('an ID token holds no personal data, also where a service asks for it there by name', async (t) => {
  const proof = pkce();
  const claims = JSON.stringify({ id_token: { email: { essential: true }, name: null }, userinfo: { email: null } });
  const code = await obtainCode(town, visitor, 'portal', proof, undefined, { scope: 'openid email profile', claims });
  const { body } = await redeem(town, 'portal', code, proof.verifier);
  const inToken = JSON.parse(Buffer.from(body['id_token']?.split('.')[1] ?? '', 'base64url').toString());
  t.deepEqual(Object.keys(inToken).sort(), ['aud', 'exp', 'iat', 'iss', 'nonce', 'sid', 'sub']);
  t.truthy((await userinfo(town, body['access_token'] ?? '')).body['email']);
});

test.serial('a rotating refresh 2 round trips, client credentials 1 as opaque token and none as JWT', async (t) => {
  const proof = pkce();
  const code = await obtainCode(town, visitor, 'fahrkarte', proof, undefined, {
    client_id: 'app',
    redirect_uri: 'https://app.stadt.example/callback',
  });
  const redeemed = await post(town, '/token', {
    grant_type: 'authorization_code',
    code,
    client_id: 'app',
    redirect_uri: 'https://app.stadt.example/callback',
    code_verifier: proof.verifier,
  });
  t.is(redeemed.status, 200, JSON.stringify(redeemed.body));
  let refreshed: Tokens | undefined;
  const refresh = await statements(async () => {
    const token = redeemed.body['refresh_token'] ?? '';
    refreshed = await post(town, '/token', { grant_type: 'refresh_token', refresh_token: token, client_id: 'app' });
  });
  t.is(refreshed?.status, 200, JSON.stringify(refreshed?.body));
  t.not(refreshed?.body['refresh_token'], redeemed.body['refresh_token']);
  t.true(refresh <= 2, seen.join('\n---\n'));

  const machine = basic(town, 'maschine');
  let opaque: Tokens | undefined;
  const one = await statements(async () => {
    opaque = await post(town, '/token', { grant_type: 'client_credentials' }, machine);
  });
  t.is(opaque?.status, 200);
  t.is(one, 1);
  let jwt: Tokens | undefined;
  const none = await statements(async () => {
    const fields = { grant_type: 'client_credentials', resource: 'https://api.stadt.example/', scope: 'lesen' };
    jwt = await post(town, '/token', fields, machine);
  });
  t.is(jwt?.body['access_token']?.split('.').length, 3, JSON.stringify(jwt?.body));
  t.is(none, 0);
});

test.serial('discovery and JWKS ask nobody, carry an ETag and answer 304 to it', async (t) => {
  for (const path of ['/.well-known/openid-configuration', '/jwks']) {
    let answer = await visitor.send(new URL(path, town.issuer));
    t.is(
      await statements(async () => {
        answer = await visitor.send(new URL(path, town.issuer));
      }),
      0,
    );
    t.is(answer.status, 200);
    t.regex(String(answer.headers['content-type']), /json/);
    t.is(answer.headers['access-control-allow-origin'], '*');
    t.truthy(JSON.parse(answer.text));
    const etag = String(answer.headers['etag']);
    const again = await visitor.send(new URL(path, town.issuer), { headers: { 'if-none-match': `W/"x", ${etag}` } });
    t.is(again.status, 304);
    t.is(again.text, '');
    t.is((await visitor.send(new URL(path, town.issuer), { headers: { 'if-none-match': '"x"' } })).status, 200);
  }
});
