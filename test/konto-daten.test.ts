import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import test from 'ava';
import * as attributes from '../accounts/attributes.ts';
import type { AccountId } from '../accounts/ids.ts';
import { datenTexts } from '../interactions/texts/daten.ts';
import { de } from '../interactions/texts/de.ts';
import { type Browser, type Page, startBrowser } from './harness/browser.ts';
import { addCitizen, atHome, obtainCode, pkce, redeem, userinfo } from './harness/relying-party.ts';
import { type RunningTown, startTown } from './harness/town.ts';
import { Visitor } from './harness/visitor.ts';

const CREDENTIALS = { email: 'clara@buerger.example', password: 'drei blaue Häuser am Fluss' };
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const t_de = datenTexts('de');

let town: RunningTown;
let browser: Browser;
let account: AccountId;

test.before(async () => {
  town = await startTown();
  account = await addCitizen(town, CREDENTIALS.email, CREDENTIALS.password);
  await attributes.record(town.context(), account, { given_name: 'Clara', family_name: 'Muster' }, 'self');
  browser = await startBrowser(town.front.spki);
});
test.after.always(async () => {
  await browser?.close();
  await town?.close();
});

/** Uses the library's service, which knows nothing but a pseudonym. */
const visitLibrary = async (): Promise<string> => {
  const proof = pkce();
  const code = await obtainCode(town, new Visitor(), 'bibliothek', proof, CREDENTIALS);
  return (await redeem(town, 'bibliothek', code, proof.verifier)).body['access_token'] ?? '';
};

const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true });

const text = async (page: Page): Promise<string> => (await page.locator('main').textContent()) ?? '';

const open = async (page: Page): Promise<void> => {
  await page.goto(`${town.issuer}/konto/daten`);
  await page.getByLabel(de.signIn.identifier).fill(CREDENTIALS.email);
  await page.getByLabel(de.signIn.password, { exact: true }).fill(CREDENTIALS.password);
  await button(page, de.signIn.submit).click();
  // With script, a passkey is offered after a sign-in by password.
  const later = button(page, de.offerPasskey.later);
  const arrived = page.waitForURL(`${town.issuer}/konto/daten`);
  await Promise.race([arrived, later.click().catch(() => {})]);
  await arrived;
};

test.serial('the citizen sees who knows what, corrects it, takes it along and withdraws, without script', async (t) => {
  const token = await visitLibrary();
  t.is((await userinfo(town, token)).status, 200);
  const subject = (await userinfo(town, token)).body['sub'] ?? '';
  const context = await browser.newContext({ locale: 'de-DE', javaScriptEnabled: false, acceptDownloads: true });
  const page = await context.newPage();
  await open(page);
  t.is(await page.locator('h1').textContent(), t_de.title);
  t.true((await text(page)).includes(subject), 'the pseudonym that the service got');
  t.false((await text(page)).includes('stadtschluesselkonto'), 'the own pages are no service');

  await page.getByLabel(t_de.given_name).fill('Klara');
  await button(page, t_de.save).click();
  t.is(await page.getByLabel(t_de.given_name).inputValue(), 'Klara');

  for (const [name, starts] of [
    [t_de.json, '{'],
    [t_de.pdf, '%PDF'],
  ] as const) {
    const [download] = await Promise.all([page.waitForEvent('download'), button(page, name).click()]);
    const text = readFileSync(await download.path()).toString('latin1');
    t.true(text.startsWith(starts), name);
    if (starts === '%PDF') for (const mark of ['/StructTreeRoot', '/Lang (de']) t.true(text.includes(mark), mark);
    if (starts === '{') {
      const data = JSON.stringify(JSON.parse(readFileSync(await download.path(), 'utf8')));
      for (const word of ['Klara', CREDENTIALS.email, subject]) t.true(data.includes(word), word);
    }
  }

  await page.getByRole('button', { name: /Erlaubnis widerrufen: Bibliothek/ }).click();
  t.true((await text(page)).includes(t_de.noServices));
  t.is((await userinfo(town, token)).status, 401, 'the service’s access has ended');

  await button(page, t_de.removeSubmit).click();
  t.truthy(await button(page, t_de.keep).isVisible());
  await button(page, t_de.keep).click();
  t.truthy(await button(page, t_de.removeSubmit).isVisible());
  await context.close();
});

test.serial('nothing of it is to be had without signing in', async (t) => {
  const visitor = new Visitor();
  const answer = await visitor.open(`${town.issuer}/konto/daten`, atHome(town));
  t.false(answer.text.includes('Klara'));
  t.true(answer.text.includes(de.signIn.title));
});

for (const [language, locale, width, colorScheme] of [
  ['de', 'de-DE', 390, 'light'],
  ['en', 'en-GB', 1280, 'dark'],
] as const) {
  test.serial(`axe finds nothing on it, and it fits (${language}, ${width} px, ${colorScheme})`, async (t) => {
    await visitLibrary();
    const context = await browser.newContext({
      locale: 'de-DE',
      viewport: { width, height: 900 },
      colorScheme,
      bypassCSP: true,
    });
    const page = await context.newPage();
    await open(page);
    await page.goto(`${town.issuer}/konto/daten?lang=${language}`);
    t.is(await page.locator('html').getAttribute('lang'), language);
    for (const details of await page.locator('main details').all())
      await details.evaluate('(one) => { one.open = true }');
    await page.evaluate(AXE);
    const found = (await page.evaluate('axe.run(document)')) as { violations: { id: string }[] };
    t.deepEqual(
      found.violations.map(({ id }) => id),
      [],
      locale,
    );
    t.true(await page.evaluate('document.documentElement.scrollWidth <= innerWidth'));
    const folder = process.env['SCREENSHOTS'];
    if (folder !== undefined) await page.screenshot({ path: `${folder}/daten-${language}.png`, fullPage: true });
    await context.close();
  });
}
