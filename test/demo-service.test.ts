import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import test from 'ava';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import type { Registration } from '../accounts/town.ts';
import { demoPlaces, overlay } from '../infra/sandbox/demo/overlay.ts';
import { DemoService } from '../infra/sandbox/demo/service.ts';

const CLIENT_ID = 'stadtbibliothek';
const EVENT = 'http://schemas.openid.net/event/backchannel-logout';
const REGISTRATION: Registration = {
  clientId: CLIENT_ID,
  organisation: 'stadtbibliothek',
  name: { de: 'Bücher <b>' },
  description: { de: 'Medien' },
  kind: 'web',
  redirectUris: ['https://katalog.stadt.example/callback'],
  postLogoutRedirectUris: ['https://katalog.stadt.example/'],
  authMethod: 'client_secret_basic',
  claims: [
    { claim: 'name', purpose: { de: 'Konto' }, legalBasis: { de: 'Vertrag' }, required: true },
    { claim: 'age_over_18', purpose: { de: 'Eltern' }, legalBasis: { de: 'Vertrag' }, required: false },
  ],
  refreshTokens: false,
  needsEmail: false,
  corsOrigins: [],
  contacts: ['technik@stadt.example'],
};

const { publicKey, privateKey } = await generateKeyPair('ES256');
const stranger = await generateKeyPair('ES256');

/** A provider of the tests' own: metadata and keys, and a token endpoint that hands out what the test has put in. */
let tokenAnswer: Record<string, unknown> = {};
let issuer = '';
const provider = createServer(async (req, res) => {
  const answers: Record<string, unknown> = {
    '/.well-known/openid-configuration': {
      issuer,
      authorization_endpoint: `${issuer}/auth`,
      token_endpoint: `${issuer}/token`,
      userinfo_endpoint: `${issuer}/userinfo`,
      end_session_endpoint: `${issuer}/end`,
      jwks_uri: `${issuer}/jwks`,
      id_token_signing_alg_values_supported: ['ES256'],
    },
    '/jwks': { keys: [{ ...(await exportJWK(publicKey)), kid: 'one', alg: 'ES256', use: 'sig' }] },
    '/token': tokenAnswer,
    '/userinfo': { sub: 'citizen', name: 'Wiebke <i>' },
  };
  res.setHeader('content-type', 'application/json').end(JSON.stringify(answers[req.url ?? ''] ?? {}));
});
let service: DemoService;
const server = createServer((req: IncomingMessage, res: ServerResponse) => service.handler(req, res));
let base = '';

const listening = (one: typeof server): Promise<number> =>
  new Promise((resolve) => one.listen(0, '127.0.0.1', () => resolve((one.address() as AddressInfo).port)));

test.before(async () => {
  issuer = `http://localhost:${await listening(provider)}`;
  base = `http://localhost:${await listening(server)}/`;
  const registration = overlay({ registration: REGISTRATION, base: new URL(base) });
  const organisation = { de: 'Stadtbibliothek' };
  service = new DemoService({
    registration,
    organisation,
    base: new URL(base),
    issuer: new URL(issuer),
    clientSecret: 'x',
  });
});

test.after.always(() => {
  for (const one of [provider, server]) {
    one.close();
    one.closeAllConnections();
  }
});

const call = (path: string, options: RequestInit = {}): Promise<Response> =>
  fetch(new URL(path, base), { redirect: 'manual', ...options });

const cookieOf = (answer: Response): string => answer.headers.get('set-cookie')?.split(';')[0] ?? '';

/** Begins a sign-in; the cookie and the parameters that went to the provider. */
const begin = async (cookie = ''): Promise<{ cookie: string; sent: URLSearchParams }> => {
  const answer = await call('login', { method: 'POST', headers: { cookie } });
  return { cookie: cookieOf(answer), sent: new URL(answer.headers.get('location') ?? '').searchParams };
};

const idToken = (claims: Record<string, unknown>, key = privateKey): Promise<string> =>
  new SignJWT({ sub: 'citizen', sid: 'session-1', ...claims })
    .setProtectedHeader({ alg: 'ES256', kid: 'one' })
    .setIssuer(issuer)
    .setAudience(CLIENT_ID)
    .setIssuedAt()
    .setExpirationTime('5m')
    .sign(key);

const signIn = async (): Promise<string> => {
  const { cookie, sent } = await begin();
  tokenAnswer = { access_token: 'a', token_type: 'bearer', id_token: await idToken({ nonce: sent.get('nonce') }) };
  const answer = await call(`callback?code=c&state=${sent.get('state')}&iss=${encodeURIComponent(issuer)}`, {
    headers: { cookie },
  });
  return cookieOf(answer);
};

const isSignedIn = async (cookie: string): Promise<boolean> =>
  (await (await call('', { headers: { cookie } })).text()).includes('id="subject"');

test.serial('a sign-in asks with PKCE, state, nonce and what the registration names', async (t) => {
  const { cookie, sent } = await begin();
  t.regex(cookie, /^demo_stadtbibliothek=/, 'a name of its own, as localhost shares its cookies');
  t.is(sent.get('code_challenge_method'), 'S256');
  t.is(sent.get('scope'), 'openid profile');
  t.deepEqual(JSON.parse(sent.get('claims') ?? ''), { userinfo: { age_over_18: null } });
  t.true((sent.get('state') ?? '').length > 20 && (sent.get('nonce') ?? '').length > 20);
});

test.serial('a good answer signs in under a new session, and everything shown is escaped', async (t) => {
  const before = await begin();
  const cookie = await signIn();
  t.not(cookie, before.cookie);
  const text = await (await call('', { headers: { cookie } })).text();
  t.regex(text, /id="subject">citizen</);
  t.regex(text, /Wiebke &lt;i&gt;/);
  t.notRegex(text, /Wiebke <i>|Bücher <b>/);
});

test.serial('an answer that this browser did not ask for is refused', async (t) => {
  const mine = await begin();
  const other = await begin();
  tokenAnswer = { access_token: 'a', token_type: 'bearer', id_token: await idToken({ nonce: mine.sent.get('nonce') }) };
  const query = `callback?code=c&state=${mine.sent.get('state')}&iss=${encodeURIComponent(issuer)}`;
  for (const cookie of ['', other.cookie]) t.is((await call(query, { headers: { cookie } })).status, 400);
  t.is((await call(query, { headers: { cookie: mine.cookie } })).status, 303);
  t.is((await call(query, { headers: { cookie: mine.cookie } })).status, 400, 'once only');
});

test.serial('an ID token of another nonce, key or audience is refused', async (t) => {
  for (const make of [
    () => idToken({ nonce: 'other' }),
    (nonce: string) => idToken({ nonce }, stranger.privateKey),
    (nonce: string) =>
      new SignJWT({ sub: 'citizen', nonce })
        .setProtectedHeader({ alg: 'ES256', kid: 'one' })
        .setIssuer(issuer)
        .setAudience('other')
        .setIssuedAt()
        .setExpirationTime('5m')
        .sign(privateKey),
  ]) {
    const { cookie, sent } = await begin();
    tokenAnswer = { access_token: 'a', token_type: 'bearer', id_token: await make(sent.get('nonce') ?? '') };
    const answer = await call(`callback?code=c&state=${sent.get('state')}&iss=${encodeURIComponent(issuer)}`, {
      headers: { cookie },
    });
    t.is(answer.status, 502);
    t.false(await isSignedIn(cookieOf(answer) || cookie));
  }
});

test.serial('only the service’s own provider may start a sign-in, and only towards the service', async (t) => {
  const start = (query: Record<string, string>) => call(`login?${new URLSearchParams(query)}`);
  t.is((await start({})).status, 400);
  t.is((await start({ iss: 'https://evil.example' })).status, 400);
  t.is((await start({ iss: `${issuer}.evil.example` })).status, 400);
  const answer = await start({ iss: issuer, login_hint: 'hint', target_link_uri: 'https://evil.example/' });
  t.is(answer.status, 303);
  const sent = new URL(answer.headers.get('location') ?? '').searchParams;
  t.is(sent.get('login_hint'), 'hint');
  tokenAnswer = { access_token: 'a', token_type: 'bearer', id_token: await idToken({ nonce: sent.get('nonce') }) };
  const back = await call(`callback?code=c&state=${sent.get('state')}&iss=${encodeURIComponent(issuer)}`, {
    headers: { cookie: cookieOf(answer) },
  });
  t.is(back.headers.get('location'), base, 'no open redirector');
});

test.serial('a refusal of the provider is shown with its code', async (t) => {
  const { cookie, sent } = await begin();
  const query = new URLSearchParams({ error: 'access_denied', state: sent.get('state') ?? '', iss: issuer });
  const answer = await call(`callback?${query}`, { headers: { cookie } });
  t.regex(await answer.text(), /<code>access_denied<\/code>/);
  t.false(await isSignedIn(cookie));
});

type Token = {
  claims?: Record<string, unknown>;
  type?: string;
  key?: typeof privateKey;
  audience?: string;
  age?: number;
};

const logout = async ({ claims = {}, type = 'logout+jwt', key = privateKey, audience = CLIENT_ID, age = 0 }: Token) => {
  const issuedAt = Math.floor(Date.now() / 1000) - age;
  const token = await new SignJWT({ events: { [EVENT]: {} }, jti: crypto.randomUUID(), sid: 'session-1', ...claims })
    .setProtectedHeader({ alg: 'ES256', kid: 'one', typ: type })
    .setIssuer(issuer)
    .setAudience(audience)
    .setIssuedAt(issuedAt)
    .setExpirationTime(issuedAt + 120)
    .sign(key);
  return call('backchannel-logout', { method: 'POST', body: new URLSearchParams({ logout_token: token }) });
};

const FORGED: Record<string, Token> = {
  'by another key': { key: stranger.privateKey },
  'for another service': { audience: 'stadtwerke' },
  'of another type': { type: 'JWT' },
  'an hour old': { age: 3600 },
  'without the event': { claims: { events: {} } },
  'with a nonce': { claims: { nonce: 'x' } },
  'for nobody': { claims: { sid: undefined } },
};
for (const [name, token] of Object.entries(FORGED)) {
  test.serial(`a logout token is refused: ${name}`, async (t) => {
    const cookie = await signIn();
    const answer = await logout(token);
    t.is(answer.status, 400);
    t.is(((await answer.json()) as { error: string }).error, 'invalid_request');
    t.true(await isSignedIn(cookie));
  });
}

test.serial('a logout token ends the sessions of its sid, or of its subject, and is good once', async (t) => {
  const cookie = await signIn();
  t.is((await logout({ claims: { sid: 'another' } })).status, 200);
  t.true(await isSignedIn(cookie));
  t.is((await logout({ claims: { jti: 'same' } })).status, 200);
  t.false(await isSignedIn(cookie));
  t.is((await logout({ claims: { jti: 'same' } })).status, 400);
  const again = await signIn();
  t.is((await logout({ claims: { sid: undefined, sub: 'citizen' } })).status, 200);
  t.false(await isSignedIn(again));
  t.is((await call('backchannel-logout', { method: 'POST', body: 'x'.repeat(100_000) })).status, 400);
});

const tell = async (claims: Record<string, unknown>, key = privateKey, type = 'application/secevent+jwt') => {
  const token = await new SignJWT({
    events: { 'https://schemas.openid.net/secevent/risc/event-type/account-purged': {} },
    sub_id: { format: 'iss_sub', iss: issuer, sub: 'citizen' },
    jti: crypto.randomUUID(),
    ...claims,
  })
    .setProtectedHeader({ alg: 'ES256', kid: 'one', typ: 'secevent+jwt' })
    .setIssuer(issuer)
    .setAudience(CLIENT_ID)
    .setIssuedAt()
    .sign(key);
  return call('security-events', { method: 'POST', body: token, headers: { 'content-type': type } });
};

test.serial('a security event ends the sessions of its subject and is shown; a forged one is refused', async (t) => {
  const cookie = await signIn();
  for (const forged of [
    await tell({}, stranger.privateKey),
    await tell({}, privateKey, 'application/json'),
    await tell({ sub_id: { format: 'iss_sub', iss: 'https://other.example', sub: 'citizen' } }),
    await tell({ sub_id: undefined }),
    await tell({ events: { 'https://schemas.openid.net/secevent/risc/event-type/account-enabled': {} } }),
  ]) {
    t.is(forged.status, 400);
    t.is(((await forged.json()) as { err: string }).err, 'invalid_request');
  }
  t.true(await isSignedIn(cookie));
  t.is((await tell({ jti: 'once' })).status, 202);
  t.false(await isSignedIn(cookie));
  t.is((await tell({ jti: 'once' })).status, 202, 'acknowledged again');
  const shown = await (await call('', { headers: { 'accept-language': 'en' } })).text();
  t.is(shown.split('The account is deleted').length, 2, 'once');
});

test.serial('signing out ends the session here and goes on to the provider', async (t) => {
  const cookie = await signIn();
  const answer = await call('logout', { method: 'POST', headers: { cookie } });
  const target = new URL(answer.headers.get('location') ?? '');
  t.is(target.origin + target.pathname, `${issuer}/end`);
  t.is(target.searchParams.get('post_logout_redirect_uri'), base);
  t.truthy(target.searchParams.get('id_token_hint'));
  t.false(await isSignedIn(cookie));
});

test('demos take the place of web services; apps keep their own addresses beside', (t) => {
  const app: Registration = { ...REGISTRATION, clientId: 'app', kind: 'native', authMethod: 'none' };
  const api: Registration = { ...REGISTRATION, clientId: 'api', kind: 'api' };
  const keyed: Registration = {
    ...REGISTRATION,
    clientId: 'keyed',
    authMethod: 'private_key_jwt',
    jwksUri: 'https://a.example/jwks',
  };
  const places = demoPlaces([REGISTRATION, app, api, keyed], { services: [3001, 3002, 3003], others: 3004 });
  t.deepEqual(
    places.map(({ base: { href } }) => href),
    ['http://localhost:3001/', 'http://localhost:3004/app/', 'http://localhost:3002/'],
  );
  const [library, phone, other] = places.map(overlay);
  t.deepEqual(library?.redirectUris, ['http://localhost:3001/callback']);
  t.deepEqual(phone?.redirectUris, ['https://katalog.stadt.example/callback', 'http://localhost:3004/app/callback']);
  t.is(other?.authMethod, 'client_secret_basic');
  t.false(other !== undefined && 'jwksUri' in other);
});
