/** Consent withdrawn, account deleted: tokens end, services learn it by logout token and Security Event Token. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import test from 'ava';
import { createLocalJWKSet, decodeJwt, type JSONWebKeySet, jwtVerify } from 'jose';
import * as accounts from '../accounts/accounts.ts';
import * as clients from '../accounts/clients.ts';
import * as consents from '../accounts/consents.ts';
import * as deletion from '../accounts/deletion.ts';
import { type AccountId, type ClientId, parseClientId } from '../accounts/ids.ts';
import { createLog } from '../adapters/log.ts';
import { createPostgresStore } from '../adapters/oidc-store-postgres.ts';
import { Registrations } from '../provider/registrations.ts';
import { deliverSecurityEvents } from '../provider/security-events.ts';
import { withdrawal } from '../provider/withdrawal.ts';
import { atHome, authorizationUrl, basic, pkce, post, redeem, userinfo } from './harness/relying-party.ts';
import { type RunningTown, startTown } from './harness/town.ts';
import { Visitor } from './harness/visitor.ts';
import { registerAt } from './harness/walk-in.ts';

const PORTAL = parseClientId('portal') as ClientId;
const CITIZEN = {
  email: 'widerruf@buerger.example',
  givenName: 'Wilma',
  familyName: 'Widerruf',
  password: 'neunzehn leise Nachtzüge',
};

let town: RunningTown;
let registrations: Registrations;
let eventsAt: string;
let account: AccountId;
let visitor: Visitor;
/** Security Event Tokens that the portal has got; it answers the first try with an error. */
const received: string[] = [];
let tries = 0;
const receiver = createServer((req, res) => {
  let body = '';
  req.on('data', (chunk) => {
    body += chunk;
  });
  req.on('end', () => {
    tries += 1;
    if (tries === 1 || req.headers['content-type'] !== 'application/secevent+jwt') return res.writeHead(503).end();
    received.push(body);
    return res.writeHead(202).end();
  });
});

test.before(async () => {
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  eventsAt = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/events`;
  town = await startTown();
  // The services of the test town are registered; the portal takes security events as well.
  const registered = town.registrations.map((registration) => ({
    registration: registration.clientId === 'portal' ? { ...registration, securityEventsUri: eventsAt } : registration,
  }));
  await clients.apply(town.context(), registered);
  registrations = new Registrations(town.context, new URL(town.issuer), true);
  await registrations.load();
});

test.after.always(async () => {
  await town?.close();
  receiver.close();
});

const store = () => createPostgresStore({ pool: town.database.pool, keys: town.keys });

const verified = async (token: string) => {
  const jwks = JSON.parse((await new Visitor().send(`${town.issuer}/jwks`)).text) as JSONWebKeySet;
  const { payload, protectedHeader } = await jwtVerify(token, createLocalJWKSet(jwks), {
    issuer: town.issuer,
    audience: 'portal',
    typ: 'secevent+jwt',
  });
  if (protectedHeader.alg !== 'ES256') throw new Error(`signed by ${protectedHeader.alg}`);
  return payload;
};

const until = async (arrived: () => boolean): Promise<void> => {
  for (const end = Date.now() + 15_000; !arrived(); ) {
    if (Date.now() > end) throw new Error('waited in vain');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
};

test.serial('a withdrawn consent ends opaque tokens at once and tells the service', async (t) => {
  const walk = await registerAt(town, 'portal', CITIZEN, { scope: 'openid email profile' });
  visitor = walk.visitor;
  const { body } = await redeem(town, 'portal', walk.code, walk.proof.verifier);
  const token = body['access_token'] ?? '';
  const info = (await userinfo(town, token)).body;
  t.is(info['given_name'], 'Wilma');
  const found = await accounts.findByIdentifier(town.context(), CITIZEN.email);
  if (found === undefined) return t.fail('no account');
  account = found;
  const [known] = await consents.list(town.context(), account);
  t.is(known?.clientId, PORTAL);
  t.is(known?.last, known?.since);

  const withdraw = withdrawal({ context: town.context, registrations, store: store(), wake: () => {} });
  const begun = performance.now();
  t.deepEqual(await withdraw(account, PORTAL), { outcome: 'withdrawn' });
  t.is((await userinfo(town, token)).status, 401);
  t.true(performance.now() - begun < 1000, `${performance.now() - begun} ms`);
  const introspected = await post(town, '/token/introspection', { token }, basic(town, 'portal'));
  t.deepEqual(introspected.body as object, { active: false });
  t.deepEqual(await consents.list(town.context(), account), []);
  t.deepEqual(await withdraw(account, PORTAL), { outcome: 'unknown' });

  await until(() => town.services.portal.logouts.length > 0 || town.services.portal.faults.length > 0);
  await until(() => received.length > 0);
  const event = await verified(received[0] ?? '');
  const subject = { format: 'iss_sub', iss: town.issuer, sub: info['sub'] };
  t.deepEqual(event['sub_id'], subject);
  t.deepEqual(event['events'], {
    'https://schemas.openid.net/secevent/oauth/event-type/tokens-revoked': { subject },
  });
  t.is(tries, 2, 'the first answer was an error: it was sent again');
});

test.serial('after a withdrawal the citizen is asked again', async (t) => {
  const proof = pkce();
  const page = await visitor.open(
    authorizationUrl(town, 'portal', proof, { scope: 'openid email profile' }),
    atHome(town),
  );
  t.is(page.status, 200);
  t.true(page.text.includes('/consent"'), page.text.slice(0, 2000));
});

test.serial('a service that gets the pseudonym alone is on the list too', async (t) => {
  const proof = pkce();
  const page = await visitor.open(authorizationUrl(town, 'fahrkarte', proof), atHome(town));
  t.is(typeof page.headers['location'], 'string');
  const known = await consents.list(town.context(), account);
  t.deepEqual(
    known.map(({ clientId, given }) => [clientId, given]),
    [['fahrkarte', []]],
  );
});

test.serial('deletion ends every token and tells the services that know the citizen', async (t) => {
  const proof = pkce();
  const page = await visitor.open(authorizationUrl(town, 'fahrkarte', proof), atHome(town));
  const code = new URL(String(page.headers['location'])).searchParams.get('code') ?? '';
  const { body } = await redeem(town, 'fahrkarte', code, proof.verifier);
  t.is((await userinfo(town, body['access_token'] ?? '')).status, 200);
  const portal = registrations.find('portal');
  if (portal === undefined) return t.fail('no portal');
  await consents.record(town.context(), account, portal, { given: ['given_name'], refused: [] });
  received.length = 0;
  const ending = {
    service: (clientId: string) => registrations.find(clientId),
    api: () => undefined,
    revoke: (id: AccountId) => store().revokeAccount(id),
  };
  const later = { ...town.context(), now: () => new Date(Date.now() + 15 * 24 * 3_600_000) };
  await deletion.request(town.context(), account, () => undefined);
  t.is(await deletion.purgeDue(later, ending), 1);
  t.is((await userinfo(town, body['access_token'] ?? '')).status, 401);
  const back = await visitor.open(authorizationUrl(town, 'fahrkarte', pkce()), atHome(town));
  t.is(back.status, 200, 'the session is over, the sign-in page is shown');

  const tomorrow = { ...later, now: () => new Date(Date.now() + 16.1 * 24 * 3_600_000) };
  const log = createLog('fatal');
  await deliverSecurityEvents(tomorrow, { issuer: new URL(town.issuer), registrations, log });
  t.is(received.length, 1);
  const { events = {} } = decodeJwt<{ events: object }>(received[0] ?? '');
  t.deepEqual(Object.keys(events), ['https://schemas.openid.net/secevent/risc/event-type/account-purged']);
});
