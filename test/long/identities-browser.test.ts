/** Identities in a real browser: what the acceptance asks for, and the pages of an account with several. */
import test from 'ava';
import { datenTexts } from '../../interactions/texts/daten.ts';
import { de } from '../../interactions/texts/de.ts';
import { type Browser, type Page, startBrowser } from '../harness/browser.ts';
import * as at from '../harness/identity-pages.ts';
import { type IdentityTown, startIdentityTown } from '../harness/identity-town.ts';
import { addCitizen } from '../harness/relying-party.ts';

const t9n = de.identity;
const PASSWORD = 'drei blaue Häuser am Fluss';
const ERIKA = 'Erika Mustermann, wohnt in Gütersloh';
const ERIKA_NEW = 'Erika Mustermann, ihre neue Karte';
const HANS = 'Hans-Peter von der Heide, wohnt in Köln';
const PHONE = { width: 390, height: 844 };

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
test.beforeEach(async () => {
  const { db } = place.town.context();
  for (const table of ['identities', 'attributes']) await db(table).delete();
});

const konto = (path: string): string => `${place.town.issuer}/konto${path}`;
const heading = (page: Page, name: string) => page.getByRole('heading', { level: 1, name }).waitFor();
const claims = (names: string[]) => ({
  claims: JSON.stringify({ userinfo: Object.fromEntries(names.map((name) => [name, null])) }),
});
const storedNames = async (): Promise<string[]> =>
  (await place.town.context().db('attributes').distinct('name').orderBy('name')).map(({ name }) => name);

/** Whether the citizen is told so by mail; other mails may come before it. */
const isTold = async (email: string, what: RegExp): Promise<boolean> => {
  for (let mails = 0; mails < 6; mails += 1) if (what.test((await place.town.mail.next(email)).text)) return true;
  return false;
};

/** Signs in by password to a page of the account, past the offer of a passkey. */
const toKonto = async (page: Page, email: string, path: string): Promise<void> => {
  await page.goto(konto(path));
  await at.byPassword(page, email, PASSWORD);
  await at.finish(page, page.waitForURL(konto(path)));
};

test.serial(
  'adulthood is proven to a service that asks for nothing else: no birthday, no address is stored',
  async (t) => {
    const { page, complaints } = await at.newPage(browser, { viewport: PHONE });
    await at.toService(page, place, 'erwachsene', claims(['age_over_18']));
    await at.byCard(page, ERIKA);
    await at.press(page, t9n.unknown.open.eid);
    await at.press(page, de.kennung.submit('erwachsene'));
    await at.finish(page, heading(page, de.details.title));
    await at.byCard(page, ERIKA, t9n.buttons.eid);
    await at.press(page, de.consent.allow);
    await at.arrived(page);
    t.deepEqual(await storedNames(), ['age_over']);
    t.deepEqual(complaints, []);
  },
);

test.serial('from the password up to high, by card and by BundID at level 4', async (t) => {
  for (const [email, prove] of [
    ['karte@buerger.example', (page: Page) => at.byCard(page, HANS)],
    ['bund@buerger.example', (page: Page) => at.byBundId(page, 'Online-Ausweis (Stufe 4)')],
  ] as const) {
    await addCitizen(place.town, email, PASSWORD);
    const { page, complaints } = await at.newPage(browser);
    await at.toService(page, place, 'hoch');
    await at.byPassword(page, email, PASSWORD);
    await heading(page, de.levelMissing.title);
    await prove(page);
    await at.press(page, t9n.link.submit);
    await at.finish(page, at.arrived(page));
    t.deepEqual(complaints, [], email);
  }
});

test.serial('BundID is asked for level 4 where the service demands it, and offers nothing less', async (t) => {
  const { page } = await at.newPage(browser);
  await at.toService(page, place, 'hoch');
  await at.press(page, t9n.buttons.bundid);
  await at.press(page, t9n.bundid.submit);
  await page.getByRole('button', { name: 'Online-Ausweis (Stufe 4)' }).waitFor();
  t.is(await page.getByRole('button', { name: /Stufe [13]\)/ }).count(), 0);
  await page.getByText('Fehler ausprobieren').click();
  await at.press(page, 'Niedrigere Stufe als verlangt');
  await page.getByText(t9n.faults.level).waitFor();
});

test.serial('a temporary login at BundID confirms details, and nobody can sign in with it', async (t) => {
  const { page, complaints } = await at.newPage(browser, { viewport: PHONE });
  await at.toService(page, place, 'antrag', claims(['given_name', 'family_name', 'birthdate']));
  await at.byCard(page, ERIKA);
  await at.press(page, t9n.unknown.open.eid);
  await at.press(page, de.kennung.submit('antrag'));
  await at.finish(page, heading(page, de.details.title));
  await at.byBundId(page, 'Ohne Konto mit dem Online-Ausweis', 'Erika Mustermann');
  await at.press(page, de.consent.allow);
  await at.arrived(page);
  t.deepEqual(await storedNames(), ['birthdate', 'family_name', 'given_name']);
  t.is((await place.town.context().db('identities').where({ source: 'bundid' })).length, 0);
  t.deepEqual(complaints, []);
});

test.serial('in the account: link a card, sign in with it, unlink it again, each told by mail', async (t) => {
  const email = 'konto@buerger.example';
  await addCitizen(place.town, email, PASSWORD);
  const { page, complaints } = await at.newPage(browser, { viewport: PHONE });
  await toKonto(page, email, '/ausweise');
  await page.getByText(t9n.konto.none).waitFor();
  await at.byCard(page, HANS, t9n.konto.add.eid);
  await page.getByText(de.konto.done).waitFor();
  t.true(await isTold(email, /mit Ihrem Konto wurde gerade ein Ausweis/));
  t.true(await page.evaluate('document.documentElement.scrollWidth <= innerWidth'));

  const other = await at.newPage(browser);
  await at.toService(other.page, place, 'fahrkarte');
  await other.page.goto(`${place.town.services.fahrkarte.origin}/anmelden`);
  await at.byCard(other.page, HANS);
  await at.finish(other.page, other.page.waitForURL(`${place.town.services.fahrkarte.origin}/`));

  await page.getByText(t9n.konto.remove).first().click();
  await at.press(page, t9n.konto.remove);
  await page.getByText(t9n.konto.none).waitFor();
  t.true(await isTold(email, /von Ihrem Konto wurde gerade ein Ausweis/));
  t.deepEqual([...complaints, ...other.complaints], []);
});

test.serial('the last way in is never taken away', async (t) => {
  const { page } = await at.newPage(browser);
  await page.goto(konto('/ausweise'));
  await at.byCard(page, HANS);
  await at.press(page, t9n.unknown.open.eid);
  await at.press(page, de.kennung.submit(de.konto.title)).catch(() => page.getByRole('button').last().click());
  await at.finish(page, page.waitForURL(konto('/ausweise')));
  await page.getByText(t9n.konto.remove).first().click();
  await at.press(page, t9n.konto.remove);
  await page.getByText(t9n.faults['last-way-in']).first().waitFor();
  t.is((await place.town.context().db('identities')).length, 1);
});

test.serial('a new card of the same person takes the old one’s place, in a session by password', async (t) => {
  const email = 'erika@buerger.example';
  await addCitizen(place.town, email, PASSWORD);
  const { page, complaints } = await at.newPage(browser);
  await toKonto(page, email, '/ausweise');
  await at.byCard(page, ERIKA, t9n.konto.add.eid);
  await page.getByText(de.konto.done).waitFor();
  await page.getByText(t9n.konto.newCard).waitFor();
  await at.press(page, t9n.konto.add.eid);
  await page.getByRole('link', { name: t9n.eid.open, exact: true }).click();
  // Whose card it is must be known now: name and date of birth are read.
  await page.getByText('Geburtsdatum').waitFor();
  await page.getByLabel(ERIKA_NEW).check();
  await at.press(page, 'Jetzt ausweisen');
  await page.getByText(/durch eine neue Karte ersetzt/).waitFor();
  const { db } = place.town.context();
  t.is((await db('identities').whereNull('retired_at')).length, 1);
  t.is((await db('identities').whereNotNull('retired_at')).length, 1);

  // Another person's card is not taken for one.
  await at.byCard(page, HANS, t9n.konto.add.eid);
  await page.getByText(t9n.faults.contradiction).first().waitFor();
  t.is((await db('identities').whereNull('retired_at')).length, 1);

  // The old card opens nothing any more.
  const old = await at.newPage(browser);
  await old.page.goto(`${place.town.services.fahrkarte.origin}/anmelden`);
  await at.byCard(old.page, ERIKA);
  await old.page.getByText(t9n.faults.retired).first().waitFor();
  t.deepEqual(complaints, []);
});

for (const where of ['sign-in', 'konto'] as const) {
  test.serial(
    `who finds two accounts closes one of them: its deletion begins, with its days and notices (${where})`,
    async (t) => {
      const { page: first } = await at.newPage(browser);
      await first.goto(`${place.town.services.fahrkarte.origin}/anmelden`);
      await at.byCard(first, HANS);
      await at.press(first, t9n.unknown.open.eid);
      await at.press(first, de.kennung.submit('Fahrkarte'));
      await at.finish(first, first.waitForURL(`${place.town.services.fahrkarte.origin}/`));
      const older = (await place.town.context().db('identities').select('account_id'))[0]?.account_id;

      const email = `doppelt-${where}@buerger.example`;
      const newer = await addCitizen(place.town, email, PASSWORD);
      const { page, complaints } = await at.newPage(browser);
      if (where === 'konto') {
        await toKonto(page, email, '/ausweise');
        await at.byCard(page, HANS, t9n.konto.add.eid);
      } else {
        await at.toService(page, place, 'hoch');
        await at.byPassword(page, email, PASSWORD);
        await at.byCard(page, HANS);
      }
      await heading(page, t9n.double.title);
      await page.getByText(/nach 14 Tagen/).waitFor();
      await at.press(page, t9n.double.keepThis);
      if (where === 'konto') await page.getByText(de.konto.done).waitFor();
      else {
        await at.finish(page, at.arrived(page));
      }
      const { db } = place.town.context();
      const [identity] = await db('identities').select('account_id');
      t.is(identity.account_id, newer);
      const [closing] = await db('accounts').where({ id: older }).select('status', 'deletion_due_at');
      t.is(closing.status, 'active');
      const days = (closing.deletion_due_at.getTime() - Date.now()) / 86_400_000;
      t.true(days > 13.9 && days <= 14, `${days}`);
      t.true(await isTold(email, /Sie hatten zwei Konten/));
      t.deepEqual(complaints, []);
    },
  );
}

test.serial('closing the account one is in: it says so under “my data”, and can be taken back there', async (t) => {
  const email = 'behalten@buerger.example';
  const { page: first } = await at.newPage(browser);
  await first.goto(`${place.town.services.fahrkarte.origin}/anmelden`);
  await at.byCard(first, HANS);
  await at.press(first, t9n.unknown.open.eid);
  await at.press(first, de.kennung.submit('Fahrkarte'));
  await at.finish(first, first.waitForURL(`${place.town.services.fahrkarte.origin}/`));
  const closed = await addCitizen(place.town, email, PASSWORD);
  const { page } = await at.newPage(browser);
  await at.toService(page, place, 'hoch');
  await at.byPassword(page, email, PASSWORD);
  await at.byCard(page, HANS);
  await at.press(page, t9n.double.keepOther);
  await at.finish(page, at.arrived(page));
  t.true(await isTold(email, /die Löschung beantragt/));
  const again = await at.newPage(browser);
  await toKonto(again.page, email, '/daten');
  await at.press(again.page, datenTexts('de').keep);
  await again.page.getByText(de.konto.done).waitFor();
  const [row] = await place.town.context().db('accounts').where({ id: closed }).select('deletion_due_at');
  t.is(row.deletion_due_at, null);
});

test.serial('staff join by their own provider, without script as well', async (t) => {
  for (const javaScriptEnabled of [true, false]) {
    const { page, complaints } = await at.newPage(browser, { javaScriptEnabled });
    await at.toService(page, place, 'dienststelle');
    await at.press(page, t9n.buttons.upstream);
    await page.getByRole('link', { name: t9n.upstream.submit, exact: true }).click();
    await at.press(page, 'Karin Weber, Bürgerbüro');
    if (javaScriptEnabled) await at.press(page, t9n.unknown.open.staff);
    await at.arrived(page);
    t.deepEqual(complaints, []);
  }
});

test.serial('without script a citizen registers by card and by BundID', async (t) => {
  for (const go of [
    (page: Page) => at.byCard(page, HANS),
    async (page: Page) => {
      await at.byBundId(page, 'ELSTER-Zertifikat (Stufe 3)');
      await at.press(page, 'Weiter');
    },
  ]) {
    const { page } = await at.newPage(browser, { javaScriptEnabled: false });
    await page.goto(`${place.town.services.fahrkarte.origin}/anmelden`);
    await go(page);
    await page.getByRole('button', { name: t9n.unknown.open.eid, exact: true }).click();
    await at.press(page, de.kennung.submit('Fahrkarte'));
    await page.waitForURL(`${place.town.services.fahrkarte.origin}/`);
    t.pass();
  }
});
