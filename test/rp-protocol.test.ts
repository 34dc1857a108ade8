import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import test from 'ava';
import { createRemoteJWKSet, decodeJwt, jwtVerify, UnsecuredJWT } from 'jose';
import { addCitizen, atHome } from './harness/relying-party.ts';
import { type RunningTown, startTown } from './harness/town.ts';
import {
  answerPages,
  askUserinfo,
  authorize,
  readIdToken,
  redeemTrial,
  registerTrial,
  requestUrl,
  returned,
  sendJson,
  type TrialClient,
  tokenRequest,
} from './harness/trial-client.ts';
import { forms, Visitor } from './harness/visitor.ts';

const CREDENTIALS = { email: 'anna@buerger.example', password: 'drei blaue Häuser am Fluss' };

let town: RunningTown;
let client: TrialClient;
/** How far the town's clock is ahead. */
let aheadMs = 0;

test.before(async () => {
  town = await startTown({ now: () => new Date(Date.now() + aheadMs) });
  await addCitizen(town, CREDENTIALS.email, CREDENTIALS.password);
  client = await registerTrial(town, {
    grant_types: ['authorization_code', 'refresh_token'],
    post_logout_redirect_uris: ['https://suite.example/ende', 'https://suite.example/ende?mit=frage'],
  });
});

test.after.always(() => town?.close());

const signedIn = async (): Promise<Visitor> => {
  const visitor = new Visitor();
  const back = await authorize(town, visitor, client, CREDENTIALS);
  if (back.get('code') === null) throw new Error(`no code: ${back}`);
  return visitor;
};

/** Tokens of a whole sign-in, and the claims of its ID token. */
const tokensOf = async (visitor: Visitor, changes: Record<string, string | undefined> = {}) => {
  const back = await authorize(town, visitor, client, CREDENTIALS, changes);
  const tokens = await redeemTrial(town, client, back.get('code'));
  if (tokens.status !== 200) throw new Error(`${back} ${JSON.stringify(tokens.body)}`);
  const { access_token: access = '', id_token: id = '', refresh_token: refresh = '' } = tokens.body;
  return { access, id, refresh, claims: (await readIdToken(town, client, id)).payload };
};

/** What a request gets back at once, without any page being answered. */
const atOnce = async (visitor: Visitor, changes: Record<string, string | undefined>) =>
  returned(await visitor.open(requestUrl(town, client, changes), atHome(town)));

test.serial('prompt=none answers login_required without a session and a code with one', async (t) => {
  const stranger = await atOnce(new Visitor(), { prompt: 'none' });
  t.is(stranger.get('error'), 'login_required');
  t.is(stranger.get('state'), 'zustand');
  t.is(stranger.get('iss'), town.issuer);
  t.truthy((await atOnce(await signedIn(), { prompt: 'none' })).get('code'));
});

test.serial('prompt=login asks again, and the new time of authentication is in the ID token', async (t) => {
  const visitor = new Visitor();
  const first = await tokensOf(visitor, { max_age: '1000' });
  await new Promise((resolve) => setTimeout(resolve, 1100));
  const page = await visitor.open(requestUrl(town, client, { prompt: 'login', max_age: '1000' }), atHome(town));
  t.true(page.text.includes('name="identifier"'));
  const back = returned(await answerPages(town, visitor, page, CREDENTIALS));
  const tokens = await redeemTrial(town, client, back.get('code'));
  const { payload } = await readIdToken(town, client, tokens.body['id_token'] ?? '');
  t.true(Number(payload['auth_time']) > Number(first.claims['auth_time']));
  t.is(payload.sub, first.claims.sub);
});

test.serial('prompt=consent shows what is shared again; prompt=none with another value is refused', async (t) => {
  const visitor = await signedIn();
  await tokensOf(visitor, { scope: 'openid email' });
  const again = await visitor.open(
    requestUrl(town, client, { prompt: 'consent', scope: 'openid email' }),
    atHome(town),
  );
  t.true(again.text.includes('/consent"'));
  t.is((await atOnce(visitor, { prompt: 'none login' })).get('error'), 'invalid_request');
});

test.serial('max_age lets a young session pass, with auth_time, and asks an old one again', async (t) => {
  const visitor = await signedIn();
  const young = await atOnce(visitor, { max_age: '10000' });
  const tokens = await redeemTrial(town, client, young.get('code'));
  t.is(typeof decodeJwt(tokens.body['id_token'] ?? '')['auth_time'], 'number');
  await new Promise((resolve) => setTimeout(resolve, 2100));
  const page = await visitor.open(requestUrl(town, client, { max_age: '1' }), atHome(town));
  t.true(page.text.includes('name="identifier"'));
  t.is((await atOnce(visitor, { max_age: '1', prompt: 'none' })).get('error'), 'login_required');
});

test.serial('id_token_hint: the same citizen passes, another one must sign in, a forged one is refused', async (t) => {
  const visitor = new Visitor();
  const { id } = await tokensOf(visitor);
  t.truthy((await atOnce(visitor, { prompt: 'none', id_token_hint: id })).get('code'));
  const other = { email: 'berta@buerger.example', password: 'vier grüne Boote im Hafen' };
  await addCitizen(town, other.email, other.password);
  const stranger = new Visitor();
  await authorize(town, stranger, client, other);
  t.is((await atOnce(stranger, { prompt: 'none', id_token_hint: id })).get('error'), 'login_required');
  const forged = `${id.slice(0, id.lastIndexOf('.'))}.${Buffer.alloc(256, 7).toString('base64url')}`;
  t.is((await atOnce(visitor, { prompt: 'none', id_token_hint: forged })).get('error'), 'invalid_request');
});

test.serial('parameters that a suite sends and nobody must know are no obstacle', async (t) => {
  const visitor = await signedIn();
  for (const extra of [
    { acr_values: 'urn:mace:incommon:iap:silver' },
    { ui_locales: 'se' },
    { claims_locales: 'se' },
    { login_hint: 'buffy@suite.example' },
    { display: 'popup' },
    { foo: 'bar' },
    { nonce: undefined },
    { scope: 'openid profile email address phone' },
    { scope: 'openid unbekannt' },
  ] as Record<string, string | undefined>[]) {
    const back = await authorize(town, visitor, client, CREDENTIALS, extra);
    t.truthy(back.get('code'), `${JSON.stringify(extra)} ${back}`);
  }
});

test.serial('the claims parameter works for userinfo and the ID token', async (t) => {
  const { access, claims } = await tokensOf(new Visitor(), {
    claims: JSON.stringify({ userinfo: { email: { essential: true } }, id_token: { auth_time: { essential: true } } }),
  });
  t.is(typeof claims['auth_time'], 'number');
  t.is(claims['email'], undefined);
  const { body } = await askUserinfo(town, access);
  t.is(body['email'], CREDENTIALS.email);
  t.is(body['sub'], claims.sub);
});

test.serial('userinfo answers GET and POST, with the token in the header or the form, and nothing else', async (t) => {
  const { access } = await tokensOf(new Visitor(), { scope: 'openid email' });
  for (const how of ['get', 'post-header', 'post-body'] as const) {
    const info = await askUserinfo(town, access, how);
    t.is(info.status, 200, how);
    t.is(info.body['email'], CREDENTIALS.email, how);
    t.regex(String(info.headers['content-type']), /^application\/json/);
  }
  const inQuery = await new Visitor().send(`${town.issuer}/userinfo?access_token=${access}`);
  t.true(inQuery.status >= 400 && inQuery.status < 500);
  t.is((await askUserinfo(town, 'falsch')).status, 401);
});

test.serial('a request object that is not supported is refused by name', async (t) => {
  const visitor = await signedIn();
  const request = new UnsecuredJWT({ client_id: client.clientId, nonce: 'aus dem Objekt' }).encode();
  const inline = (await atOnce(visitor, { request })).get('error');
  t.true(['request_not_supported', 'invalid_request_object'].includes(inline ?? ''), String(inline));
  const byReference = await atOnce(visitor, { request_uri: 'https://suite.example/request.jwt' });
  t.true(
    ['request_uri_not_supported', 'invalid_request_uri'].includes(byReference.get('error') ?? ''),
    String(byReference),
  );
});

test.serial('response_type is needed, and only code is served', async (t) => {
  const visitor = await signedIn();
  t.is((await atOnce(visitor, { response_type: undefined })).get('error'), 'invalid_request');
  t.is((await atOnce(visitor, { response_type: 'id_token token' })).get('error'), 'unsupported_response_type');
});

test.serial('a code that comes back after half a minute ends the tokens that it gave', async (t) => {
  const back = await authorize(town, await signedIn(), client, CREDENTIALS);
  const tokens = await redeemTrial(town, client, back.get('code'));
  t.is(tokens.status, 200);
  aheadMs += 30_000;
  const again = await redeemTrial(town, client, back.get('code'));
  t.is(again.status, 400);
  t.is(again.body['error'], 'invalid_grant');
  t.is((await askUserinfo(town, tokens.body['access_token'] ?? '')).status, 401);
});

test.serial('refresh tokens: new tokens for the same subject, and not for another client', async (t) => {
  const { refresh, claims } = await tokensOf(new Visitor(), {
    scope: 'openid email offline_access',
    prompt: 'consent',
  });
  t.truthy(refresh);
  const next = await tokenRequest(town, client, { grant_type: 'refresh_token', refresh_token: refresh });
  t.is(next.status, 200, JSON.stringify(next.body));
  const { payload } = await readIdToken(town, client, next.body['id_token'] ?? '');
  t.is(payload.sub, claims.sub);
  t.is(payload['auth_time'], claims['auth_time']);
  t.is((await askUserinfo(town, next.body['access_token'] ?? '')).body['email'], CREDENTIALS.email);
  const other = await registerTrial(town, { grant_types: ['authorization_code', 'refresh_token'] });
  const stolen = await tokenRequest(town, other, { grant_type: 'refresh_token', refresh_token: refresh });
  t.is(stolen.body['error'], 'invalid_grant');
});

test.serial('form_post: the answer is a form that also a browser without script can send', async (t) => {
  const visitor = await signedIn();
  const answer = await visitor.open(requestUrl(town, client, { response_mode: 'form_post' }), atHome(town));
  t.is(answer.status, 200);
  const [form] = forms(answer);
  t.is(form?.action.href, client.redirectUri);
  t.is(form?.method, 'POST');
  const fields = new URLSearchParams(form?.fields ?? []);
  t.is(fields.get('state'), 'zustand');
  t.is(fields.get('iss'), town.issuer);
  t.is((await redeemTrial(town, client, fields.get('code'))).status, 200);
  t.regex(answer.text, /<button[^>]*type="submit"/);
  t.notRegex(String(answer.headers['content-security-policy']), /form-action/);
  const refused = await visitor.open(
    requestUrl(town, client, { response_mode: 'form_post', max_age: '-1' }),
    atHome(town),
  );
  t.truthy(returned(refused).get('error'));
});

test.serial('a request by POST is the same request', async (t) => {
  const visitor = await signedIn();
  const url = requestUrl(town, client);
  const answer = await visitor.send(new URL('/auth', town.issuer), { method: 'POST', body: url.searchParams });
  t.is(answer.status, 303);
  const end = await visitor.follow(answer, atHome(town));
  t.truthy(returned(end).get('code'));
});

test.serial('a client that sends its secret in the form gets its tokens', async (t) => {
  const posting = await registerTrial(town, { token_endpoint_auth_method: 'client_secret_post' });
  const back = await authorize(town, new Visitor(), posting, CREDENTIALS);
  const body = new URLSearchParams({
    grant_type: 'authorization_code',
    code: back.get('code') ?? '',
    redirect_uri: posting.redirectUri,
    client_id: posting.clientId,
    client_secret: String(posting.metadata['client_secret']),
  });
  const answer = await new Visitor().send(new URL('/token', town.issuer), { method: 'POST', body });
  t.is(answer.status, 200, answer.text);
});

/** Ends the session by the page that asks. */
const leave = async (visitor: Visitor, parameters: Record<string, string>) => {
  const url = new URL('/session/end', town.issuer);
  url.search = new URLSearchParams(parameters).toString();
  const page = await visitor.open(url, atHome(town));
  if (page.status !== 200) return page;
  return visitor.submitTo(page, 'confirm', { logout: 'yes' }, atHome(town));
};

test.serial(
  'RP-initiated logout: back to the registered address with its state, and the session is over',
  async (t) => {
    for (const target of ['https://suite.example/ende', 'https://suite.example/ende?mit=frage']) {
      const visitor = new Visitor();
      const { id } = await tokensOf(visitor);
      const end = await leave(visitor, {
        id_token_hint: id,
        post_logout_redirect_uri: target,
        state: 'auf Wiedersehen',
      });
      const location = new URL(String(end.headers['location']));
      t.is(location.searchParams.get('state'), 'auf Wiedersehen');
      location.searchParams.delete('state');
      t.is(location.href, target);
      t.is((await atOnce(visitor, { prompt: 'none' })).get('error'), 'login_required');
    }
  },
);

test.serial('RP-initiated logout without parameters, and with parameters that are wrong', async (t) => {
  const visitor = new Visitor();
  const { id } = await tokensOf(visitor);
  const target = 'https://suite.example/ende';
  const forged = `${id.slice(0, -6)}AAAAAA`;
  for (const wrong of [
    { id_token_hint: id, post_logout_redirect_uri: 'https://suite.example/woanders' },
    { id_token_hint: id, post_logout_redirect_uri: `${target}?mehr=1` },
    { id_token_hint: forged, post_logout_redirect_uri: target },
  ]) {
    const url = new URL('/session/end', town.issuer);
    url.search = new URLSearchParams(wrong).toString();
    const page = await visitor.open(url, atHome(town));
    t.is(page.status, 400, JSON.stringify(wrong).slice(0, 80));
  }
  t.truthy((await atOnce(visitor, { prompt: 'none' })).get('code'));
  const end = await leave(visitor, { state: 'allein' });
  t.is(end.status, 200);
  t.is((await atOnce(visitor, { prompt: 'none' })).get('error'), 'login_required');
});

test.serial('back-channel logout: the token reaches the client, signed and with its session', async (t) => {
  const received: string[] = [];
  const server: Server = createServer((req, res) => {
    let body = '';
    req.on('data', (chunk) => (body += chunk));
    req.on('end', () => {
      received.push(new URLSearchParams(body).get('logout_token') ?? '');
      res.setHeader('cache-control', 'no-store').end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const leaving = await registerTrial(town, {
    application_type: 'web',
    backchannel_logout_uri: `http://127.0.0.1:${(server.address() as AddressInfo).port}/backchannel`,
    backchannel_logout_session_required: true,
    post_logout_redirect_uris: ['https://suite.example/ende'],
  });
  const visitor = new Visitor();
  const back = await authorize(town, visitor, leaving, CREDENTIALS);
  const tokens = await redeemTrial(town, leaving, back.get('code'));
  const { payload } = await readIdToken(town, leaving, tokens.body['id_token'] ?? '');
  await leave(visitor, { id_token_hint: tokens.body['id_token'] ?? '' });
  for (let tries = 0; tries < 100 && received.length === 0; tries += 1)
    await new Promise((resolve) => setTimeout(resolve, 100));
  const keys = createRemoteJWKSet(new URL('/jwks', town.issuer));
  const token = await jwtVerify(received[0] ?? '', keys, { issuer: town.issuer, audience: leaving.clientId });
  t.is(token.protectedHeader.alg, 'RS256');
  t.is(token.protectedHeader.typ, 'logout+jwt');
  t.is(token.payload['sid'], payload['sid']);
  t.truthy(token.payload['sid']);
  t.is(token.payload.sub, payload.sub);
  t.is(token.payload['nonce'], undefined);
  t.deepEqual(Object.keys(token.payload['events'] as object), ['http://schemas.openid.net/event/backchannel-logout']);
});

test.serial('discovery says what is there, and every endpoint it names answers', async (t) => {
  const { body } = await sendJson(new URL('/.well-known/openid-configuration', town.issuer), 'GET');
  t.is(body['issuer'], town.issuer);
  t.deepEqual(body['response_types_supported'], ['code']);
  t.true((body['scopes_supported'] as string[]).includes('openid'));
  t.is(body['claims_parameter_supported'], true);
  for (const [name, address] of Object.entries(body)) {
    if (!name.endsWith('_endpoint') && name !== 'jwks_uri') continue;
    t.true(String(address).startsWith(`${town.issuer}/`), name);
    const get = await new Visitor().send(String(address));
    const post = await new Visitor().send(String(address), { method: 'POST', body: new URLSearchParams({}) });
    t.false(get.status === 404 && post.status === 404, name);
  }
});
