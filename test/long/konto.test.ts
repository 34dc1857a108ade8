import test, { type ExecutionContext } from 'ava';
import { generate } from 'otplib';
import * as backupCodes from '../../accounts/backup-codes.ts';
import type { AccountId } from '../../accounts/ids.ts';
import { de } from '../../interactions/texts/de.ts';
import { addAuthenticator, type Browser, type BrowserContext, type Page, startBrowser } from '../harness/browser.ts';
import { codeIn } from '../harness/citizen.ts';
import { addCitizen } from '../harness/relying-party.ts';
import { type RunningTown, startTown } from '../harness/town.ts';
import { Visitor } from '../harness/visitor.ts';

const PASSWORD = 'drei blaue Häuser am Fluss';
const SIZES = { phone: { width: 390, height: 844 }, desktop: { width: 1280, height: 900 } } as const;

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

const konto = (path = ''): string => `${town.issuer}/konto${path}`;
const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true });
const newPerson = (email: string): Promise<AccountId> => addCitizen(town, email, PASSWORD);

/** Signs in by password to a page of the account; declines the passkey that is offered after it. */
const signIn = async (page: Page, email: string, path = '', arrival = path): Promise<void> => {
  await page.goto(konto(path));
  await page.getByLabel(de.signIn.identifier).fill(email);
  await page.getByLabel(de.signIn.password, { exact: true }).fill(PASSWORD);
  await button(page, de.signIn.submit).click();
  const later = button(page, de.offerPasskey.later);
  const arrived = page.waitForURL(konto(arrival), { timeout: 15_000 }).catch(() => {});
  await Promise.race([later.waitFor({ timeout: 15_000 }).catch(() => {}), arrived]);
  if (await later.isVisible()) await later.click();
  await page.waitForURL(konto(arrival));
};

const fits = async (t: ExecutionContext, page: Page): Promise<void> => {
  t.true(await page.evaluate('document.documentElement.scrollWidth <= innerWidth'), `${page.url()} is too wide`);
};

/** Any page of an account wants the passkey now that there is one. */
const confirmByPasskey = async (page: Page): Promise<void> => {
  await button(page, de.signIn.passkey).click();
};

for (const [size, viewport] of Object.entries(SIZES)) {
  test.serial(`a citizen sets up passkey and app, and steps up for each change (${size})`, async (t) => {
    const email = `${size}@buerger.example`;
    await newPerson(email);
    const context = await browser.newContext({ locale: 'de-DE', viewport });
    const page = await context.newPage();
    await addAuthenticator(page);
    await signIn(page, email);
    for (const path of [
      '',
      '/passkeys',
      '/passkey-neu',
      '/passwort',
      '/app',
      '/ersatzcodes',
      '/sitzungen',
      '/email',
      '/sprache',
      '/protokoll',
    ]) {
      await page.goto(konto(path));
      t.is(page.url(), konto(path));
      await fits(t, page);
    }
    await page.goto(konto('/passkey-neu'));
    await button(page, de.konto.passkeys.first).click();
    await page.waitForURL(konto('/passkeys'));
    t.is(await page.locator('main h2').first().textContent(), de.konto.passkeys.unnamed);
    t.is((await town.mail.next(email)).subject, de.notices.changedSubject);

    await page.locator('summary', { hasText: de.konto.passkeys.rename }).click();
    await page.getByLabel(de.konto.passkeys.label).fill('Mein <b>Telefon</b>');
    await button(page, de.konto.save).click();
    await page.waitForSelector('[role=status]');
    t.is(await page.locator('main h2').first().textContent(), 'Mein <b>Telefon</b>');

    // The password alone was enough before there was a passkey; now it is not.
    await page.goto(konto('/app'));
    await confirmByPasskey(page);
    await page.waitForURL(konto('/app'));
    const secret = ((await page.locator('main code').first().textContent()) ?? '').replaceAll(' ', '');
    await page.getByLabel(de.secondFactor.label).fill('000000');
    await button(page, de.konto.totp.submit).click();
    await page.waitForSelector('#error-summary');
    t.is(((await page.locator('main code').first().textContent()) ?? '').replaceAll(' ', ''), secret);
    await page.getByLabel(de.secondFactor.label).fill(await generate({ secret }));
    await button(page, de.konto.totp.submit).click();
    await page.waitForURL(konto());
    t.is((await town.mail.next(email)).subject, de.notices.changedSubject);

    await page.goto(konto('/passkeys'));
    await page.locator('summary', { hasText: de.konto.passkeys.remove }).click();
    await button(page, de.konto.passkeys.remove).click();
    await page.waitForSelector('[role=status]');
    t.is(await page.locator('.ss-list li').count(), 0);
    await page.goto(konto('/protokoll'));
    const log = (await page.locator('main').textContent()) ?? '';
    for (const event of ['passkey-added', 'passkey-renamed', 'totp-enrolled', 'passkey-removed']) {
      t.true(log.includes(de.konto.log.events[event] ?? '?'), event);
    }
    await context.close();
  });
}

test.serial('script switched off: password, codes, address and language are changed all the same', async (t) => {
  const email = 'ohne-script@konto.example';
  await newPerson(email);
  const context = await browser.newContext({ locale: 'de-DE', javaScriptEnabled: false, viewport: SIZES.phone });
  const page = await context.newPage();
  await signIn(page, email, '/ersatzcodes');
  await button(page, de.konto.codes.make).click();
  await page.waitForSelector('.ss-codes');
  t.is(await page.locator('.ss-codes li').count(), 10);
  await page.reload();
  t.is(await page.locator('.ss-codes li').count(), 0, 'shown once');

  await page.goto(konto('/passwort'));
  for (const [wrong, reason] of [
    ['teststadt teststadt', de.password.local],
    ['passwort passwort 1', de.password.tooCommon],
    ['kurz', de.password.tooShort(15)],
  ] as const) {
    await page.getByLabel(de.password.label, { exact: true }).fill(wrong);
    await page.getByLabel(de.password.repeat).fill(wrong);
    await button(page, de.konto.password.submit).click();
    await page.waitForSelector('#error-summary');
    t.true(((await page.locator('#error-summary').textContent()) ?? '').includes(reason), wrong);
  }
  const suggestion = (await page.locator('main code').first().textContent()) ?? '';
  t.regex(suggestion, /^(\S+ ){4}\S+$/);
  await page.getByLabel(de.password.label, { exact: true }).fill(suggestion);
  await page.getByLabel(de.password.repeat).fill(suggestion);
  await button(page, de.konto.password.submit).click();
  await page.waitForURL(konto());

  await page.goto(konto('/email'));
  const next = 'neue-adresse@konto.example';
  for (let count = 0; count < 2; count += 1) await town.mail.next(email);
  await page.getByLabel(de.konto.email.label).fill(next);
  await button(page, de.konto.email.submit).click();
  const newCode = codeIn((await town.mail.next(next)).text);
  const oldCode = codeIn((await town.mail.next(email)).text);
  await page.getByLabel(de.konto.email.newCode(next)).fill(newCode);
  await page.getByLabel(de.konto.email.oldCode).fill('00000000');
  await button(page, de.konto.email.confirm).click();
  await page.waitForSelector('#error-summary');
  t.true(((await page.locator('main').textContent()) ?? '').includes(de.konto.email.newProven));
  await page.getByLabel(de.konto.email.oldCode).fill(oldCode);
  await button(page, de.konto.email.confirm).click();
  await page.waitForURL(konto());
  t.true(((await page.locator('main').textContent()) ?? '').includes(next));

  await page.goto(konto('/sprache'));
  await page.getByLabel('English').check();
  await button(page, de.konto.language.submit).click();
  await page.waitForURL(konto());
  await context.close();
});

test.serial('a session is ended from another one, at once, and its services are told', async (t) => {
  const email = 'sitzungen@konto.example';
  await newPerson(email);
  const contexts: BrowserContext[] = [];
  const open = async (): Promise<Page> => {
    const context = await browser.newContext({ locale: 'de-DE', javaScriptEnabled: false });
    contexts.push(context);
    return context.newPage();
  };
  const [one, other] = [await open(), await open()];
  await signIn(one, email);
  await signIn(other, email);
  const { fahrkarte } = town.services;
  const logouts = fahrkarte.logouts.length;
  await other.goto(`${fahrkarte.origin}/anmelden`);
  await other.waitForURL((url) => url.origin === fahrkarte.origin);
  await one.goto(konto('/sitzungen'));
  t.is(await one.locator('.ss-list li').count(), 2);
  await one.locator('.ss-list').getByRole('button', { name: de.konto.sessions.end }).click();
  await one.waitForSelector('[role=status]');
  t.is(await one.locator('.ss-list li').count(), 1);
  await other.goto(konto());
  t.is(await other.locator('h1').textContent(), de.signIn.title);
  const deadline = Date.now() + 10_000;
  while (fahrkarte.logouts.length === logouts && Date.now() < deadline) await one.waitForTimeout(50);
  t.is(fahrkarte.logouts.length, logouts + 1);
  for (const context of contexts) await context.close();
});

test.serial('after a sign-in by password the browser may make a passkey, and the next sign-in uses it', async (t) => {
  const email = 'angebot@konto.example';
  await newPerson(email);
  const context = await browser.newContext({ locale: 'de-DE', viewport: SIZES.phone });
  const page = await context.newPage();
  const authenticator = await addAuthenticator(page);
  await page.goto(konto());
  await page.getByLabel(de.signIn.identifier).fill(email);
  await page.getByLabel(de.signIn.password, { exact: true }).fill(PASSWORD);
  await button(page, de.signIn.submit).click();
  // Either the browser makes it by itself (conditional create), or the citizen asks for it.
  const create = button(page, de.offerPasskey.submit);
  await Promise.race([page.waitForURL(konto()), create.click({ timeout: 10_000 }).catch(() => {})]);
  await page.waitForURL(konto());
  t.is(await authenticator.count(), 1);
  t.true(((await page.locator('main').textContent()) ?? '').includes(de.konto.passkeys.count(1)));
  await context.close();
});

test.serial('a security key that keeps no passkeys works with the identifier', async (t) => {
  const email = 'schluessel@konto.example';
  await newPerson(email);
  const context = await browser.newContext({ locale: 'de-DE', viewport: SIZES.desktop });
  const page = await context.newPage();
  await addAuthenticator(page, { securityKey: true });
  await signIn(page, email, '/passkey-neu');
  await button(page, de.konto.passkeys.first).click();
  await page.waitForURL(konto('/passkeys'));
  await context.clearCookies();
  await page.goto(konto());
  await button(page, de.signInMore.otherWays).click();
  await page.getByLabel(de.signIn.identifier).fill(email);
  await button(page, de.signIn.passkey).click();
  await page.waitForURL(konto());
  t.true(((await page.locator('main').textContent()) ?? '').includes(email));
  await context.close();
});

test.serial('two citizens at one browser never mix', async (t) => {
  const [first, second] = ['erste@konto.example', 'zweite@konto.example'] as const;
  await newPerson(first);
  await newPerson(second);
  const context = await browser.newContext({ locale: 'de-DE', viewport: SIZES.desktop });
  const page = await context.newPage();
  await signIn(page, first);
  await signIn(page, second, '/wechseln', '');
  const text = (await page.locator('main').textContent()) ?? '';
  t.true(text.includes(second) && !text.includes(first), text);
  await context.close();
});

test.serial('what the last proof does not allow is refused: stale forms, foreign tokens, unknown fields', async (t) => {
  const email = 'formen@konto.example';
  const account = await newPerson(email);
  const context = await browser.newContext({ locale: 'de-DE', javaScriptEnabled: false });
  const page = await context.newPage();
  await signIn(page, email, '/ersatzcodes');
  const token = await page.locator('form[action$="/make"] input[name=token]').inputValue();
  const cookies = await context.cookies();
  const visitor = new Visitor();
  for (const { name, value } of cookies)
    visitor.cookies.push({ name, value, host: new URL(town.issuer).hostname, path: '/' });
  const post = (action: string, fields: Record<string, string>) =>
    visitor.send(konto(`/${action}`), { method: 'POST', body: new URLSearchParams(fields) });
  const left = async () => (await town.context().db('backup_codes').where({ account_id: account })).length;
  const before = await town.context().db('backup_codes').where({ account_id: account }).select('hash');
  t.is((await post('ersatzcodes/make', {})).status, 403);
  t.is((await post('ersatzcodes/make', { token: 'x'.repeat(43) })).status, 403);
  t.is((await post('ersatzcodes/make', { token, extra: '1' })).status, 400);
  t.is((await post('ersatzcodes/constructor', { token })).status, 404);
  t.is((await post('nichts/make', { token })).status, 404);
  t.is(
    (await new Visitor().send(konto('/ersatzcodes/make'), { method: 'POST', body: new URLSearchParams({ token }) }))
      .status,
    403,
  );
  t.deepEqual(await town.context().db('backup_codes').where({ account_id: account }).select('hash'), before);
  t.is(await left(), 10);
  await backupCodes.generate(town.context(), account);
  for (const state of ['//evil.example', 'https://evil.example', '/konto/../auth', '/interaction/x']) {
    const arrived = await visitor.send(konto(`/angemeldet?code=x&state=${encodeURIComponent(state)}`));
    t.is(arrived.headers['location'], '/konto', state);
  }
  await context.close();
});
