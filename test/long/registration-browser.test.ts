/** Services that register themselves where citizens are real, and sign-ins that begin at the provider, by a real browser. */
import test from 'ava';
import { type Browser, startBrowser } from '../harness/browser.ts';
import { Citizen } from '../harness/citizen.ts';
import { addCitizen } from '../harness/relying-party.ts';
import { createService } from '../harness/service.ts';
import { type RunningTown, startTown } from '../harness/town.ts';

const TOKEN = 'a'.repeat(20) + 'B9-_'.repeat(8);
const HOST = 'katalog.lesen.example';
const CITIZEN = { email: 'anna@buerger.example', password: 'drei blaue Häuser am Fluss' } as const;

let town: RunningTown;
let browser: Browser;
test.before(async () => {
  town = await startTown({ production: true, registrationToken: TOKEN });
  await addCitizen(town, CITIZEN.email, CITIZEN.password);
  browser = await startBrowser(town.front.spki);
});
test.after.always(async () => {
  await browser?.close();
  await town?.close();
});

const newCitizen = async (): Promise<Citizen> => {
  const page = await (await browser.newContext({ locale: 'de-DE' })).newPage();
  const citizen = new Citizen(page, town, { ...CITIZEN, givenName: 'Anna', familyName: 'Brede' });
  citizen.registered = true;
  return citizen;
};

type Body = Record<string, unknown>;
const ask = async (
  method: string,
  to: string,
  token: string,
  body?: object,
): Promise<{ status: number; body: Body }> => {
  const answer = await fetch(new URL(to, town.issuer), {
    method,
    headers: { authorization: `Bearer ${token}`, ...(body && { 'content-type': 'application/json' }) },
    ...(body && { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  return { status: answer.status, body: text === '' ? {} : (JSON.parse(text) as Body) };
};

test.serial('registered by initial access token: read, changed, signed in to, deleted', async (t) => {
  const origin = town.front.origin(HOST);
  const wanted = {
    client_name: 'Katalog',
    redirect_uris: [`${origin}/alt`],
    post_logout_redirect_uris: [`${origin}/`],
    grant_types: ['authorization_code'],
    token_endpoint_auth_method: 'client_secret_basic',
  };
  const { status, body: made } = await ask('POST', '/reg', TOKEN, wanted);
  t.is(status, 201, JSON.stringify(made));
  const [clientId, secret] = [String(made['client_id']), String(made['client_secret'])];
  const own = String(made['registration_client_uri']);
  const service = createService({
    issuer: town.issuer,
    origin,
    clientId,
    secret,
    title: 'Katalog',
    scope: 'openid email profile',
  });
  town.front.serve(HOST, service.listener);

  const citizen = await newCitizen();
  const { page } = citizen;
  await page.goto(`${origin}/anmelden`);
  t.regex((await page.locator('main').textContent()) ?? '', /invalid_redirect_uri/, 'its callback is another one yet');

  const read = await ask('GET', own, String(made['registration_access_token']));
  t.like(read.body, { client_id: clientId, redirect_uris: wanted.redirect_uris });
  // RFC 7592 §2.2: the whole of it is sent, without what the provider alone decides.
  const changed = await ask('PUT', own, String(read.body['registration_access_token']), {
    ...wanted,
    client_id: clientId,
    client_secret: secret,
    redirect_uris: [`${origin}/callback`],
  });
  t.is(changed.status, 200, JSON.stringify(changed.body));
  t.deepEqual(changed.body['redirect_uris'], [`${origin}/callback`]);

  await citizen.signInTo(origin, () => page.locator('#subject').isVisible());
  t.deepEqual(service.faults, []);
  const [signIn] = service.signIns;
  t.deepEqual(signIn?.userinfo, { sub: signIn?.subject }, 'nobody has examined its purposes: a pseudonym, and no more');
  await citizen.signInTo(town.services.fahrkarte.origin, () => page.locator('#subject').isVisible());
  t.not(town.services.fahrkarte.signIns[0]?.subject, signIn?.subject, 'and that of no organisation of the town');

  const management = String(changed.body['registration_access_token']);
  t.is((await ask('DELETE', own, management)).status, 204);
  t.is((await ask('GET', own, management)).status, 401);
  await page.goto(`${origin}/anmelden`);
  t.regex((await page.locator('main').textContent()) ?? '', /invalid_client/);
  await page.context().close();
});

test.serial(
  'a service on the start page is opened at its own start of the sign-in, which is told by whom (Core §4)',
  async (t) => {
    const { fahrkarte } = town.services;
    const citizen = await newCitizen();
    const { page } = citizen;
    await page.goto(town.issuer);
    const before = fahrkarte.initiations.length;
    await page.getByRole('link', { name: 'Fahrkarte' }).click();
    await citizen.answer(() => page.url().startsWith(fahrkarte.origin) && page.locator('#subject').isVisible());
    t.deepEqual(fahrkarte.initiations.slice(before), [town.issuer]);
    t.deepEqual(fahrkarte.faults, []);

    const stranger = await page.goto(`${fahrkarte.origin}/anmelden?iss=${encodeURIComponent('https://boese.example')}`);
    t.is(stranger?.status(), 400, 'a service knows its provider');
    await page.context().close();
  },
);
