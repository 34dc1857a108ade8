/** Each module of the OpenID Foundation's plan for Basic OP, by its name there (oidcc-basic-certification-test-plan). */
import test, { type ExecutionContext } from 'ava';
import { UnsecuredJWT } from 'jose';
import { addCitizen, atHome, pkce } from './harness/relying-party.ts';
import { SuiteClient } from './harness/suite-client.ts';
import { type RunningTown, startTown } from './harness/town.ts';
import { answerPages, askUserinfo, returned, sendJson } from './harness/trial-client.ts';
import { forms, Visitor } from './harness/visitor.ts';

const CREDENTIALS = { email: 'anna@buerger.example', password: 'drei blaue Häuser am Fluss' };

let town: RunningTown;
/** How far the town's clock is ahead. */
let aheadMs = 0;

test.before(async () => {
  town = await startTown({ now: () => new Date(Date.now() + aheadMs) });
  await addCitizen(town, CREDENTIALS.email, CREDENTIALS.password);
});

test.after.always(() => town?.close());

const register = (metadata: Record<string, unknown> = {}) => SuiteClient.register(town, CREDENTIALS, metadata);

/** A client, and a browser in which the citizen is signed in already. */
const signedIn = async (t: ExecutionContext, metadata: Record<string, unknown> = {}) => {
  const client = await register(metadata);
  const visitor = new Visitor();
  return { client, visitor, first: await client.signIn(t, visitor) };
};

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

test.serial('oidcc-server; oidcc-idtoken-signature', async (t) => {
  const client = await register();
  const { header, claims } = await client.signIn(t, new Visitor());
  t.is(header.alg, 'RS256');
  const { keys } = (await sendJson(`${town.issuer}/jwks`, 'GET')).body as { keys: { kid: string }[] };
  t.true(keys.some(({ kid }) => kid === header.kid));
  t.is(claims.aud, client.clientId);
  await client.unregister(t);
});

test.serial('oidcc-server-client-secret-post', async (t) => {
  const client = await register({ token_endpoint_auth_method: 'client_secret_post' });
  await client.signIn(t, new Visitor());
});

test.serial('oidcc-response-type-missing', async (t) => {
  const client = await register();
  const answer = await client.open(new Visitor(), { response_type: undefined });
  t.is(client.refused(t, answer), 'invalid_request');
});

test.serial('a response_type that is not served', async (t) => {
  const client = await register();
  const answer = await client.open(new Visitor(), { response_type: 'token' });
  t.is(returned(answer).get('error'), 'unsupported_response_type');
});

test.serial('oidcc-userinfo-get; -post-header; -post-body', async (t) => {
  const { client, visitor } = await signedIn(t);
  const { tokens, claims } = await client.signIn(t, visitor, { scope: 'openid email' });
  const access = tokens['access_token'] ?? '';
  for (const how of ['get', 'post-header', 'post-body'] as const) {
    const info = await askUserinfo(town, access, how);
    t.is(info.status, 200, how);
    t.regex(String(info.headers['content-type']), /^application\/json/);
    t.is(info.body['sub'], claims.sub);
    t.is(info.body['email'], CREDENTIALS.email);
  }
  const inQuery = await new Visitor().send(`${town.issuer}/userinfo?access_token=${access}`);
  t.is(inQuery.status, 400);
  t.is((await askUserinfo(town, 'falsch')).status, 401);
});

test.serial('oidcc-ensure-request-without-nonce-succeeds-for-code-flow', async (t) => {
  const client = await register();
  await client.signIn(t, new Visitor(), { nonce: undefined });
});

test.serial('oidcc-scope-profile; -email; -address; -phone; -all; oidcc-alternate-happy-flow', async (t) => {
  const { client, visitor } = await signedIn(t);
  const { body } = await sendJson(`${town.issuer}/.well-known/openid-configuration`, 'GET');
  const supported = body['scopes_supported'] as string[];
  for (const scope of ['profile', 'email', 'address', 'phone', 'profile email address phone']) {
    const asked = scope === 'email' ? 'email openid' : `openid ${scope}`;
    const { tokens } = await client.signIn(t, visitor, { scope: asked });
    const { body: info } = await askUserinfo(town, tokens['access_token'] ?? '');
    t.is(info['email'], scope.includes('email') ? CREDENTIALS.email : undefined);
    if (scope.includes('email')) t.is(info['email_verified'] as unknown, true);
    for (const value of Object.values(info)) t.truthy(value, 'nothing is null or empty');
  }
  t.false(supported.includes('phone'), 'there are no telephone numbers, so the suite skips their module');
});

test.serial('oidcc-display-page; -popup; -ui-locales; -claims-locales; -login-hint; -unknown-parameter', async (t) => {
  const client = await register();
  for (const [name, value] of [
    ['display', 'page'],
    ['display', 'popup'],
    ['ui_locales', 'se'],
    ['claims_locales', 'se'],
    ['login_hint', 'buffy@suite.example'],
    ['extra', 'foobar'],
  ] as const)
    await client.signIn(t, new Visitor(), { [name]: value });
});

test.serial('oidcc-prompt-login', async (t) => {
  const { client, visitor, first } = await signedIn(t);
  await pause(1100);
  const page = await client.open(visitor, { prompt: 'login' });
  t.true(page.text.includes('name="identifier"'));
  const back = returned(await client.finish(visitor, page));
  const { claims } = await client.read(t, await client.redeem(back.get('code')), 'einmal');
  t.true(Number(claims['auth_time'] ?? Infinity) > Number(first.claims['auth_time'] ?? 0));
  t.is(claims.sub, first.claims.sub);
});

test.serial('oidcc-prompt-none-not-logged-in', async (t) => {
  const client = await register();
  t.is(client.refused(t, await client.open(new Visitor(), { prompt: 'none' })), 'login_required');
});

test.serial('oidcc-prompt-none-logged-in', async (t) => {
  const { client, visitor, first } = await signedIn(t);
  const back = returned(await client.open(visitor, { prompt: 'none' }));
  const { claims } = await client.read(t, await client.redeem(back.get('code')), 'einmal');
  t.is(claims.sub, first.claims.sub);
  t.is(claims['auth_time'], first.claims['auth_time']);
  const wrong = await client.open(visitor, { prompt: 'none login' });
  t.is(client.refused(t, wrong), 'invalid_request');
});

test.serial('prompt=consent asks again for what is shared', async (t) => {
  const { client, visitor } = await signedIn(t);
  await client.signIn(t, visitor, { scope: 'openid email' });
  const page = await client.open(visitor, { prompt: 'consent', scope: 'openid email' });
  t.true(page.text.includes('/consent"'));
});

test.serial('oidcc-max-age-1', async (t) => {
  const { client, visitor, first } = await signedIn(t);
  await pause(2100);
  const page = await client.open(visitor, { max_age: '1' });
  t.true(page.text.includes('name="identifier"'));
  const back = returned(await client.finish(visitor, page));
  const { claims } = await client.read(t, await client.redeem(back.get('code')), 'einmal');
  t.true(Number(claims['auth_time']) > Number(first.claims['auth_time'] ?? 0));
  t.true(Number(claims['auth_time']) > Date.now() / 1000 - 30);
  await pause(2100);
  t.is(client.refused(t, await client.open(visitor, { max_age: '1', prompt: 'none' })), 'login_required');
});

test.serial('oidcc-max-age-10000', async (t) => {
  const { client, visitor, first } = await signedIn(t);
  const back = returned(await client.open(visitor, { max_age: '10000' }));
  const { claims } = await client.read(t, await client.redeem(back.get('code')), 'einmal');
  t.is(typeof claims['auth_time'], 'number');
  t.is(claims.sub, first.claims.sub);
});

test.serial('oidcc-id-token-hint', async (t) => {
  const { client, visitor, first } = await signedIn(t);
  const id = first.tokens['id_token'] ?? '';
  const back = returned(await client.open(visitor, { prompt: 'none', id_token_hint: id }));
  const { claims } = await client.read(t, await client.redeem(back.get('code')), 'einmal');
  t.is(claims.sub, first.claims.sub);

  const other = { email: 'berta@buerger.example', password: 'vier grüne Boote im Hafen' };
  await addCitizen(town, other.email, other.password);
  const stranger = new Visitor();
  await answerPages(town, stranger, await client.open(stranger), other);
  const refused = await client.open(stranger, { prompt: 'none', id_token_hint: id });
  t.is(client.refused(t, refused), 'login_required');
  const forged = `${id.slice(0, id.lastIndexOf('.'))}.${Buffer.alloc(256, 7).toString('base64url')}`;
  t.is(client.refused(t, await client.open(visitor, { prompt: 'none', id_token_hint: forged })), 'invalid_request');
});

test.serial('oidcc-ensure-request-with-acr-values-succeeds', async (t) => {
  const client = await register();
  const { body } = await sendJson(`${town.issuer}/.well-known/openid-configuration`, 'GET');
  const supported = body['acr_values_supported'] as string[];
  const { claims } = await client.signIn(t, new Visitor(), { acr_values: supported.join(' ') });
  t.true(supported.includes(String(claims['acr'])), JSON.stringify(claims));
  await client.signIn(t, new Visitor(), { acr_values: '1 2' });
});

test.serial('oidcc-codereuse; oidcc-codereuse-30seconds', async (t) => {
  const { client, visitor } = await signedIn(t);
  for (const later of [0, 30_000]) {
    const back = await client.authorize(t, visitor);
    const tokens = await client.redeem(back.get('code'));
    t.is(tokens.status, 200);
    aheadMs += later;
    const again = await client.redeem(back.get('code'));
    t.is(again.status, 400);
    t.is(again.body['error'], 'invalid_grant');
    t.regex(String(again.headers['content-type']), /^application\/json/);
    t.is((await askUserinfo(town, tokens.body['access_token'] ?? '')).status, 401);
  }
});

test.serial('oidcc-ensure-registered-redirect-uri', async (t) => {
  const client = await register();
  for (const redirect_uri of [
    `${client.redirectUri}/abcDEF1234`,
    `${client.redirectUri}?x=1`,
    'https://else.example/',
  ]) {
    const answer = await client.open(new Visitor(), { redirect_uri });
    t.is(answer.status, 400);
    t.is(answer.headers['location'], undefined);
    t.regex(answer.text, /invalid_redirect_uri/);
  }
});

test.serial('oidcc-ensure-post-request-succeeds', async (t) => {
  const { client, visitor } = await signedIn(t);
  const request = { method: 'POST', body: client.url().searchParams };
  const answer = await visitor.send(new URL('/auth', town.issuer), request);
  t.is(answer.status, 303);
  t.truthy(returned(await visitor.follow(answer, atHome(town))).get('code'));
});

test.serial('oidcc-request-uri-unsigned-…; oidcc-unsigned-request-object-…: refused as not supported', async (t) => {
  const { client, visitor } = await signedIn(t);
  const { body } = await sendJson(`${town.issuer}/.well-known/openid-configuration`, 'GET');
  // So the suite skips what would need unsigned request objects.
  t.false((body['request_object_signing_alg_values_supported'] as string[]).includes('none'));
  t.is(body['request_uri_parameter_supported'], false);
  const request = new UnsecuredJWT({ client_id: client.clientId, nonce: 'aus dem Objekt' }).encode();
  const inline = await client.open(visitor, { request });
  t.is(returned(inline).get('error'), 'invalid_request_object');
  const byReference = await client.open(visitor, { request_uri: 'https://suite.example/request.jwt' });
  t.is(returned(byReference).get('error'), 'request_uri_not_supported');
});

test.serial('oidcc-claims-essential', async (t) => {
  const { client, visitor } = await signedIn(t);
  const { tokens, claims } = await client.signIn(t, visitor, {
    claims: JSON.stringify({ userinfo: { email: { essential: true } }, id_token: { auth_time: { essential: true } } }),
  });
  t.is(typeof claims['auth_time'], 'number');
  t.is(claims['email'], undefined);
  t.is((await askUserinfo(town, tokens['access_token'] ?? '')).body['email'], CREDENTIALS.email);
});

test.serial('oidcc-refresh-token', async (t) => {
  const refreshing = { grant_types: ['authorization_code', 'refresh_token'] };
  const { client, visitor } = await signedIn(t, refreshing);
  const offline = { scope: 'openid offline_access', prompt: 'consent' };
  const { tokens, claims } = await client.signIn(t, visitor, offline);
  t.true(tokens['scope']?.split(' ').includes('offline_access'));
  const refresh = { grant_type: 'refresh_token', refresh_token: tokens['refresh_token'] ?? '' };
  t.regex(refresh.refresh_token, /^[\x20-\x7E]+$/);
  const next = await client.read(t, await client.post({ ...refresh, scope: offline.scope }), 'einmal');
  t.not(next.tokens['access_token'], tokens['access_token']);
  for (const same of ['iss', 'sub', 'aud', 'auth_time']) t.deepEqual(next.claims[same], claims[same], same);
  t.is((await askUserinfo(town, next.tokens['access_token'] ?? '')).status, 200);
  const other = await register(refreshing);
  const stolen = await other.post(refresh);
  t.is(stolen.status, 400);
  t.is(stolen.body['error'], 'invalid_grant');
});

test.serial('oidcc-ensure-request-with-valid-pkce-succeeds', async (t) => {
  const { client, visitor } = await signedIn(t);
  const { verifier, challenge } = pkce();
  const changes = { code_challenge: challenge, code_challenge_method: 'S256' };
  const right = await client.authorize(t, visitor, changes);
  await client.read(t, await client.redeem(right.get('code'), {}, { code_verifier: verifier }), 'einmal');
  const wrong = await client.authorize(t, visitor, changes);
  t.is((await client.redeem(wrong.get('code'))).body['error'], 'invalid_grant');
});

test.serial(
  'form_post: the modules of oidcc-formpost-basic-certification-test-plan get their answers as a form',
  async (t) => {
    const { client, visitor } = await signedIn(t);
    const answer = await client.open(visitor, { response_mode: 'form_post' });
    t.is(answer.status, 200);
    t.regex(String(answer.headers['content-type']), /^text\/html/);
    const [form] = forms(answer);
    t.is(form?.action.href, client.redirectUri);
    t.is(form?.method, 'POST');
    const fields = new URLSearchParams(form?.fields ?? []);
    t.is(fields.get('state'), 'zustand');
    t.is(fields.get('iss'), town.issuer);
    await client.read(t, await client.redeem(fields.get('code')), 'einmal');
    t.regex(answer.text, /<button[^>]*type="submit"/, 'also without script');
    t.regex(answer.text, /<script defer src="[^"]*submit\.js"/, 'engines of test suites run no modules');
    t.notRegex(String(answer.headers['content-security-policy']), /form-action/);
    const refused = await client.open(new Visitor(), { response_mode: 'form_post', prompt: 'none' });
    t.is(returned(refused).get('error'), 'login_required');
    t.is(returned(refused).get('state'), 'zustand');
    t.is(refused.status, 200);
  },
);
