/**
 * Every page in both languages, light and dark: axe finds nothing, and nothing is wider than a small phone.
 * `SCREENSHOTS=<folder>` keeps a picture of each.
 */
import test, { type ExecutionContext } from 'ava';
import { de, type Texts } from '../../interactions/texts/de.ts';
import { en } from '../../interactions/texts/en.ts';
import { look } from '../harness/axe.ts';
import { type Browser, type Page, startBrowser } from '../harness/browser.ts';
import { type RunningTown, startTown } from '../harness/town.ts';

const PASSWORD = 'Regenschirm tanzt um Mitternacht';

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

/** The pages that need no sign-in. */
const visitLoosePages = async (page: Page, see: (name: string) => Promise<void>): Promise<void> => {
  for (const [name, address] of [
    ['start', '/'],
    ['unknown', '/nirgendwo'],
    ['developers', '/entwickler'],
    ['developers-examples', '/entwickler/beispiele'],
    ['developers-errors', '/entwickler/fehler'],
    ['developers-claims', '/entwickler/angaben?dienst=portal'],
    ['developers-playground', '/entwickler/erproben'],
    ['device', '/device'],
    ['expired', '/interaction/abc'],
    ['bad-client', '/auth?client_id=niemand&response_type=code&scope=openid'],
  ] as const) {
    await page.goto(`${town.issuer}${address}`);
    await see(name);
  }
};

/** A registration with a password, every form sent wrong once; then missing details and consent. */
const register = async (
  t: ExecutionContext,
  page: Page,
  texts: Texts,
  email: string,
  see: (name: string) => Promise<void>,
): Promise<void> => {
  const fill = (label: string, value: string): Promise<void> => page.getByLabel(label, { exact: true }).fill(value);
  const press = async (name: string): Promise<void> => {
    const loaded = page.waitForEvent('domcontentloaded');
    await page.getByRole('button', { name, exact: true }).click();
    await loaded;
  };
  /** A mistake: the title says so, and the summary has the focus. */
  const faulty = async (name: string): Promise<void> => {
    t.true((await page.title()).startsWith(texts.common.errorPrefix), name);
    await page.waitForFunction('document.activeElement?.id === "error-summary"');
    await see(`${name}-faulty`);
  };

  await page.goto(`${town.services.portal.origin}/anmelden`);
  await see('sign-in');
  await press(texts.signIn.submit);
  await faulty('sign-in');
  await press(texts.signIn.register);
  await see('email');
  await press(texts.email.submit);
  await faulty('email');
  await fill(texts.email.label, email);
  await press(texts.email.submit);
  await see('code');
  await press(texts.code.submit);
  await faulty('code');
  await fill(texts.code.label, /\b\d{8}\b/.exec((await town.mail.next(email)).text)?.[0] ?? '');
  await press(texts.code.submit);
  await see('address');
  await press(texts.address.submit);
  await faulty('address');
  await press(texts.address.skip);
  await see('credential');
  const answer = async (label: string): Promise<void> => {
    await page.getByLabel(label, { exact: true }).check();
    await press(texts.finder.submit);
  };
  await press(texts.finder.title);
  await see('finder');
  await press(texts.finder.submit);
  await faulty('finder');
  await answer(texts.finder.questions.phone.answers.yes);
  await see('finder-lock');
  await answer(texts.finder.questions.lock.answers.yes);
  await see('finder-phone');
  await press(texts.common.back);
  await answer(texts.finder.questions.lock.answers.no);
  await see('finder-app');
  for (let back = 0; back < 3; back += 1) await press(texts.common.back);
  await press(texts.credential.passwordSubmit);
  await see('password');
  await press(texts.password.submit);
  await faulty('password');
  await fill(texts.password.label, PASSWORD);
  await fill(texts.password.repeat, PASSWORD);
  await press(texts.password.submit);
  await see('backup-codes');
  await press(texts.backupCodes.submit);
  await faulty('backup-codes');
  await page.getByLabel(texts.backupCodes.confirm).check();
  await press(texts.backupCodes.submit);
  await see('kennung');
  await press(texts.kennung.submit(town.registrations.find(({ clientId }) => clientId === 'portal')?.name.de ?? ''));
  await see('details');
  await press(texts.details.submit);
  await faulty('details');
  await fill(texts.details.givenName, 'Erika');
  await fill(texts.details.familyName, 'Mustermann');
  await press(texts.details.submit);
  await see('consent');
  await press(texts.consent.allow);
  await page.waitForURL(`${town.services.portal.origin}/**`);
  await page.goto(`${town.issuer}/session/end`);
  await see('sign-out');
  await press(texts.logout.submit);
  await page.waitForURL('**/session/end/success**');
  await see('signed-out');
};

for (const [locale, texts, size] of [
  ['de-DE', de, { name: 'phone', viewport: { width: 390, height: 844 } }],
  ['en-GB', en, { name: 'desktop', viewport: { width: 1280, height: 900 } }],
] as const) {
  const language = locale.slice(0, 2);
  test.serial(`axe finds nothing on any page (${texts.language}, ${size.name}, light and dark)`, async (t) => {
    t.timeout(180_000);
    const context = await browser.newContext({ viewport: size.viewport, locale, bypassCSP: true });
    const page = await context.newPage();
    const see = look(t, page, size, language);
    await visitLoosePages(page, see);
    await register(t, page, texts, `erika.${language}@buerger.example`, see);
    await context.close();
  });
}
