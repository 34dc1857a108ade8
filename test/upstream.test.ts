import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { exportJWK, generateKeyPair, SignJWT, UnsecuredJWT } from 'jose';
import { createUpstream, type UpstreamPending, type UpstreamSettings } from '../adapters/upstream-oidc.ts';
import { startStaffIdp } from '../infra/sandbox/counterparts/staff-idp.ts';
import { memoryMarks, silentLog } from './harness/eid.ts';

const REDIRECT = 'http://localhost:1/upstream/callback';
const SECRET = 'a-secret-of-the-tests';
const settings = (issuer: string): UpstreamSettings => ({
  issuer: new URL(issuer),
  clientId: 'stadtschluessel',
  clientSecret: SECRET,
  redirectUri: new URL(REDIRECT),
  levels: { 'urn:town:mfa': 'substantial' },
  insecureLoopback: true,
});
const parts = () => ({ now: () => new Date(), once: memoryMarks(), log: silentLog });

/** Follows a sign-in at the staff's provider as a browser does; returns the callback. */
const signInAt = async (url: string, person: string): Promise<URL> => {
  const jar = new Map<string, string>();
  const go = async (address: string, init: RequestInit = {}) => {
    const answer = await fetch(address, {
      ...init,
      redirect: 'manual',
      headers: { cookie: [...jar].map((pair) => pair.join('=')).join('; ') },
    });
    for (const line of answer.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      jar.set(name, value);
    }
    return new URL(answer.headers.get('location') ?? address, address);
  };
  const page = await go(url);
  let next = await go(page.href, { method: 'POST', body: new URLSearchParams({ person }) });
  for (let hops = 0; next.origin !== 'http://localhost:1' && hops < 5; hops += 1) next = await go(next.href);
  return next;
};

test('staff sign in with issuer and subject, and their acr is worth what the policy says', async (t) => {
  const idp = await startStaffIdp({
    port: 0,
    clientId: 'stadtschluessel',
    clientSecret: SECRET,
    redirectUri: REDIRECT,
  });
  t.teardown(idp.close);
  const upstream = createUpstream(settings(idp.issuer), parts());
  const proven = async (person: string) => {
    const begun = await upstream.begin();
    if (begun.outcome !== 'begun') throw new Error('not begun');
    return upstream.finish(await signInAt(begun.url, person), begun.pending);
  };
  const weber = await proven('k.weber');
  t.like(weber, {
    outcome: 'proven',
    issuer: idp.issuer,
    subject: 'k.weber',
    level: 'substantial',
    amr: ['pwd', 'otp', 'mfa'],
  });
  t.like(await proven('s.yilmaz'), { subject: 's.yilmaz', level: 'none', amr: ['pwd'] });
  t.deepEqual(await proven(''), { outcome: 'refused', error: 'access_denied' });
});

test('a callback of another sign-in, a changed state and a used code are refused', async (t) => {
  const idp = await startStaffIdp({
    port: 0,
    clientId: 'stadtschluessel',
    clientSecret: SECRET,
    redirectUri: REDIRECT,
  });
  t.teardown(idp.close);
  const upstream = createUpstream(settings(idp.issuer), parts());
  const [one, two] = [await upstream.begin(), await upstream.begin()];
  if (one.outcome !== 'begun' || two.outcome !== 'begun') return t.fail();
  const callback = await signInAt(one.url, 'k.weber');
  t.deepEqual(await upstream.finish(callback, two.pending), { outcome: 'untrusted' });
  t.deepEqual(await upstream.finish(callback, { ...one.pending, verifier: two.pending.verifier }), {
    outcome: 'untrusted',
  });
  const again = await signInAt(two.url, 'k.weber');
  t.is((await upstream.finish(again, two.pending)).outcome, 'proven');
  t.deepEqual(await upstream.finish(again, two.pending), { outcome: 'untrusted' });
});

/** A provider that answers whatever a test says. */
const falseProvider = async (t: ExecutionContext) => {
  const { publicKey, privateKey } = await generateKeyPair('ES256');
  const stranger = await generateKeyPair('ES256');
  const state = { idToken: '' };
  const server = createServer((req, res) => {
    const json = (body: object): void =>
      void res.setHeader('content-type', 'application/json').end(JSON.stringify(body));
    if (req.url === '/.well-known/openid-configuration')
      return json({
        issuer,
        authorization_endpoint: `${issuer}/auth`,
        token_endpoint: `${issuer}/token`,
        jwks_uri: `${issuer}/jwks`,
        id_token_signing_alg_values_supported: ['ES256', 'none'],
        response_types_supported: ['code'],
        subject_types_supported: ['public'],
      });
    if (req.url === '/jwks')
      return void exportJWK(publicKey).then((key) => json({ keys: [{ ...key, kid: 'k', alg: 'ES256', use: 'sig' }] }));
    return json({ access_token: 'a', token_type: 'Bearer', expires_in: 60, id_token: state.idToken });
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const issuer = `http://localhost:${(server.address() as AddressInfo).port}`;
  t.teardown(() => void server.close());
  const now = Math.floor(Date.now() / 1000);
  const usual = (pending: UpstreamPending) => ({
    iss: issuer,
    aud: 'stadtschluessel',
    sub: 'x',
    nonce: pending.nonce,
    iat: now,
    exp: now + 60,
  });
  const sign = (claims: Record<string, unknown>, key = privateKey, typ?: string) =>
    new SignJWT(claims).setProtectedHeader({ alg: 'ES256', kid: 'k', ...(typ !== undefined && { typ }) }).sign(key);
  return { issuer, usual, sign, stranger: stranger.privateKey, state, now };
};

test('an id_token without nonce, for others, unsigned, by others or out of its time is refused', async (t) => {
  const { issuer, usual, sign, stranger, state, now } = await falseProvider(t);
  const upstream = createUpstream(settings(issuer), parts());
  const attempt = async (make: (pending: UpstreamPending) => Promise<string> | string) => {
    const begun = await upstream.begin();
    if (begun.outcome !== 'begun') throw new Error('not begun');
    state.idToken = await make(begun.pending);
    return upstream.finish(new URL(`${REDIRECT}?code=c&state=${begun.pending.state}`), begun.pending);
  };
  t.like(await attempt((pending) => sign(usual(pending))), { outcome: 'proven', subject: 'x', level: 'none' });
  const bad: Record<string, (pending: UpstreamPending) => Promise<string> | string> = {
    'no nonce': (pending) => sign({ ...usual(pending), nonce: undefined }),
    'another nonce': (pending) => sign({ ...usual(pending), nonce: 'n' }),
    'another audience': (pending) => sign({ ...usual(pending), aud: 'other' }),
    'several audiences, no azp': (pending) => sign({ ...usual(pending), aud: ['stadtschluessel', 'other'] }),
    'another issuer': (pending) => sign({ ...usual(pending), iss: 'https://other.example' }),
    expired: (pending) => sign({ ...usual(pending), exp: now - 600 }),
    'no subject': (pending) => sign({ ...usual(pending), sub: undefined }),
    'a stranger’s key': (pending) => sign(usual(pending), stranger),
    'alg none': (pending) => new UnsecuredJWT(usual(pending)).encode(),
    'HMAC with the secret': (pending) =>
      new SignJWT(usual(pending)).setProtectedHeader({ alg: 'HS256' }).sign(Buffer.from(SECRET)),
    'no id_token': () => '',
  };
  for (const [name, make] of Object.entries(bad)) t.deepEqual(await attempt(make), { outcome: 'untrusted' }, name);
});

test('an answer of another issuer is refused, by what the redirect says and by what the metadata says', async (t) => {
  const { issuer, usual, sign, state } = await falseProvider(t);
  const upstream = createUpstream(settings(issuer), parts());
  const begun = await upstream.begin();
  if (begun.outcome !== 'begun') return t.fail();
  state.idToken = await sign(usual(begun.pending));
  const callback = (iss: string) =>
    new URL(`${REDIRECT}?code=c&state=${begun.pending.state}&iss=${encodeURIComponent(iss)}`);
  // RFC 9207 §2.4: mixed up with another server that this client might know.
  t.deepEqual(await upstream.finish(callback('https://other.example'), begun.pending), { outcome: 'untrusted' });
  t.like(await upstream.finish(callback(issuer), begun.pending), { outcome: 'proven' });

  // The metadata of one server under the address of another.
  const liar = createServer((_req, res) => {
    res.setHeader('content-type', 'application/json');
    res.end(JSON.stringify({ issuer, authorization_endpoint: `${issuer}/auth`, token_endpoint: `${issuer}/token` }));
  });
  await new Promise<void>((resolve) => void liar.listen(0, '127.0.0.1', resolve));
  t.teardown(() => void liar.close());
  const mixed = createUpstream(settings(`http://localhost:${(liar.address() as AddressInfo).port}`), parts());
  t.deepEqual(await mixed.begin(), { outcome: 'unavailable' });
});

test('a logout token counts once, and only a genuine one', async (t) => {
  const { issuer, sign, stranger, now } = await falseProvider(t);
  const upstream = createUpstream(settings(issuer), parts());
  let jti = 0;
  const usual = () => ({
    iss: issuer,
    aud: 'stadtschluessel',
    sub: 'x',
    sid: 's',
    iat: now,
    exp: now + 60,
    jti: `j${jti++}`,
    events: { 'http://schemas.openid.net/event/backchannel-logout': {} },
  });
  const genuine = await sign(usual(), undefined, 'logout+jwt');
  t.deepEqual(await upstream.logout(genuine), { issuer, subject: 'x', sid: 's' });
  t.is(await upstream.logout(genuine), undefined);
  for (const [name, token] of Object.entries({
    nonce: await sign({ ...usual(), nonce: 'n' }),
    'no event': await sign({ ...usual(), events: {} }),
    nobody: await sign({ ...usual(), sub: undefined, sid: undefined }),
    audience: await sign({ ...usual(), aud: 'other' }),
    issuer: await sign({ ...usual(), iss: 'https://other.example' }),
    old: await sign({ ...usual(), iat: now - 3600, exp: now + 60 }),
    stranger: await sign(usual(), stranger),
    'an id_token': await sign({ ...usual(), events: undefined }),
    none: new UnsecuredJWT(usual()).encode(),
    rubbish: 'x.y.z',
  })) {
    t.is(await upstream.logout(token), undefined, name);
  }
});

test('a provider that is away makes nobody wait twice', async (t) => {
  const upstream = createUpstream(settings('http://localhost:9'), parts());
  for (let count = 0; count < 5; count += 1) t.deepEqual(await upstream.begin(), { outcome: 'unavailable' });
  t.false(upstream.up());
});
