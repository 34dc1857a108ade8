import test from 'ava';
import { de } from '../interactions/texts/de.ts';
import { type Browser, type Page, startBrowser } from './harness/browser.ts';
import { arrived, newPage, press, toService } from './harness/identity-pages.ts';
import { type IdentityTown, startIdentityTown } from './harness/identity-town.ts';

const t9n = de.identity;
let place: IdentityTown;
let browser: Browser;

test.before(async () => {
  place = await startIdentityTown();
  browser = await startBrowser(place.town.front.spki);
});
test.after.always(async () => {
  await browser?.close();
  await place?.close();
});

const signedIn = (page: Page) => page.waitForURL(`${place.town.services.fahrkarte.origin}/`);
const toSignIn = (page: Page) => page.goto(`${place.town.services.fahrkarte.origin}/anmelden`);

test.serial('register with the Online-Ausweis, and sign in again with it', async (t) => {
  const { page, complaints } = await newPage(browser);
  const byCard = async () => {
    await toSignIn(page);
    await press(page, t9n.buttons.eid);
    await page.locator('[data-eid-status]').waitFor({ state: 'hidden' });
    await page.getByRole('link', { name: t9n.eid.open, exact: true }).click();
    await page.getByRole('button', { name: 'Jetzt ausweisen' }).click();
  };
  await byCard();
  await press(page, t9n.unknown.open.eid);
  await press(page, de.kennung.submit('Fahrkarte'));
  // Offered right away: with it the card is not needed every time.
  await press(page, de.offerPasskey.later);
  await signedIn(page);
  const [first] = place.town.services.fahrkarte.signIns;
  await page.context().clearCookies();
  await byCard();
  await signedIn(page);
  const second = place.town.services.fahrkarte.signIns.at(-1);
  t.is(second?.subject, first?.subject);
  t.deepEqual(place.town.services.fahrkarte.faults, []);
  t.deepEqual(complaints, []);
});

test.serial('where no AusweisApp answers, the page says so and offers the other ways', async (t) => {
  const { page } = await newPage(browser);
  await page.route('http://127.0.0.1:*/eID-Client?Status=json', (route) => route.abort());
  await toSignIn(page);
  await press(page, t9n.buttons.eid);
  await page.getByText(t9n.eid.notRunning).waitFor();
  await press(page, de.common.back);
  t.is(await page.getByRole('heading', { level: 1 }).textContent(), de.signIn.title);
});

test.serial('register with BundID, and sign in again with it', async (t) => {
  const { page, complaints } = await newPage(browser);
  const byBundId = async (way: string) => {
    await toSignIn(page);
    await press(page, t9n.buttons.bundid);
    await press(page, t9n.bundid.submit);
    await page.getByRole('button', { name: way }).click();
  };
  await byBundId('ELSTER-Zertifikat (Stufe 3)');
  await press(page, t9n.unknown.open.eid);
  await press(page, de.kennung.submit('Fahrkarte'));
  // Offered right away: with it the card is not needed every time.
  await press(page, de.offerPasskey.later);
  await signedIn(page);
  await page.context().clearCookies();
  await byBundId('Benutzername und Passwort (Stufe 1)');
  await signedIn(page);
  const [one, two] = place.town.services.fahrkarte.signIns.slice(-2);
  t.is(one?.subject, two?.subject);
  t.deepEqual(complaints, []);
});

test.serial('staff go to their own provider and come back', async (t) => {
  const { page, complaints } = await newPage(browser);
  await toService(page, place, 'dienststelle');
  await press(page, t9n.buttons.upstream);
  await page.getByRole('link', { name: t9n.upstream.submit, exact: true }).click();
  await page.getByRole('button', { name: 'Karin Weber, Bürgerbüro' }).click();
  await press(page, t9n.unknown.open.staff);
  await arrived(page);
  t.deepEqual(complaints, []);
});
