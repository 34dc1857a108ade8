/** Passkeys in Chromium: what the browser lists follows what is known here, and each way to use one. */
import test from 'ava';
import * as accounts from '../accounts/accounts.ts';
import { parseEmail } from '../accounts/email.ts';
import type { AccountId } from '../accounts/ids.ts';
import { de } from '../interactions/texts/de.ts';
import { type Authenticator, addAuthenticator, type Browser, type Page, startBrowser } from './harness/browser.ts';
import { addCitizen } from './harness/relying-party.ts';
import { PASSWORD } from './harness/sign-in.ts';
import { type RunningTown, startTown } from './harness/town.ts';

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
const open = async (): Promise<Page> =>
  (await browser.newContext({ locale: 'de-DE', viewport: { width: 390, height: 844 } })).newPage();

/** Fills in the password; what the page offers after it is left to the test. */
const typePassword = async (page: Page, email: string): Promise<void> => {
  await page.getByLabel(de.signIn.identifier).fill(email);
  await page.getByLabel(de.signIn.password, { exact: true }).fill(PASSWORD);
  await button(page, de.signIn.submit).click();
};

const eventually = async (check: () => Promise<boolean>): Promise<boolean> => {
  const deadline = Date.now() + 10_000;
  while (Date.now() < deadline) {
    if (await check()) return true;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return false;
};
const names = async ({ cdp, id }: Authenticator): Promise<(string | undefined)[]> =>
  (await cdp.send('WebAuthn.getCredentials', { authenticatorId: id })).credentials.map(({ userName }) => userName);

/** A citizen with a passkey, made by conditional create or by the button after the sign-in. */
const withPasskey = async (
  page: Page,
  email: string,
): Promise<{ account: AccountId; authenticator: Authenticator }> => {
  const account = await newPerson(email);
  const authenticator = await addAuthenticator(page);
  await page.goto(konto());
  await typePassword(page, email);
  const create = button(page, de.offerPasskey.submit);
  await Promise.race([page.waitForURL(konto()), create.click({ timeout: 10_000 }).catch(() => {})]);
  await page.waitForURL(konto());
  return { account, authenticator };
};

test.serial(
  'after a sign-in by password this browser makes a passkey by itself, and nobody presses a button',
  async (t) => {
    const page = await open();
    const email = 'leise@passkey.example';
    await newPerson(email);
    const authenticator = await addAuthenticator(page);
    // Without a password manager the headless browser would wait for its consent for ever: here it is given.
    await page.addInitScript(`{
      const create = CredentialsContainer.prototype.create;
      CredentialsContainer.prototype.create = function ({ mediation, ...options }) {
        sessionStorage.setItem('mediation', mediation);
        return create.call(this, options);
      };
    }`);
    await page.goto(konto());
    t.true(
      await page.evaluate(
        'PublicKeyCredential.getClientCapabilities().then(({ conditionalCreate }) => conditionalCreate)',
      ),
    );
    await typePassword(page, email);
    await page.waitForURL(konto());
    t.is(await page.evaluate("sessionStorage.getItem('mediation')"), 'conditional');
    t.is(await authenticator.count(), 1);
    t.true(((await page.locator('main').textContent()) ?? '').includes(de.konto.passkeys.count(1)));
    await page.context().close();
  },
);

test.serial(
  'where the prompt fails the page says so, and another page explains the other ways, phone included',
  async (t) => {
    const page = await open();
    await newPerson('anders@passkey.example');
    const authenticator = await addAuthenticator(page);
    await page.goto(konto());
    await button(page, de.signIn.passkey).click();
    await page.getByText(de.signIn.passkeyAborted).waitFor();
    await authenticator.remove();
    await button(page, de.signInMore.otherWays).click();
    await page.getByRole('heading', { name: de.otherWays.title }).waitFor();
    const text = (await page.locator('main').textContent()) ?? '';
    for (const title of ['phoneTitle', 'keyTitle', 'passwordTitle', 'codesTitle', 'nothingTitle'] as const)
      t.true(text.includes(de.otherWays[title]), title);
    await button(page, de.common.back).click();
    await page.getByRole('heading', { name: de.signIn.title }).waitFor();
    t.pass();
    await page.context().close();
  },
);

test.serial('password managers are led to the pages for password and passkeys', async (t) => {
  const page = await open();
  await newPerson('manager@passkey.example');
  await page.goto(`${town.issuer}/.well-known/change-password`);
  await typePassword(page, 'manager@passkey.example');
  const later = button(page, de.offerPasskey.later);
  await Promise.race([page.waitForURL(konto('/passwort')), later.click({ timeout: 10_000 }).catch(() => {})]);
  await page.waitForURL(konto('/passwort'));
  const endpoints = await page.evaluate<{ enroll: string; manage: string }>(
    `fetch('/.well-known/passkey-endpoints').then((answer) => answer.json())`,
  );
  for (const address of [endpoints.enroll, endpoints.manage]) {
    const answer = await page.goto(address);
    t.is(answer?.status(), 200);
    t.is(page.url(), address);
  }
  await page.context().close();
});

test.serial('a passkey that is gone is refused once, and then the browser offers it no more', async (t) => {
  const page = await open();
  const { account, authenticator } = await withPasskey(page, 'weg@passkey.example');
  t.is(await authenticator.count(), 1);
  await town.context().db('passkeys').where({ account_id: account }).delete();
  await page.context().clearCookies();
  await authenticator.presence(false);
  await page.goto(konto());
  await authenticator.presence(true);
  await button(page, de.signIn.passkey).click();
  await page.waitForSelector('#error-summary');
  t.true(((await page.locator('#error-summary').textContent()) ?? '').includes(de.signIn.passkeyWrong));
  t.true(await eventually(async () => (await authenticator.count()) === 0));
  await page.context().close();
});

test.serial('a removed passkey leaves the browser; the others carry the current name', async (t) => {
  const page = await open();
  const email = 'name@passkey.example';
  const { account, authenticator } = await withPasskey(page, email);
  t.true(await eventually(async () => (await names(authenticator)).includes(email)));
  const renamed = 'neuer.name@passkey.example';
  const next = parseEmail(renamed);
  if (next === undefined) return t.fail();
  await accounts.changeEmail(town.context(), account, next);
  await page.goto(konto());
  t.true(
    await eventually(async () => (await names(authenticator)).includes(renamed)),
    String(await names(authenticator)),
  );
  // The password alone was enough before there was a passkey; now the change waits for the passkey itself.
  await page.goto(konto('/passkey-neu'));
  await button(page, de.signIn.passkey).click();
  await page.waitForURL(konto('/passkey-neu'));
  await page.goto(konto('/passkeys'));
  await page.locator('summary', { hasText: de.konto.passkeys.remove }).click();
  await button(page, de.konto.passkeys.remove).click();
  await page.waitForSelector('[role=status]');
  t.true(await eventually(async () => (await authenticator.count()) === 0));
  await page.context().close();
});
