/**
 * Every page of the citizen's own account and every page of a sign-in with more than a password, in both languages, light
 * and dark: axe finds nothing, and nothing is wider than a small phone. `SCREENSHOTS=<folder>` keeps a picture of each.
 */
import test from 'ava';
import * as attributes from '../../accounts/attributes.ts';
import { sealOf } from '../../accounts/data-key.ts';
import { recordProofing } from '../../accounts/factors.ts';
import { de } from '../../interactions/texts/de.ts';
import { en } from '../../interactions/texts/en.ts';
import { look } from '../harness/axe.ts';
import { addAuthenticator, type Browser, startBrowser } from '../harness/browser.ts';
import { codeIn } from '../harness/citizen.ts';
import { PASSWORD, Stage } from '../harness/sign-in.ts';

const DAY_MS = 86_400_000;
const ADDRESS = { street_address: 'Musterweg 7', postal_code: '33330', locality: 'Teststadt' };

let stage: Stage;
let browser: Browser;

test.before(async () => {
  stage = await Stage.start();
  browser = await startBrowser(stage.town.front.spki);
});
test.after.always(async () => {
  await browser?.close();
  await stage?.town.close();
});

for (const [locale, texts, size] of [
  ['de-DE', de, { name: 'phone', viewport: { width: 390, height: 844 } }],
  ['en-GB', en, { name: 'desktop', viewport: { width: 1280, height: 900 } }],
] as const) {
  const language = locale.slice(0, 2);
  test.serial(`axe finds nothing on the pages of the account (${texts.language}, ${size.name})`, async (t) => {
    t.timeout(180_000);
    stage.resetClock();
    const person = await stage.newPerson({ app: true });
    const before = { ...stage.town.context(), now: () => new Date(Date.now() - 400 * DAY_MS) };
    await recordProofing(before, person.account, 'substantial');
    const seal = await sealOf(before, person.account);
    if (seal !== undefined) await attributes.write(before, person.account, seal, { address: ADDRESS }, 'eid', 'high');

    const context = await browser.newContext({ locale, viewport: size.viewport, bypassCSP: true });
    const page = await context.newPage();
    const authenticator = await addAuthenticator(page);
    await authenticator.presence(false);
    const see = look(t, page, size, language);
    const konto = (path = ''): string => `${stage.town.issuer}/konto${path}`;
    const press = (name: string): Promise<void> => page.getByRole('button', { name, exact: true }).click();
    const loaded = async (name: string): Promise<void> => {
      const done = page.waitForEvent('domcontentloaded');
      await press(name);
      await done;
    };

    await page.goto(konto());
    await loaded(texts.signInMore.otherWays);
    await see('other-ways');
    await loaded(texts.common.back);
    await loaded(texts.signInMore.forgotten);
    await see('forgotten');
    await page.getByLabel(texts.signIn.identifier).fill(person.email);
    await page.getByLabel(texts.forgotten.codeLabel).fill(person.codes[0] ?? '');
    await loaded(texts.forgotten.submit);
    await see('forgotten-second-factor');
    await page.getByLabel(texts.secondFactor.label).fill(await stage.appCode());
    await loaded(texts.secondFactor.submit);
    await see('forgotten-password');
    await press(texts.password.takeSuggestion);
    await see('suggestion-taken');
    await loaded(texts.common.back);
    await page.getByLabel(texts.signIn.identifier).fill(person.email);
    await page.getByLabel(texts.signIn.password, { exact: true }).fill(PASSWORD);
    await loaded(texts.signIn.submit);
    await see('second-factor');
    await page.getByLabel(texts.secondFactor.label).fill(await stage.appCode());
    await loaded(texts.secondFactor.submit);
    await page.getByRole('heading', { name: texts.offerPasskey.title }).waitFor();
    await see('offer-passkey');
    await press(texts.offerPasskey.later);
    await page.waitForURL(konto());
    await see('konto');
    await page.goto(konto('/passkey-neu'));
    await see('konto-passkey-new');
    await authenticator.presence(true);
    await press(texts.konto.passkeys.first);
    await page.waitForURL(konto('/passkeys'));
    await authenticator.presence(false);
    await see('konto-passkeys');
    await page.goto(konto('/app'));
    await page.getByRole('heading', { name: texts.signInMore.again }).waitFor();
    await see('again');
    await authenticator.presence(true);
    await press(texts.signIn.passkey);
    await page.waitForURL(konto('/app'));
    await see('konto-app');
    await loaded(texts.konto.totp.remove);
    await page.goto(konto('/app'));
    await see('konto-app-new');
    await page.getByLabel(texts.secondFactor.label).fill('000000');
    await loaded(texts.konto.totp.submit);
    await see('konto-app-faulty');
    for (const path of ['passwort', 'ersatzcodes', 'sitzungen', 'ausweise', 'email', 'sprache', 'protokoll', 'daten']) {
      await page.goto(konto(`/${path}`));
      t.is(page.url(), konto(`/${path}`));
      await see(`konto-${path}`);
    }
    await page.goto(konto('/zweiter-faktor'));
    await see('konto-finder');
    await loaded(texts.finder.submit);
    await see('konto-finder-faulty');
    await page.getByLabel(texts.finder.questions.phone.answers.no).check();
    await loaded(texts.finder.submit);
    await see('konto-finder-computer');
    await page.getByLabel(texts.finder.questions.computer.answers.own).check();
    await loaded(texts.finder.submit);
    await see('konto-finder-own');
    for (const answer of ['unlock', 'key', 'paper'] as const) {
      await page.getByLabel(texts.finder.questions.own.answers[answer]).check();
      await loaded(texts.finder.submit);
      await see(`konto-finder-${answer}`);
      await page.getByRole('link', { name: texts.finder.previous }).click();
    }
    await page.goto(konto('/passwort'));
    await loaded(texts.konto.password.submit);
    await see('konto-passwort-faulty');
    await page.goto(konto('/ersatzcodes'));
    await loaded(texts.konto.codes.make);
    await see('konto-ersatzcodes-shown');
    await page.goto(konto('/email'));
    await page.getByLabel(texts.konto.email.label).fill(`neu.${person.email}`);
    await loaded(texts.konto.email.submit);
    await see('konto-email-codes');
    t.truthy(codeIn((await stage.town.mail.next(`neu.${person.email}`)).text));
    await context.close();
  });
}
