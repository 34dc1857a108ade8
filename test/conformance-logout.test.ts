/**
 * The modules of the OpenID Foundation's plans for RP-initiated and back-channel logout, by their names there
 * (oidcc-rp-initiated-logout-certification-test-plan, oidcc-backchannel-rp-initiated-logout-certification-test-plan).
 */
import { randomBytes } from 'node:crypto';
import test, { type ExecutionContext } from 'ava';
import {
  createRemoteJWKSet,
  decodeJwt,
  decodeProtectedHeader,
  generateKeyPair,
  jwtVerify,
  SignJWT,
  UnsecuredJWT,
} from 'jose';
import { type Documents, startDocuments } from './harness/documents.ts';
import { addCitizen, atHome } from './harness/relying-party.ts';
import { SuiteClient } from './harness/suite-client.ts';
import { type RunningTown, startTown } from './harness/town.ts';
import { returned, sendJson } from './harness/trial-client.ts';
import { type Answer, Visitor } from './harness/visitor.ts';

const CREDENTIALS = { email: 'anna@buerger.example', password: 'drei blaue Häuser am Fluss' };
const END = 'https://suite.example/post_logout_redirect';

let town: RunningTown;
let documents: Documents;

test.before(async () => {
  town = await startTown({ testSuites: true });
  documents = await startDocuments();
  await addCitizen(town, CREDENTIALS.email, CREDENTIALS.password);
});

test.after.always(async () => {
  await documents?.close();
  await town?.close();
});

const signedIn = async (t: ExecutionContext, metadata: Record<string, unknown> = {}) => {
  const client = await SuiteClient.register(town, CREDENTIALS, { post_logout_redirect_uris: [END], ...metadata });
  const visitor = new Visitor();
  const { tokens, claims } = await client.signIn(t, visitor);
  return { client, visitor, id: tokens['id_token'] ?? '', claims };
};

/** What the end session endpoint answers first: a page that asks, or one that says what is wrong. */
const ask = (visitor: Visitor, parameters: Record<string, string>): Promise<Answer> => {
  const url = new URL('/session/end', town.issuer);
  url.search = new URLSearchParams(parameters).toString();
  return visitor.open(url, atHome(town));
};

const confirm = (visitor: Visitor, page: Answer): Promise<Answer> =>
  visitor.submitTo(page, 'confirm', { logout: 'yes' }, atHome(town));

const isSignedOut = async (t: ExecutionContext, client: SuiteClient, visitor: Visitor): Promise<void> => {
  t.is(client.refused(t, await client.open(visitor, { prompt: 'none' })), 'login_required');
};

const longState = (): string => randomBytes(96).toString('base64url');

test.serial('…-discovery-endpoint-verification', async (t) => {
  const { body } = await sendJson(`${town.issuer}/.well-known/openid-configuration`, 'GET');
  t.true(String(body['end_session_endpoint']).startsWith('https://'));
  t.is(body['backchannel_logout_supported'], true);
  t.is(body['backchannel_logout_session_supported'], true);
  // Not served, so not offered (third-party cookies are gone from browsers).
  t.is(body['frontchannel_logout_supported'], undefined);
  t.is(body['check_session_iframe'], undefined);
});

test.serial('oidcc-rp-initiated-logout', async (t) => {
  const { client, visitor, id } = await signedIn(t);
  const state = longState();
  const page = await ask(visitor, { id_token_hint: id, post_logout_redirect_uri: END, state });
  const end = new URL(String((await confirm(visitor, page)).headers['location']));
  t.deepEqual([...end.searchParams], [['state', state]]);
  end.search = '';
  t.is(end.href, END);
  await isSignedOut(t, client, visitor);
});

test.serial('oidcc-rp-initiated-logout-no-state', async (t) => {
  const { client, visitor, id } = await signedIn(t);
  const page = await ask(visitor, { id_token_hint: id, post_logout_redirect_uri: END });
  t.is((await confirm(visitor, page)).headers['location'], END);
  await isSignedOut(t, client, visitor);
});

test.serial('a registered address with a query of its own keeps it', async (t) => {
  const { visitor, id } = await signedIn(t, { post_logout_redirect_uris: [`${END}?mit=frage`] });
  const page = await ask(visitor, { id_token_hint: id, post_logout_redirect_uri: `${END}?mit=frage`, state: 'z' });
  t.is((await confirm(visitor, page)).headers['location'], `${END}?mit=frage&state=z`);
});

test.serial('the request may be sent by POST as well (RP-Initiated Logout §2)', async (t) => {
  const { client, visitor, id } = await signedIn(t);
  const sent = await visitor.send(`${town.issuer}/session/end`, {
    method: 'POST',
    body: new URLSearchParams({ id_token_hint: id, post_logout_redirect_uri: END, state: 'z' }),
  });
  const page = await visitor.follow(sent, atHome(town));
  t.is((await confirm(visitor, page)).headers['location'], `${END}?state=z`);
  await isSignedOut(t, client, visitor);
});

for (const [name, wrong] of [
  ['bad-post-logout-redirect-uri', { post_logout_redirect_uri: `${END}/abcdef` }],
  ['query-added-to-post-logout-redirect-uri', { post_logout_redirect_uri: `${END}?foo=bar` }],
] as const) {
  test.serial(`oidcc-rp-initiated-logout-${name}`, async (t) => {
    const { client, visitor, id } = await signedIn(t);
    const page = await ask(visitor, { id_token_hint: id, state: longState(), ...wrong });
    t.is(page.status, 400);
    t.is(page.headers['location'], undefined);
    t.notRegex(page.text, /\/confirm"/);
    t.truthy(returned(await client.open(visitor, { prompt: 'none' })).get('code'), 'still signed in');
  });
}

test.serial('oidcc-rp-initiated-logout-modified-id-token-hint; -bad-id-token-hint', async (t) => {
  const { client, visitor, id } = await signedIn(t);
  const { privateKey } = await generateKeyPair('RS256');
  const now = Math.floor(Date.now() / 1000);
  const hints = {
    'alg none': new UnsecuredJWT(decodeJwt(id)).encode(),
    'of the client itself': await new SignJWT({ nonce: 'flibble', iat: now, exp: now + 300 })
      .setProtectedHeader({ alg: 'RS256' })
      .setIssuer(client.clientId)
      .setSubject('SubjectID')
      .setAudience(town.issuer)
      .sign(privateKey),
    'a changed signature': `${id.slice(0, -6)}AAAAAA`,
    'no token': 'flibble',
  };
  for (const [what, hint] of Object.entries(hints)) {
    const page = await ask(visitor, { id_token_hint: hint, post_logout_redirect_uri: END, state: longState() });
    t.is(page.status, 400, what);
    t.is(page.headers['location'], undefined);
  }
});

test.serial(
  'oidcc-rp-initiated-logout-no-id-token-hint: nobody is led to an address that nobody vouches for',
  async (t) => {
    const { client, visitor } = await signedIn(t);
    const page = await ask(visitor, { post_logout_redirect_uri: END, state: longState() });
    const end = await confirm(visitor, page);
    t.is(end.status, 200);
    t.is(end.headers['location'], undefined);
    t.notRegex(end.text, /suite\.example/);
    await isSignedOut(t, client, visitor);
  },
);

for (const name of ['no-params', 'no-post-logout-redirect-uri', 'only-state'] as const) {
  test.serial(`oidcc-rp-initiated-logout-${name}`, async (t) => {
    const { client, visitor, id } = await signedIn(t);
    const parameters = { id_token_hint: id, state: longState() };
    const page = await ask(
      visitor,
      name === 'no-params' ? {} : name === 'only-state' ? { state: parameters.state } : parameters,
    );
    const end = await confirm(visitor, page);
    t.is(end.status, 200);
    t.is(end.headers['location'], undefined);
    await isSignedOut(t, client, visitor);
  });
}

test.serial('oidcc-backchannel-rp-initiated-logout', async (t) => {
  const path = `/backchannel_logout/${randomBytes(6).toString('hex')}`;
  const { client, visitor, id, claims } = await signedIn(t, {
    backchannel_logout_uri: `${documents.origin}${path}`,
    backchannel_logout_session_required: true,
  });
  const state = longState();
  const page = await ask(visitor, { id_token_hint: id, post_logout_redirect_uri: END, state });
  const end = new URL(String((await confirm(visitor, page)).headers['location']));
  t.is(end.searchParams.get('state'), state);
  const fields = new URLSearchParams(await documents.arrival(path));
  t.deepEqual([...fields.keys()], ['logout_token']);
  const keys = createRemoteJWKSet(new URL('/jwks', town.issuer));
  const { payload, protectedHeader } = await jwtVerify(fields.get('logout_token') ?? '', keys, {
    issuer: town.issuer,
    audience: client.clientId,
    requiredClaims: ['iat', 'jti', 'exp'],
  });
  t.is(protectedHeader.typ, 'logout+jwt');
  t.is(decodeProtectedHeader(id).alg, protectedHeader.alg);
  t.is(payload.sub, claims.sub);
  t.truthy(payload['sid']);
  t.is(payload['sid'], claims['sid']);
  t.is(payload['nonce'], undefined);
  t.deepEqual(payload['events'], { 'http://schemas.openid.net/event/backchannel-logout': {} });
  await isSignedOut(t, client, visitor);
});
