/**
 * What is answered without oidc-provider's middleware (provider/direct/) is answered as with it: each request is sent both
 * ways, the second time with a parameter that oidc-provider ignores and that the direct way leaves to it.
 */
import test, { type ExecutionContext } from 'ava';
import { errors } from 'oidc-provider';
import type { Registration } from '../accounts/town.ts';
import { openCountedTown } from './harness/counted-town.ts';
import { serviceWith } from './harness/registration.ts';
import { authorizationUrl, basic, obtainCode, type Pkce, pkce } from './harness/relying-party.ts';
import type { RunningTown, ServiceName } from './harness/town.ts';
import { type Answer, Visitor } from './harness/visitor.ts';

const API = 'https://api.stadt.example/';
const APP_CALLBACK = 'https://app.stadt.example/callback';
const EXTRA: Registration[] = [
  serviceWith('maschine', { kind: 'api' }),
  serviceWith('schnittstelle', {
    kind: 'api',
    resource: { identifier: API, scopes: ['lesen', 'schreiben'], tokens: 'opaque' },
  }),
  serviceWith('jwtapi', { kind: 'api', resource: { identifier: `${API}jwt`, scopes: ['lesen'], tokens: 'jwt' } }),
  serviceWith('app', { kind: 'native', authMethod: 'none', redirectUris: [APP_CALLBACK], refreshTokens: true }),
  serviceWith('dauerhaft', { redirectUris: [APP_CALLBACK], refreshTokens: true }),
  serviceWith('geheim', {
    securityProfile: 'fapi2',
    boundTokens: 'dpop',
    authMethod: 'private_key_jwt',
    redirectUris: [APP_CALLBACK],
    jwks: { keys: [] },
  }),
];

let town: RunningTown;
let visitor: Visitor;
/** How many requests went through Koa. */
let throughKoa = 0;

test.before(async () => {
  [town, visitor] = await openCountedTown({ registrations: EXTRA });
  const provider = town.app.provider();
  const plain = provider.createContext.bind(provider);
  provider.createContext = ((...args: Parameters<typeof plain>) => {
    throughKoa += 1;
    return plain(...args);
  }) as typeof provider.createContext;
});
test.after.always(() => town?.close());

const IGNORED = 'nichts';

type Request = {
  readonly path: string;
  readonly fields?: Record<string, string> | [string, string][];
  readonly headers?: Record<string, string>;
  readonly as?: Visitor;
};

const send = async ({ path, fields, headers = {}, as = new Visitor() }: Request, ignored: boolean): Promise<Answer> => {
  const url = new URL(path, town.issuer);
  const body = fields === undefined ? undefined : new URLSearchParams(fields);
  if (ignored) (body ?? url.searchParams).append(IGNORED, '1');
  return as.send(url, {
    ...(body !== undefined && { method: 'POST', body }),
    headers: { accept: 'application/json', ...headers },
  });
};

type Ways = { readonly direct: Answer; readonly other: Answer; readonly wasDirect: boolean };

const both = async (request: Request, second: Request = request): Promise<Ways> => {
  const before = throughKoa;
  const direct = await send(request, false);
  const wasDirect = throughKoa === before;
  const other = await send(second, true);
  if (throughKoa === before + (wasDirect ? 0 : 1)) throw new Error('the second way was direct, too');
  return { direct, other, wasDirect };
};

/** Names of headers in lower case; without what differs between any two answers. */
const headersOf = ({ headers }: Answer): Record<string, unknown> => {
  const {
    'x-request-id': _id,
    date: _date,
    'content-length': _length,
    location,
    'set-cookie': cookies,
    ...rest
  } = headers;
  const where = typeof location === 'string' ? new URL(location) : undefined;
  if (where?.searchParams.has('code')) where.searchParams.set('code', '…');
  // Both cookies were set within a second or two of one another.
  const set = (cookies as string[] | undefined)?.map((line) => line.replace(/expires=[^;]*/, 'expires=…'));
  return { ...rest, ...(where && { location: where.href }), ...(set && { cookies: set }) };
};

const json = ({ text }: Answer): Record<string, unknown> => JSON.parse(text) as Record<string, unknown>;
const claimsOf = (jwt: unknown): Record<string, unknown> =>
  JSON.parse(Buffer.from(String(jwt).split('.')[1] ?? '', 'base64url').toString()) as Record<string, unknown>;

/** What must be equal of two answers with different tokens. */
const outline = (answer: Answer): object => {
  const { access_token, refresh_token, id_token, ...rest } = json(answer);
  const shape = (value: unknown): string => String(value).replace(/[A-Za-z0-9_-]+/g, (word) => `${word.length > 30}`);
  const told = id_token === undefined ? undefined : { ...claimsOf(id_token), iat: 0, exp: 0 };
  return {
    order: Object.keys(json(answer)),
    ...rest,
    access: shape(access_token),
    refresh: shape(refresh_token),
    told,
  };
};

const sameTokens = (t: ExecutionContext, { direct, other, wasDirect }: Ways): void => {
  t.true(wasDirect);
  t.is(direct.status, 200, direct.text);
  t.is(other.status, 200, other.text);
  t.deepEqual(headersOf(direct), headersOf(other));
  t.deepEqual(outline(direct), outline(other));
};

/** What is kept of a token or code, without what every one has of its own. */
const kept = async (model: 'AccessToken' | 'RefreshToken' | 'ClientCredentials', value: unknown): Promise<object> => {
  const { [model]: Model } = town.app.provider() as unknown as Record<string, { find(id: string): Promise<object> }>;
  const found = await Model?.find(String(value));
  if (found === undefined) throw new Error(`no ${model}`);
  return { ...found, jti: '', iat: 0, exp: 0, iiat: 0 };
};

const sameKept = async (t: ExecutionContext, ways: Ways, lasting = false): Promise<void> => {
  const [one, two] = [json(ways.direct), json(ways.other)];
  t.deepEqual(await kept('AccessToken', one['access_token']), await kept('AccessToken', two['access_token']));
  if (!lasting) return;
  t.deepEqual(await kept('RefreshToken', one['refresh_token']), await kept('RefreshToken', two['refresh_token']));
};

const sameRefusal = (t: ExecutionContext, { direct, other, wasDirect }: Ways, status = 400): void => {
  t.false(wasDirect);
  t.is(direct.status, status, direct.text);
  t.deepEqual(headersOf(direct), headersOf(other));
  t.deepEqual(json(direct), json(other));
};

const codeFor = (name: string, proof: Pkce, changes: Record<string, string> = {}): Promise<string> =>
  obtainCode(town, visitor, 'fahrkarte', proof, undefined, {
    client_id: name,
    redirect_uri: name in town.services ? `${town.services[name as ServiceName].origin}/callback` : APP_CALLBACK,
    ...changes,
  });

const redemption = async (name: string, changes: Record<string, string> = {}): Promise<Request> => {
  const proof = pkce();
  const fields = {
    grant_type: 'authorization_code',
    code: await codeFor(name, proof),
    redirect_uri: name in town.services ? `${town.services[name as ServiceName].origin}/callback` : APP_CALLBACK,
    code_verifier: proof.verifier,
    ...(name === 'app' && { client_id: 'app' }),
    ...changes,
  };
  const headers: Record<string, string> = name === 'app' ? {} : { authorization: basic(town, name as ServiceName) };
  return { path: '/token', fields, headers };
};

const tokensOf = async (name: string): Promise<Record<string, string>> =>
  json(await send(await redemption(name), false)) as Record<string, string>;

test.serial('a sign-on with a running session: the same redirect, cookies and code', async (t) => {
  const url = authorizationUrl(town, 'portal', pkce(), { scope: 'openid email profile', state: 'a b&c=d/ü' });
  for (const accept of ['text/html', 'application/json', '*/*']) {
    const ways = await both({ path: url.href, headers: { accept }, as: visitor });
    t.true(ways.wasDirect);
    t.is(ways.direct.status, 303);
    t.deepEqual(headersOf(ways.direct), headersOf(ways.other));
    const plain = ({ text }: Answer): string => text.replace(/code=[\w-]+/, 'code=…');
    t.is(plain(ways.direct), plain(ways.other));
  }
});

test.serial('codes: the same tokens, kept in the same way', async (t) => {
  for (const name of ['portal', 'fahrkarte', 'app', 'dauerhaft']) {
    const ways = await both(await redemption(name), await redemption(name));
    sameTokens(t, ways);
    await sameKept(t, ways, name === 'app' || name === 'dauerhaft');
  }
});

test.serial('a secret in the form, and one in the header with the id in the form', async (t) => {
  const fields = { grant_type: 'client_credentials', client_id: 'maschine', client_secret: town.secretOf('maschine') };
  sameTokens(t, await both({ path: '/token', fields }));
  const authorization = basic(town, 'maschine' as ServiceName);
  const named = { grant_type: 'client_credentials', client_id: 'maschine' };
  sameTokens(t, await both({ path: '/token', fields: named, headers: { authorization } }));
});

test.serial('refresh tokens: rotated where they are, the same elsewhere', async (t) => {
  for (const name of ['app', 'dauerhaft']) {
    const [first, second] = [await tokensOf(name), await tokensOf(name)];
    const request = (token: string | undefined): Request => ({
      path: '/token',
      fields: { grant_type: 'refresh_token', refresh_token: token ?? '', ...(name === 'app' && { client_id: 'app' }) },
      headers: name === 'app' ? {} : { authorization: basic(town, name as ServiceName) },
    });
    const ways = await both(request(first['refresh_token']), request(second['refresh_token']));
    sameTokens(t, ways);
    await sameKept(t, ways, true);
    const again = await both(
      request(json(ways.direct)['refresh_token'] as string),
      request(json(ways.other)['refresh_token'] as string),
    );
    sameTokens(t, again);
    await sameKept(t, again, true);
    t.is(json(again.direct)['refresh_token'] === json(ways.direct)['refresh_token'], name === 'dauerhaft');
  }
});

test.serial('a service in its own name: opaque, for an API, as JWT', async (t) => {
  const headers = { authorization: basic(town, 'maschine' as ServiceName) };
  const base = { grant_type: 'client_credentials' };
  const opaque = await both({ path: '/token', fields: base, headers });
  sameTokens(t, opaque);
  const [one, two] = [json(opaque.direct)['access_token'], json(opaque.other)['access_token']];
  t.deepEqual(await kept('ClientCredentials', one), await kept('ClientCredentials', two));
  const forApi = { path: '/token', fields: { ...base, resource: API, scope: 'lesen fremd schreiben' }, headers };
  sameTokens(t, await both(forApi));
  const jwt = await both({ path: '/token', fields: { ...base, resource: `${API}jwt`, scope: 'lesen' }, headers });
  sameTokens(t, jwt);
  const inside = ({ direct, other }: Ways): object[] =>
    [direct, other].map((answer) => ({ ...claimsOf(json(answer)['access_token']), jti: '', iat: 0, exp: 0 }));
  t.deepEqual(inside(jwt)[0], inside(jwt)[1]);
});

test.serial('userinfo and introspection say the same of the same token', async (t) => {
  for (const name of ['portal', 'fahrkarte', 'app']) {
    const { access_token: token = '', refresh_token: refresh } = await tokensOf(name);
    const headers = { authorization: `Bearer ${token}` };
    const told = await both({ path: '/userinfo', headers });
    t.true(told.wasDirect);
    t.is(told.direct.status, 200);
    t.is(told.direct.text, told.other.text);
    t.deepEqual(headersOf(told.direct), headersOf(told.other));
    const asked = [token, refresh, `x${token.slice(1)}`].filter((value) => value !== undefined);
    for (const value of asked) {
      const fields = { token: value, ...(name === 'app' && { client_id: 'app' }) };
      const as: Record<string, string> = name === 'app' ? {} : { authorization: basic(town, name as ServiceName) };
      const active = await both({ path: '/token/introspection', fields, headers: as });
      t.true(active.wasDirect);
      t.is(active.direct.text, active.other.text);
      t.deepEqual(headersOf(active.direct), headersOf(active.other));
      t.is(json(active.direct)['active'], value === token || value === refresh);
    }
    const foreign = await both({
      path: '/token/introspection',
      fields: { token },
      headers: { authorization: basic(town, 'strom') },
    });
    t.is(foreign.direct.text, '{"active":false}');
    t.is(foreign.direct.text, foreign.other.text);
  }
  const headers = { authorization: basic(town, 'maschine' as ServiceName) };
  const fields = { grant_type: 'client_credentials', resource: API, scope: 'lesen' };
  const token = String(json(await send({ path: '/token', fields, headers }, false))['access_token']);
  for (const name of ['maschine', 'schnittstelle']) {
    const authorization = basic(town, name as ServiceName);
    const active = await both({ path: '/token/introspection', fields: { token }, headers: { authorization } });
    t.is(active.direct.text, active.other.text);
    t.is(json(active.direct)['active'], true);
  }
});

test.serial('whatever is refused is refused by oidc-provider, in its words', async (t) => {
  const wrong: Record<string, string> = { authorization: basic(town, 'portal', 'falsch') };
  sameRefusal(t, await both({ ...(await redemption('portal')), headers: wrong }), 401);
  const twice: [string, string][] = [
    ['grant_type', 'client_credentials'],
    ['grant_type', 'client_credentials'],
  ];
  const machine = { authorization: basic(town, 'maschine' as ServiceName) };
  sameRefusal(t, await both({ path: '/token', fields: twice, headers: machine }));
  for (const fields of [
    { grant_type: 'client_credentials', resource: 'https://fremd.example/' },
    { grant_type: 'client_credentials', resource: `${API}#teil` },
    { grant_type: 'client_credentials', resource: API, scope: 'le"sen' },
    { grant_type: 'authorization_code', code: 'x'.repeat(43), redirect_uri: APP_CALLBACK },
    { grant_type: 'refresh_token', refresh_token: 'x'.repeat(43) },
    { grant_type: 'client_credentials', client_id: 'portal' },
    { grant_type: 'client_credentials', client_secret: 'noch eins' },
    {},
  ]) {
    sameRefusal(t, await both({ path: '/token', fields: fields as Record<string, string>, headers: machine }));
  }
  for (const changes of [
    { code_verifier: 'y'.repeat(43) },
    { code_verifier: 'kurz' },
    { code_verifier: '' },
    { redirect_uri: `${APP_CALLBACK}/` },
    { redirect_uri: '' },
    { code: 'x'.repeat(43) },
    { code: '' },
  ]) {
    const ways = await both(await redemption('app', changes), await redemption('app', changes));
    sameRefusal(t, ways);
  }
  // Another service's code.
  const stolen = async (): Promise<Request> => {
    const { fields } = await redemption('portal');
    return { path: '/token', ...(fields && { fields }), headers: { authorization: basic(town, 'strom') } };
  };
  sameRefusal(t, await both(await stolen(), await stolen()));
  // Tokens that are none, or are presented in another way than by the header.
  for (const authorization of [
    'Bearer',
    'Bearer x',
    `Bearer ${'x'.repeat(43)}`,
    'Basic eDp5',
    `DPoP ${'x'.repeat(43)}`,
  ]) {
    const { direct, other, wasDirect } = await both({ path: '/userinfo', headers: { authorization } });
    t.false(wasDirect);
    t.is(direct.status, other.status);
    t.is(direct.text, other.text);
    t.deepEqual(headersOf(direct), headersOf(other));
  }
});

test.serial('a code that was spent ends what it gave, whichever way it comes', async (t) => {
  for (const ignored of [false, true]) {
    const request = await redemption('portal');
    const given = json(await send(request, false));
    const headers = { authorization: `Bearer ${String(given['access_token'])}` };
    t.is((await send({ path: '/userinfo', headers }, false)).status, 200);
    t.is((await send(request, ignored)).status, 400);
    t.is((await send({ path: '/userinfo', headers }, false)).status, 401);
  }
});

test.serial(
  'special requests are left alone: a client of a profile, another method, an Origin, a question to the citizen',
  async (t) => {
    const asks = async (changes: Record<string, string | undefined>, name: ServiceName = 'fahrkarte'): Promise<Ways> =>
      both({ path: authorizationUrl(town, name, pkce(), changes).href, as: visitor });
    for (const changes of [
      { prompt: 'login' },
      { prompt: 'none' },
      { max_age: '1' },
      { ui_locales: 'en' },
      { acr_values: 'https://refeds.org/profile/mfa' },
      { claims: '{"id_token":{"auth_time":null}}' },
      { scope: 'openid offline_access' },
      { scope: 'profile' },
      { response_type: 'token' },
      { response_mode: 'form_post' },
      { code_challenge_method: 'plain' },
      { code_challenge: 'kurz' },
      { code_challenge: undefined, code_challenge_method: undefined },
      { redirect_uri: 'https://fremd.example/' },
      { client_id: 'niemand' },
      { client_id: 'geheim', redirect_uri: APP_CALLBACK },
      { request_uri: 'urn:ietf:params:oauth:request_uri:x' },
    ]) {
      const { direct, other, wasDirect } = await asks(changes);
      t.false(wasDirect, JSON.stringify(changes));
      t.is(direct.status, other.status, JSON.stringify(changes));
    }
    // Nobody has allowed this service anything yet.
    t.false((await asks({ scope: 'openid email' }, 'strom')).wasDirect);
    const { access_token: token = '' } = await tokensOf('portal');
    const origin = await both({
      path: '/userinfo',
      headers: { authorization: `Bearer ${token}`, origin: 'https://fremd.example' },
    });
    t.false(origin.wasDirect);
    t.is(origin.direct.text, origin.other.text);
  },
);

test.serial('a query that two parsers read differently is left alone', async (t) => {
  const { href } = authorizationUrl(town, 'fahrkarte', pkce());
  const many = '&'.repeat(1001);
  for (const tail of ['prompt=login', 'max_age=0', 'redirect_uri=https://fremd.example/']) {
    const before = throughKoa;
    const { headers } = await visitor.send(`${href}${many}${tail}`);
    t.true(throughKoa > before, tail);
    t.false(String(headers['location']).includes('code='), tail);
  }
});

test.serial('who may want a signed answer of introspection is answered by oidc-provider', async (t) => {
  const { access_token: token = '' } = await tokensOf('portal');
  for (const [accept, isDirect] of [
    ['*/*', true],
    ['application/json', true],
    ['Application/Token-Introspection+JWT', false],
    ['application/json;q=0.5, application/*', false],
    ['application/json;q=0.1, */*', false],
  ] as const) {
    const headers = { authorization: basic(town, 'portal'), accept };
    const { direct, other, wasDirect } = await both({ path: '/token/introspection', fields: { token }, headers });
    t.is(wasDirect, isDirect, accept);
    t.is(direct.headers['content-type'], other.headers['content-type'], accept);
  }
});

test.serial('a grant that ends while it is extended: the service is told, as by oidc-provider', async (t) => {
  const { Grant } = town.app.provider();
  const plain = Grant.prototype.save;
  Grant.prototype.save = () => Promise.reject(new errors.InvalidGrant('grant not found'));
  try {
    const ways = await both({
      path: authorizationUrl(town, 'fahrkarte', pkce(), { scope: 'openid email' }).href,
      as: visitor,
    });
    const told = ({ status, headers }: Answer): unknown[] => [
      status,
      String(headers['location']).replace(/iss=.*/, ''),
    ];
    t.deepEqual(told(ways.direct), told(ways.other));
  } finally {
    Grant.prototype.save = plain;
  }
});

test.serial('what the store refuses last of all is told as by oidc-provider', async (t) => {
  const { RefreshToken } = town.app.provider();
  const [first, second] = [await tokensOf('app'), await tokensOf('app')];
  const request = (token: string | undefined): Request => ({
    path: '/token',
    fields: { grant_type: 'refresh_token', refresh_token: token ?? '', client_id: 'app' },
  });
  const plain = RefreshToken.prototype.consume;
  RefreshToken.prototype.consume = () => Promise.reject(new errors.InvalidGrant('refresh token already used'));
  try {
    const { direct, other } = await both(request(first['refresh_token']), request(second['refresh_token']));
    t.is(direct.status, 400);
    t.deepEqual(headersOf(direct), headersOf(other));
    t.deepEqual(json(direct), json(other));
  } finally {
    RefreshToken.prototype.consume = plain;
  }
});

test.serial('cookies: a foreign signature, another browser’s session, none, two of a name', async (t) => {
  const url = authorizationUrl(town, 'fahrkarte', pkce());
  const own = visitor.cookies.filter(({ name }) => name.includes('session'));
  const header = own.map(({ name, value }) => `${name}=${value}`).join('; ');
  for (const cookie of [
    '',
    own[0] === undefined ? '' : `${own[0].name}=${own[0].value}`,
    header.replace(/(\.sig=)./, '$1_'),
    header.replace(/(session=)./, '$1_'),
    `${header}; ${header}`,
    // What other hosts of the town may set, as it does not begin with the prefix __Host-.
    own.map(({ name, value }) => `\u00a0${name}=${value}`).join('; '),
    own.map(({ name, value }) => `\t${name}=${value}`).join('; '),
  ]) {
    const answer = await new Visitor().send(url, { headers: { cookie } });
    const { location = '' } = answer.headers;
    // Two of a name: oidc-provider takes the first, and it is the right one here.
    const signedOn = String(location).includes('code=');
    t.is(signedOn, cookie.startsWith(`${header};`), cookie);
  }
  t.true(
    String((await new Visitor().send(url, { headers: { cookie: header } })).headers['location']).includes('code='),
  );
});

test.serial('a locked account: no sign-on, no token, no userinfo, whatever was given before', async (t) => {
  const code = await redemption('portal');
  const { access_token: token = '' } = await tokensOf('portal');
  const { refresh_token: refresh = '' } = await tokensOf('app');
  const account = (await town.app.provider().AccessToken.find(token))?.accountId ?? '';
  await town.database.pool.query(`UPDATE accounts SET status = 'locked' WHERE id = $1`, [account]);
  try {
    t.is((await send(code, false)).status, 400);
    const fields = { grant_type: 'refresh_token', refresh_token: refresh, client_id: 'app' };
    t.is((await send({ path: '/token', fields }, false)).status, 400);
    t.is((await send({ path: '/userinfo', headers: { authorization: `Bearer ${token}` } }, false)).status, 401);
    const asked = {
      path: '/token/introspection',
      fields: { token },
      headers: { authorization: basic(town, 'portal') },
    };
    t.is((await send(asked, false)).text, '{"active":false}');
    const answer = await send({ path: authorizationUrl(town, 'portal', pkce()).href, as: visitor }, false);
    t.false(String(answer.headers['location']).includes('code='));
  } finally {
    await town.database.pool.query(`UPDATE accounts SET status = 'active' WHERE id = $1`, [account]);
  }
});
