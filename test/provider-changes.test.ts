import test, { type ExecutionContext } from 'ava';
import * as clients from '../accounts/clients.ts';
import * as signingKeys from '../accounts/signing-keys.ts';
import {
  addCitizen,
  atHome,
  authorizationUrl,
  basic,
  obtainCode,
  pkce,
  post,
  redeem,
  userinfo,
} from './harness/relying-party.ts';
import { type RunningTown, startTown } from './harness/town.ts';
import { formWith, Visitor } from './harness/visitor.ts';

const CREDENTIALS = { email: 'berta@buerger.example', password: 'fünf runde Steine im Bach' };
const DAY_MS = 24 * 60 * 60 * 1000;

let town: RunningTown;
let account: string;
/** How far the town's clock is ahead. */
let aheadMs = 0;

test.before(async () => {
  town = await startTown({ now: () => new Date(Date.now() + aheadMs) });
  account = await addCitizen(town, CREDENTIALS.email, CREDENTIALS.password);
});

test.afterEach.always(() => {
  aheadMs = 0;
});

test.after.always(() => town?.close());

/** The promise is a second; a busy machine gets more, and what would come by polling alone takes longer than this. */
const SOON_MS = 15_000;

const soon = async (t: ExecutionContext, what: string, check: () => Promise<boolean>): Promise<void> => {
  const deadline = Date.now() + SOON_MS;
  while (Date.now() < deadline && !(await check())) await new Promise((resolve) => setTimeout(resolve, 20));
  t.true(await check(), what);
};

const kids = async (): Promise<string[]> => {
  const { text } = await new Visitor().send(new URL('/jwks', town.issuer), { headers: { accept: 'application/json' } });
  return (JSON.parse(text) as { keys: { kid: string; alg: string; d?: string }[] }).keys
    .filter(({ alg }) => alg === 'ES256')
    .map(({ kid, d }) => `${kid}${d ?? ''}`);
};

const signerOf = (jwt: string): string =>
  (JSON.parse(Buffer.from(jwt.split('.', 1)[0] ?? '', 'base64url').toString()) as { kid: string }).kid;

test.serial('a changed registration is in force in a running process without a restart', async (t) => {
  const moved = `${town.services.fahrkarte.origin}/umgezogen`;
  const visitor = new Visitor();
  const url = authorizationUrl(town, 'fahrkarte', pkce(), { redirect_uri: moved });
  t.is((await visitor.open(url, atHome(town))).status, 400);
  await clients.apply(
    town.context(),
    town.registrations.map((registration) => ({
      registration:
        registration.clientId === 'fahrkarte'
          ? { ...registration, redirectUris: [...registration.redirectUris, moved] }
          : registration,
    })),
  );
  await soon(t, 'the new address is accepted', async () => (await visitor.open(url, atHome(town))).status === 200);
});

test.serial('a new signing key is published first, signs later, and the old one still verifies', async (t) => {
  const [first = '', ...none] = await kids();
  t.deepEqual(none, []);
  const idTokenSigner = async (): Promise<string> => {
    const proof = pkce();
    const code = await obtainCode(town, new Visitor(), 'fahrkarte', proof, CREDENTIALS);
    return signerOf((await redeem(town, 'fahrkarte', code, proof.verifier)).body['id_token'] ?? '');
  };
  t.is(await idTokenSigner(), first);

  aheadMs = 29.5 * DAY_MS;
  // Another process is the first to notice.
  await signingKeys.ensure(town.context());
  await soon(t, 'two keys are published', async () => (await kids()).length === 2);
  t.is(await idTokenSigner(), first, 'the new key is not used before the services can know it');
  const next = (await kids()).find((kid) => kid !== first);

  aheadMs = 31 * DAY_MS;
  await town.context().db.raw("SELECT pg_notify('signing_keys', '')");
  await soon(t, 'the new key signs', async () => (await idTokenSigner()) === next);
  t.true((await kids()).includes(first), 'the retired key is published for tokens it signed');
});

test.serial('a locked account ends at once: sign-in, token, userinfo and introspection', async (t) => {
  const visitor = new Visitor();
  const proof = pkce();
  const tokens = (
    await redeem(town, 'fahrkarte', await obtainCode(town, visitor, 'fahrkarte', proof, CREDENTIALS), proof.verifier)
  ).body;
  const late = pkce();
  const code = await obtainCode(town, visitor, 'fahrkarte', late);
  t.is((await userinfo(town, tokens['access_token'] ?? '')).status, 200);

  await town.context().db('accounts').where({ id: account }).update({ status: 'locked' });
  t.is((await userinfo(town, tokens['access_token'] ?? '')).status, 401);
  t.deepEqual((await redeem(town, 'fahrkarte', code, late.verifier)).body['error'], 'invalid_grant');
  const again = await visitor.open(authorizationUrl(town, 'fahrkarte', pkce()), atHome(town));
  t.truthy(formWith(again, ['password']), 'the running session does not help');
  const introspected = await post(
    town,
    '/token/introspection',
    { token: tokens['access_token'] ?? '' },
    basic(town, 'fahrkarte'),
  );
  t.is(String(introspected.body['active']), 'false');
  await town.context().db('accounts').where({ id: account }).update({ status: 'active' });
});

test.serial('a service that does not answer gets its logout token later, and nobody waits for it', async (t) => {
  const { portal } = town.services;
  const visitor = new Visitor();
  const proof = pkce();
  const scope = 'openid';
  const code = await obtainCode(town, visitor, 'portal', proof, CREDENTIALS, { scope });
  const idToken = (await redeem(town, 'portal', code, proof.verifier)).body['id_token'] ?? '';

  const host = new URL(portal.origin).hostname;
  let calls = 0;
  town.front.serve(host, (_req, res) => {
    calls += 1;
    res.writeHead(500).end();
  });
  const end = new URL('/session/end', town.issuer);
  end.searchParams.set('id_token_hint', idToken);
  const page = await visitor.open(end, atHome(town));
  const started = Date.now();
  await visitor.submit(page, { logout: 'yes' }, atHome(town));
  t.true(Date.now() - started < 2000, 'the citizen does not wait');
  await soon(t, 'the service was asked', async () => calls > 0);

  town.front.serve(host, portal.listener);
  const before = portal.logouts.length;
  aheadMs = 60_000;
  await soon(t, 'the token arrives once the service is back', async () => portal.logouts.length > before);
  await soon(t, 'and the outbox is empty', async () => {
    const [row] = await town.context().db('logout_notices').count();
    return Number(row?.['count']) === 0;
  });
});
