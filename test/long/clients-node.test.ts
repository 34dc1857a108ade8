/** Client libraries from npm, as their makers mean them to be used, through a real browser. */

import { readFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import * as oauth from 'oauth4webapi';
import * as oidc from 'openid-client';
import type { Page } from '../harness/browser.ts';
import { answerPages, CITIZEN, type RealClients, startRealClients, type Wanted } from '../harness/real-clients.ts';

const EXEMPTION = { reason: 'passport-openidconnect has no PKCE', until: '2099-12-31' };

const WANTED: Wanted[] = [
  { clientId: 'openidclient' },
  { clientId: 'oauth4webapi', authMethod: 'client_secret_post' },
  { clientId: 'expressoidc', backchannel: '/backchannel-logout' },
  { clientId: 'passport', authMethod: 'client_secret_post', pkceExemption: EXEMPTION },
  { clientId: 'spa', kind: 'spa', authMethod: 'none', callback: '/', bye: '/' },
];

let place: RealClients;

test.before(async () => {
  place = await startRealClients(WANTED);
});

test.after.always(() => place?.close());

const program = (file: string): string => fileURLToPath(new URL(`../relying-parties/${file}`, import.meta.url));

for (const [clientId, file] of [
  ['expressoidc', 'express-openid-connect.mjs'],
  ['passport', 'passport.mjs'],
] as const) {
  test.serial(`${file}: signs in, reads claims, refreshes, signs out`, async (t) => {
    await place.run(process.execPath, [program(file)], clientId);
    const base = place.base(clientId);
    const page = await place.newPage();
    const citizen = await place.visit(page, `${base}/`);
    t.is(citizen['email'], CITIZEN.email);
    t.regex(String(citizen['sub']), /^[\w-]{43}$/);
    const again = await place.visit(page, `${base}/refresh`);
    t.like(again, { refreshed: true, sub: citizen['sub'], email: CITIZEN.email });
    t.deepEqual(await place.visit(page, `${base}/logout`), { bye: true });
    t.true(await place.isAsked(page, `${base}/`));
    await page.context().close();
  });
}

test.serial('express-openid-connect: ends its session when the citizen signs out elsewhere', async (t) => {
  const base = place.base('expressoidc');
  const page = await place.newPage();
  await place.visit(page, `${base}/`);
  t.deepEqual(await place.visit(page, `${base}/peek`), { signedIn: true });
  await page.goto(`${place.town.issuer}/session/end`);
  await page.locator('main button').first().click();
  await page.waitForURL('**/session/end/success*');
  for (let tries = 0; tries < 100 && (await place.visit(page, `${base}/peek`))['signedIn'] === true; tries += 1)
    await page.waitForTimeout(100);
  t.deepEqual(await place.visit(page, `${base}/peek`), { signedIn: false });
  await page.context().close();
});

/** A service whose part the test itself plays, by the library's own functions. */
const listen = async (t: ExecutionContext, clientId: string, answer: RequestListener): Promise<void> => {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(Number(new URL(place.base(clientId)).port), 'localhost', resolve));
  t.teardown(() => server.close());
};

/** Sends the browser away; the address with which it comes back. */
const comeBack = async (page: Page, to: URL): Promise<URL> => {
  await page.goto(to.href);
  await answerPages(page, place.town);
  return new URL(page.url());
};

test.serial('openid-client: signs in, reads claims, refreshes, revokes, signs out', async (t) => {
  const clientId = 'openidclient';
  const base = place.base(clientId);
  const auth = oidc.ClientSecretBasic(place.town.secretOf(clientId));
  const metadata = { id_token_signed_response_alg: 'ES256' };
  const config = await oidc.discovery(new URL(place.town.issuer), clientId, metadata, auth);
  const verifier = oidc.randomPKCECodeVerifier();
  await listen(t, clientId, (_req, res) => res.end('{}'));
  const [state, nonce] = [oidc.randomState(), oidc.randomNonce()];
  const page = await place.newPage();
  const to = oidc.buildAuthorizationUrl(config, {
    redirect_uri: `${base}/callback`,
    scope: 'openid email',
    state,
    nonce,
    code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  });
  const tokens = await oidc.authorizationCodeGrant(config, await comeBack(page, to), {
    pkceCodeVerifier: verifier,
    expectedState: state,
    expectedNonce: nonce,
  });
  const sub = tokens.claims()?.sub ?? '';
  t.is((await oidc.fetchUserInfo(config, tokens.access_token, sub)).email, CITIZEN.email);
  const next = await oidc.refreshTokenGrant(config, tokens.refresh_token ?? '');
  t.is((await oidc.fetchUserInfo(config, next.access_token, sub)).sub, sub);
  await oidc.tokenRevocation(config, next.refresh_token ?? tokens.refresh_token ?? '');
  await t.throwsAsync(oidc.refreshTokenGrant(config, tokens.refresh_token ?? ''), { message: /.*/ });
  const end = oidc.buildEndSessionUrl(config, {
    post_logout_redirect_uri: `${base}/bye`,
    id_token_hint: tokens.id_token ?? '',
    state: 'tschüss',
  });
  t.is((await comeBack(page, end)).searchParams.get('state'), 'tschüss');
  await page.context().close();
});

test.serial('oauth4webapi: signs in by a pushed request and DPoP, reads claims, refreshes, signs out', async (t) => {
  const clientId = 'oauth4webapi';
  const base = place.base(clientId);
  const issuer = new URL(place.town.issuer);
  const server = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer));
  const client: oauth.Client = { client_id: clientId, id_token_signed_response_alg: 'ES256' };
  const authentication = oauth.ClientSecretPost(place.town.secretOf(clientId));
  const DPoP = oauth.DPoP(client, await oauth.generateKeyPair('ES256'));
  const verifier = oauth.generateRandomCodeVerifier();
  await listen(t, clientId, (_req, res) => res.end('{}'));
  const [state, nonce] = [oauth.generateRandomState(), oauth.generateRandomNonce()];
  const parameters = new URLSearchParams({
    redirect_uri: `${base}/callback`,
    response_type: 'code',
    scope: 'openid email',
    state,
    nonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  });
  const pushed = await oauth.processPushedAuthorizationResponse(
    server,
    client,
    await oauth.pushedAuthorizationRequest(server, client, authentication, parameters, { DPoP }),
  );
  const to = new URL(server.authorization_endpoint ?? '');
  to.search = new URLSearchParams({ client_id: clientId, request_uri: pushed.request_uri }).toString();
  const page = await place.newPage();
  const answer = oauth.validateAuthResponse(server, client, await comeBack(page, to), state);
  const tokens = await oauth.processAuthorizationCodeResponse(
    server,
    client,
    await oauth.authorizationCodeGrantRequest(server, client, authentication, answer, `${base}/callback`, verifier, {
      DPoP,
    }),
    { expectedNonce: nonce, requireIdToken: true },
  );
  t.is(tokens.token_type, 'dpop');
  const { sub = '' } = oauth.getValidatedIdTokenClaims(tokens) ?? {};
  const readInfo = async (token: string) =>
    oauth.processUserInfoResponse(server, client, sub, await oauth.userInfoRequest(server, client, token, { DPoP }));
  t.is((await readInfo(tokens.access_token)).email, CITIZEN.email);
  const refreshed = await oauth.processRefreshTokenResponse(
    server,
    client,
    await oauth.refreshTokenGrantRequest(server, client, authentication, tokens.refresh_token ?? '', { DPoP }),
  );
  t.is((await readInfo(refreshed.access_token)).sub, sub);
  const end = new URL(server.end_session_endpoint ?? '');
  end.search = new URLSearchParams({
    client_id: clientId,
    post_logout_redirect_uri: `${base}/bye`,
    id_token_hint: tokens.id_token ?? '',
  }).toString();
  t.is((await comeBack(page, end)).pathname, '/bye');
  await page.context().close();
});

test.serial('oidc-client-ts in a page of its own origin: the example of the portal, refresh, sign-out', async (t) => {
  const library = createRequire(import.meta.url)
    .resolve('oidc-client-ts')
    .replace(/dist\/.*$/, 'dist/browser/');
  const shownThere = await place.example('browser');
  const example = shownThere.replace("'ISSUER'", `'${place.town.issuer}'`).replace('CLIENT_ID', 'spa');
  await listen(t, 'spa', (req, res) => {
    if (req.url?.startsWith('/oidc-client-ts') === true)
      res.setHeader('content-type', 'text/javascript').end(readFileSync(`${library}oidc-client-ts.min.js`));
    else res.setHeader('content-type', 'text/html; charset=utf-8').end(`<!doctype html><title>SPA</title>${example}`);
  });
  const page = await place.newPage();
  const complaints: string[] = [];
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(String(error)));
  await page.goto(`${place.base('spa')}/`);
  await page.locator('#sign-in').click();
  await page.waitForURL(`${place.town.issuer}/**`);
  await answerPages(page, place.town);
  await page.locator('#citizen').waitFor();
  const first = JSON.parse((await page.locator('#citizen').textContent()) ?? '');
  t.is(first.email, CITIZEN.email);
  await page.locator('#refresh').click();
  await page.locator('#citizen[data-refreshed]').waitFor();
  t.like(JSON.parse((await page.locator('#citizen').textContent()) ?? ''), { sub: first.sub, email: CITIZEN.email });
  await page.locator('#sign-out').click();
  await page.waitForURL(`${place.town.issuer}/**`);
  await answerPages(page, place.town);
  await page.locator('#sign-in').waitFor();
  t.deepEqual(complaints, []);
  await page.context().close();
});
