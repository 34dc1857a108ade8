import test, { type ExecutionContext } from 'ava';
import { de } from '../interactions/texts/de.ts';
import {
  type Authenticator,
  addAuthenticator,
  type Browser,
  type BrowserContext,
  type Page,
  startBrowser,
} from './harness/browser.ts';
import { Citizen, type CitizenData } from './harness/citizen.ts';
import type { Service } from './harness/service.ts';
import { APP_ADDRESS, type RunningTown, type ServiceName, startTown } from './harness/town.ts';

let town: RunningTown;
let browser: Browser;

test.before(async () => {
  town = await startTown();
  browser = await startBrowser(town.front.spki);
});

test.after.always(async () => {
  await browser?.close();
  await town?.close();
});

/** What the browser reports as broken: refused forms and scripts, and addresses that redirects pointed to. */
const watch = (page: Page): { complaints: string[]; pointedTo: string[] } => {
  const complaints: string[] = [];
  const pointedTo: string[] = [];
  page.on('console', (message) => {
    if (/Content Security Policy|Refused to/.test(message.text())) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('response', async (response) => {
    const to = (await response.allHeaders().catch(() => ({}) as Record<string, string>))['location'];
    if (to !== undefined) pointedTo.push(to);
  });
  return { complaints, pointedTo };
};

const statusAt = async (page: Page, service: Service): Promise<string | null> => {
  await page.goto(`${service.origin}/`);
  return page.locator('#status').textContent();
};

const eventually = async (t: ExecutionContext, what: string, check: () => boolean): Promise<void> => {
  const deadline = Date.now() + 15_000;
  while (!check() && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 50));
  t.true(check(), what);
};

/** Facts about the sign-in as such, the same for everybody; all else that two services share would link a person. */
const HARMLESS = new Set(['iss', 'acr', 'amr', 'iat', 'exp', 'email_verified']);

const shared = (one: Record<string, unknown>, other: Record<string, unknown>): string[] =>
  Object.keys(one).filter((name) => !HARMLESS.has(name) && JSON.stringify(one[name]) === JSON.stringify(other[name]));

/** The whole walk: register, four services, one person each time, sign out everywhere, come back. */
const walk = async (
  t: ExecutionContext,
  context: BrowserContext,
  page: Page,
  data: CitizenData,
  authenticator?: Authenticator,
): Promise<Citizen> => {
  const { portal, fahrkarte, bibliothek, strom } = town.services;
  const before = Object.fromEntries(
    Object.entries(town.services).map(([name, service]) => [name, service.signIns.length]),
  ) as Record<ServiceName, number>;
  const logoutsBefore = Object.values(town.services).map((service) => service.logouts.length);
  const arrivedAt = (service: Service, name: ServiceName) => () => service.signIns.length > before[name];
  const { complaints, pointedTo } = watch(page);
  const citizen = new Citizen(page, town, data);
  citizen.authenticator = authenticator;
  await authenticator?.presence(false);

  const first = await citizen.signInTo(portal.origin, arrivedAt(portal, 'portal'));
  t.is(first[0], de.signIn.title);
  t.true(first.includes(de.credential.title));
  t.is(first.at(-1), de.consent.title);
  await page.waitForURL(`${portal.origin}/`);
  t.is(await page.locator('#status').textContent(), 'angemeldet');

  t.deepEqual(
    await citizen.signInTo(fahrkarte.origin, arrivedAt(fahrkarte, 'fahrkarte')),
    [],
    'no second sign-in, no consent',
  );
  t.deepEqual(await citizen.signInTo(bibliothek.origin, arrivedAt(bibliothek, 'bibliothek')), []);
  await page.waitForURL('**/regal');
  t.is(await page.title(), 'Regal', 'the callback has redirected on to a third host');
  t.deepEqual(await citizen.signInTo(strom.origin, arrivedAt(strom, 'strom')), [de.consent.title]);
  await eventually(t, 'the callback has redirected on to the app', () => pointedTo.includes(APP_ADDRESS));
  t.deepEqual(complaints, []);
  for (const service of Object.values(town.services)) t.deepEqual(service.faults, []);

  const last = (service: Service) => service.signIns.at(-1);
  const subjects = [portal, fahrkarte, bibliothek, strom].map((service) => last(service)?.subject);
  t.is(subjects[0], subjects[1], 'one organisation, one subject');
  t.is(new Set(subjects).size, 3, 'three organisations, three subjects');
  t.deepEqual(
    { given: last(portal)?.userinfo['given_name'], family: last(portal)?.userinfo['family_name'] },
    { given: data.givenName, family: data.familyName },
  );
  t.is(last(fahrkarte)?.userinfo['email'], undefined);
  t.deepEqual(Object.keys(last(bibliothek)?.userinfo ?? {}), ['sub']);
  t.deepEqual(shared(last(portal)?.idToken ?? {}, last(bibliothek)?.idToken ?? {}), []);
  t.deepEqual(shared(last(strom)?.idToken ?? {}, last(bibliothek)?.idToken ?? {}), []);
  t.deepEqual(last(portal)?.idToken['amr'], data.password === undefined ? ['pop', 'user', 'mfa'] : ['pwd']);

  const came = citizen.seen.length;
  await page.goto(`${portal.origin}/`);
  await page.getByRole('link', { name: 'Abmelden' }).click();
  await citizen.answer(() => page.url() === `${portal.origin}/`);
  t.deepEqual(citizen.seen.slice(came), [de.logout.title]);
  await eventually(t, 'every service of the session has been told', () =>
    Object.values(town.services).every((service, index) => service.logouts.length > (logoutsBefore[index] ?? 0)),
  );
  for (const service of Object.values(town.services)) t.is(await statusAt(page, service), 'abgemeldet');

  const again = await citizen.signInTo(portal.origin, () => portal.signIns.length > before.portal + 1);
  t.deepEqual(again, [de.signIn.title], 'signed out at the provider too; the consent is remembered');
  t.is(last(portal)?.subject, subjects[0]);
  t.deepEqual(complaints, []);
  await context.close();
  return citizen;
};

test.serial('one passkey, four services, three subjects, one sign-out', async (t) => {
  const context = await browser.newContext({ locale: 'de-DE' });
  const page = await context.newPage();
  const authenticator = await addAuthenticator(page);
  const person = { email: 'passkey@buerger.example', givenName: 'Änne', familyName: 'Öztürk-Beispiel' };
  await walk(t, context, page, person, authenticator);
});

test.serial('a passkey signs in from the autofill of the identifier field, without a click', async (t) => {
  const context = await browser.newContext({ locale: 'de-DE' });
  const page = await context.newPage();
  const citizen = new Citizen(page, town, { givenName: 'Fiete', familyName: 'Feld' });
  const authenticator = await addAuthenticator(page);
  await authenticator.presence(false);
  citizen.authenticator = authenticator;
  const { fahrkarte } = town.services;
  const before = fahrkarte.signIns.length;
  await citizen.signInTo(fahrkarte.origin, () => fahrkarte.signIns.length === before + 1);
  await context.clearCookies();
  await authenticator.presence(true);
  await page.goto(`${fahrkarte.origin}/anmelden`);
  await eventually(t, 'signed in by what the browser offers', () => fahrkarte.signIns.length === before + 2);
  t.is(fahrkarte.signIns.at(-1)?.subject, fahrkarte.signIns.at(-2)?.subject);
  await context.close();
});

test.serial('the same with a password and script switched off', async (t) => {
  const context = await browser.newContext({ locale: 'de-DE', javaScriptEnabled: false });
  const page = await context.newPage();
  const citizen = await walk(t, context, page, {
    email: 'ohne-script@buerger.example',
    givenName: 'Łukasz',
    familyName: 'Probe',
    password: 'vier nasse Wörter im Regal',
    address: ['Alter Weg 3', '33330', 'Teststadt'],
  });
  t.is(citizen.backupCodes.length, 10);
});

test.serial('the same without an e-mail address, by the Kennung on paper', async (t) => {
  const context = await browser.newContext({ locale: 'de-DE', javaScriptEnabled: false });
  const page = await context.newPage();
  const citizen = await walk(t, context, page, {
    givenName: 'Ida',
    familyName: 'Ohnepost',
    password: 'ganz ohne Post geht es auch',
  });
  t.regex(citizen.kennung, /^TS-/);
});

test.serial('nothing secret or personal has reached the log', (t) => {
  const log = town.logged.join('');
  for (const word of ['buerger.example', 'Öztürk', 'Łukasz', 'Ohnepost', 'nasse Wörter', 'ohne Post', 'Alter Weg']) {
    t.false(log.includes(word), word);
  }
  for (const mail of town.mail.mails) {
    for (const [code] of mail.text.matchAll(/\b\d{6,8}\b/g)) t.false(log.includes(code));
  }
  t.notRegex(log, /eyJ[\w-]+\./, 'no token');
});
