import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import * as oidc from 'openid-client';
import { importGraph } from '../infra/mock/graph.ts';
import { type Mock, startMock } from '../infra/mock/mock.ts';

const CALLBACK = 'http://localhost:8080/callback';
const PROFILE = 'openid profile email address';

let mock: Mock;
let config: oidc.Configuration;

test.before(async () => {
  mock = await startMock({ port: 0 });
  config = await discover(mock);
});

test.after.always(() => mock?.stop());
test.afterEach.always(() => tell('POST', 'reset'));

const discover = (of: Mock): Promise<oidc.Configuration> =>
  oidc.discovery(new URL(of.issuer), 'meindienst', of.secret, undefined, { execute: [oidc.allowInsecureRequests] });

type Said = { status: number; body: Record<string, unknown> };
const tell = async (method: string, path: string, body?: object): Promise<Said> => {
  const answer = await fetch(`${mock.issuer}/mock/${path}`, {
    method,
    ...(body && { body: JSON.stringify(body) }),
  });
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
};

/** A browser of the plainest kind: where it ends, off the provider or on a page. */
const follow = async (start: URL): Promise<{ url: URL; text: string }> => {
  const jar = new Map<string, string>();
  for (let url = start, step = 0; step < 10; step += 1) {
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
    const answer = await fetch(url, { redirect: 'manual', headers: { cookie } });
    for (const line of answer.headers.getSetCookie()) {
      const [name = '', value = ''] = (line.split(';', 1)[0] ?? '').split('=');
      jar.set(name, value);
    }
    const location = answer.headers.get('location');
    if (location === null) return { url, text: await answer.text() };
    url = new URL(location, url);
    if (url.origin !== start.origin) return { url, text: '' };
  }
  throw new Error('it leads nowhere');
};

type Request = { url: URL; verifier: string; nonce: string; state: string };
const request = async (changes: Record<string, string> = {}): Promise<Request> => {
  const [verifier, nonce, state] = [oidc.randomPKCECodeVerifier(), oidc.randomNonce(), oidc.randomState()];
  const url = oidc.buildAuthorizationUrl(config, {
    redirect_uri: CALLBACK,
    scope: PROFILE,
    code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    nonce,
    state,
    ...changes,
  });
  return { url, verifier, nonce, state };
};

/** A whole sign-in without a browser: tokens and what userinfo says. */
const signIn = async (citizen: string, changes: Record<string, string> = {}, more: object = {}) => {
  const { url, verifier, nonce, state } = await request(changes);
  const said = await tell('POST', 'sign-in', { citizen, url: url.href, ...more });
  if (said.status !== 200) throw new Error(JSON.stringify(said.body));
  const tokens = await oidc.authorizationCodeGrant(config, new URL(String(said.body['redirect'])), {
    pkceCodeVerifier: verifier,
    expectedNonce: nonce,
    expectedState: state,
  });
  const claims = tokens.claims();
  if (claims === undefined) throw new Error('no ID token');
  return { tokens, claims, info: await oidc.fetchUserInfo(config, tokens.access_token, claims.sub) };
};

const refused = async (citizen: string, changes: Record<string, string> = {}): Promise<string> => {
  const said = await tell('POST', 'sign-in', { citizen, url: (await request(changes)).url.href });
  return String(
    (said.body['parameters'] as Record<string, string> | undefined)?.['error'] ?? JSON.stringify(said.body),
  );
};

test.serial('a complete code flow with openid-client, no browser anywhere', async (t) => {
  const { tokens, info, claims } = await signIn('wiebke');
  t.like(info, { given_name: 'Wiebke', email: 'wiebke.lindenhoff@example.org', email_verified: true });
  t.deepEqual(claims['amr'] ?? ['pop', 'user', 'mfa'], ['pop', 'user', 'mfa']);
  const refreshed = await oidc.refreshTokenGrant(config, tokens.refresh_token ?? '');
  t.truthy(refreshed.access_token);
});

test.serial('each citizen is as the list says', async (t) => {
  const { body } = await tell('GET', '');
  const citizens = body['citizens'] as { citizen: string; acr: string; language: string }[];
  t.true(citizens.length >= 12);
  t.is((await signIn('ottokar')).info.email, undefined, 'no e-mail');
  t.is((await signIn('deniz')).info['age_over_18'] ?? false, false, 'a minor');
  t.is(
    (await signIn('deniz', { scope: 'openid', claims: '{"userinfo":{"age_over_18":null}}' })).info['age_over_18'],
    false,
  );
  for (const { citizen, language } of citizens.filter((one) => ['tr', 'uk', 'ar', 'pl', 'en'].includes(one.language)))
    t.is((await signIn(citizen)).info.locale, language);
  const sparse = await signIn('nele');
  t.like(sparse.info, { given_name: 'Nele', family_name: 'Sparsam', email: undefined });
  t.is(await refused('carl'), 'access_denied');
  t.is(await refused('gesa'), 'access_denied');
});

test.serial('levels are those of the evidence: high by eID, refused where the citizen cannot reach it', async (t) => {
  const high = 'http://eidas.europa.eu/LoA/high';
  t.is((await signIn('eike', { acr_values: high })).claims['acr'], high);
  const essential = JSON.stringify({ id_token: { acr: { essential: true, value: high } } });
  t.is(await refused('deniz', { claims: essential }), 'unmet_authentication_requirements');
});

test.serial('a name changes between two sign-ins, the subject does not', async (t) => {
  const [before, after] = [await signIn('jana'), await signIn('jana')];
  t.is(before.info.family_name, 'Althaus');
  t.is(after.info.family_name, 'Neuhaus');
  t.is(before.claims.sub, after.claims.sub);
  t.is((await tell('POST', 'citizens/wiebke', { family_name: 'Anders' })).status, 200);
  t.is((await signIn('wiebke')).info.family_name, 'Anders');
  await tell('POST', 'citizens/wiebke', { status: 'locked' });
  t.is(await refused('wiebke'), 'access_denied');
  await tell('POST', 'reset');
  t.is((await signIn('wiebke')).info.family_name, 'Lindenhoff');
});

test.serial(
  'login_hint signs in within any browser; errors by hint, header and order, once or several times',
  async (t) => {
    const { url: back } = await follow((await request({ login_hint: 'mock:emma' })).url);
    t.truthy(back.searchParams.get('code'));
    const { url: failed } = await follow((await request({ login_hint: 'mock:error=temporarily_unavailable' })).url);
    t.is(failed.searchParams.get('error'), 'temporarily_unavailable');

    await tell('POST', 'faults', { endpoint: 'token', error: 'invalid_grant', times: 2 });
    for (let count = 0; count < 2; count += 1)
      await t.throwsAsync(signIn('wiebke'), { message: /server responded with an error|invalid_grant|unexpected/i });
    await t.notThrowsAsync(signIn('wiebke'));
    const byHeader = await fetch(`${mock.issuer}/userinfo`, { headers: { 'x-mock-fault': 'temporarily_unavailable' } });
    t.is(byHeader.status, 503);
    t.is(byHeader.headers.get('retry-after'), '1');
    t.is((await tell('POST', 'faults', { endpoint: 'nowhere' })).status, 400);
  },
);

test.serial('wrong ID tokens, which a service must notice', async (t) => {
  for (const idToken of ['signature', 'nonce', 'audience', 'issuer', 'expired'] as const) {
    await tell('POST', 'faults', { endpoint: 'token', idToken });
    if (idToken === 'signature') oidc.enableNonRepudiationChecks(config);
    await t.throwsAsync(signIn('wiebke'), undefined, idToken);
  }
  config = await discover(mock);
  await t.notThrowsAsync(signIn('wiebke'));
});

test.serial('single sign-on, sign-out and the logout token at the service', async (t) => {
  const received: string[] = [];
  const service = createServer(async (req, res) => {
    for await (const chunk of req) received.push(String(chunk));
    res.end();
  }).listen(0, 'localhost');
  t.teardown(() => service.close());
  await new Promise((resolve) => service.once('listening', resolve));
  const { port } = service.address() as AddressInfo;
  const registered = await tell('POST', 'clients', {
    client_id: 'zweitdienst',
    redirect_uris: [CALLBACK],
    backchannel_logout_uri: `http://localhost:${port}/logout`,
    client_secret: 'geheim',
  });
  t.deepEqual(registered, { status: 201, body: { client_id: 'zweitdienst', client_secret: 'geheim' } });
  const first = await request();
  first.url.searchParams.set('client_id', 'zweitdienst');
  t.is((await tell('POST', 'sign-in', { citizen: 'wiebke', url: first.url.href })).status, 200);
  const silent = await request({ prompt: 'none' });
  silent.url.searchParams.set('client_id', 'zweitdienst');
  const again = await tell('POST', 'sign-in', { citizen: 'wiebke', url: silent.url.href, keepSession: true });
  t.truthy((again.body['parameters'] as Record<string, string>)['code']);
  t.is((await tell('POST', 'sign-out', { citizen: 'wiebke' })).status, 200);
  const late = Date.now() + 20_000;
  while (received.length === 0 && Date.now() < late) await new Promise((resolve) => setTimeout(resolve, 20));
  t.regex(received[0] ?? 'nothing came', /^logout_token=/);
});

test.serial('what went wrong can be asked; a service that is not right is not registered', async (t) => {
  const { url } = await request({ redirect_uri: 'http://localhost:8080/callback/' });
  t.is(
    await refused('wiebke', { redirect_uri: url.searchParams.get('redirect_uri') ?? '' }).then((said) =>
      /invalid_redirect_uri/.test(said),
    ),
    true,
  );
  const late = Date.now() + 20_000;
  let failures: { cause: string; what: string }[] = [];
  while (failures.length === 0 && Date.now() < late)
    failures = (await tell('GET', 'failures/meindienst')).body['failures'] as typeof failures;
  t.is(failures[0]?.cause, 'redirect-uri');
  t.regex(failures[0]?.what ?? '', /not registered/);
  const wrong = await tell('POST', 'clients', { client_id: 'falsch', redirect_uris: ['nirgends'] });
  t.is(wrong.status, 400);
});

test.serial('the same authorization request by pages: nothing is skipped unless it is asked for', async (t) => {
  t.true((await follow((await request()).url)).text.includes('name="identifier"'));
});

test.serial('several mocks run side by side and know nothing of each other', async (t) => {
  const first = { mock, config };
  const other = await startMock({ port: 0 });
  t.teardown(() => other.stop());
  await tell('POST', 'citizens/wiebke', { family_name: 'Nurhier' });
  try {
    mock = other;
    config = await discover(other);
    t.is((await signIn('wiebke')).info.family_name, 'Lindenhoff');
  } finally {
    ({ mock, config } = first);
  }
  t.is((await signIn('wiebke')).info.family_name, 'Nurhier');
});

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const ours = (entry: string): string[] =>
  [...importGraph(`${ROOT}${entry}`).files].map((file) => file.slice(ROOT.length));

test('neither mock nor sandbox nor tests are anywhere in what production loads', (t) => {
  for (const entry of ['provider/main.ts', 'admin-cli/main.ts']) {
    const files = ours(entry);
    t.true(files.length > 30, entry);
    t.deepEqual(
      files.filter((file) => file.startsWith('infra/') || file.startsWith('test/')),
      [],
    );
  }
  t.true(ours('infra/mock/main.ts').includes('infra/mock/automatic.ts'), 'the walk does see such files');
  t.true(ours('provider/main.ts').includes('adapters/hashing-worker.ts'), 'also those that are started');
});
