/** Computers that several people use, and people with two accounts: in Chromium, nobody ever gets what is another's. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import test from 'ava';
import { generate } from 'otplib';
import * as accounts from '../../accounts/accounts.ts';
import { inTransaction } from '../../accounts/context.ts';
import { newAccountId } from '../../accounts/ids.ts';
import * as passkeys from '../../accounts/passkeys.ts';
import { de } from '../../interactions/texts/de.ts';
import { letterTextsIn } from '../../interactions/texts/letters.ts';
import { SoftPasskey } from '../harness/authenticator.ts';
import { addAuthenticator, type Browser, type Page, startBrowser } from '../harness/browser.ts';
import { PASSWORD, type Person, SECRET, Stage } from '../harness/sign-in.ts';
import { TEST_TOWN } from '../harness/town.ts';

const LIBRARY = '10.20.7.9';
const SIZES = { phone: { width: 390, height: 844 }, desktop: { width: 1280, height: 900 } } as const;

let stage: Stage;
let browser: Browser;

test.before(async () => {
  stage = await Stage.start({ town: { ...TEST_TOWN, sharedNetworks: ['10.20.0.0/16', '2001:db8:20::/48'] } });
  browser = await startBrowser(stage.town.front.spki);
});
test.serial.beforeEach(() => stage.resetClock());
test.after.always(async () => {
  await browser?.close();
  await stage?.town.close();
});

const konto = (path = ''): string => `${stage.town.issuer}/konto${path}`;
const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true });
const heading = async (page: Page): Promise<string> => ((await page.locator('h1').first().textContent()) ?? '').trim();

const typePassword = async (page: Page, person: Person): Promise<void> => {
  await page.getByLabel(de.signIn.identifier).fill(person.email);
  await page.getByLabel(de.signIn.password, { exact: true }).fill(PASSWORD);
  await button(page, de.signIn.submit).click();
};
/** Signs in at the account's own pages; a passkey that is offered is turned down. */
const signIn = async (page: Page, person: Person): Promise<void> => {
  await typePassword(page, person);
  const later = button(page, de.offerPasskey.later);
  const arrived = page.waitForURL(konto(), { timeout: 15_000 }).catch(() => {});
  await Promise.race([later.waitFor({ timeout: 15_000 }).catch(() => {}), arrived]);
  if (await later.isVisible()) await later.click();
  await page.waitForURL(konto());
};

for (const [size, viewport] of Object.entries(SIZES)) {
  test.serial(
    `in the library's network each sign-in is one on a shared computer, without being asked (${size})`,
    async (t) => {
      const person = await stage.newPerson();
      const options = { locale: 'de-DE', viewport, javaScriptEnabled: size === 'desktop' };
      const inLibrary = await browser.newContext({ ...options, extraHTTPHeaders: { 'x-forwarded-for': LIBRARY } });
      const page = await inLibrary.newPage();
      // It could make passkeys, and by itself: not at a computer that others use.
      if (options.javaScriptEnabled) await addAuthenticator(page);
      await page.goto(konto());
      t.true(((await page.locator('main').textContent()) ?? '').includes(de.signInMore.sharedNetwork));
      t.is(await page.locator('input[type=checkbox][name=shared]').count(), 0);
      await typePassword(page, person);
      await page.waitForURL(konto());
      t.true(((await page.locator('main').textContent()) ?? '').includes(de.konto.sharedText));
      t.is((await passkeys.list(stage.town.context(), person.account)).length, 0);
      if (options.javaScriptEnabled) {
        await page.goto(konto('/passkey-neu'));
        t.true(((await page.locator('main').textContent()) ?? '').includes(de.signInMore.notHere));
        await page.goto(konto());
      }
      const lasting = (await inLibrary.cookies()).filter(({ expires }) => expires !== -1);
      const kept = lasting.map(({ name }) => name).filter((name) => !name.startsWith('__Secure-interaction'));
      t.deepEqual(kept, [], 'nothing that leads to the citizen outlives the browser');
      stage.advance(9 * 60_000);
      await page.goto(konto());
      t.is(await heading(page), de.konto.title, 'in use, it goes on');
      stage.advance(11 * 60_000);
      await page.goto(konto());
      t.is(await heading(page), de.signIn.title, 'ten minutes without use, and the next person finds nothing');
      await inLibrary.close();

      stage.resetClock();
      const atHome = await browser.newContext(options);
      const own = await atHome.newPage();
      await own.goto(konto());
      t.is(await own.locator('input[type=checkbox][name=shared]').count(), 1);
      await signIn(own, person);
      t.false(((await own.locator('main').textContent()) ?? '').includes(de.konto.sharedText));
      t.true((await atHome.cookies()).some(({ name, expires }) => name === '__Host-device' && expires > 0));
      await atHome.close();
    },
  );
}

test.serial(
  'whoever takes a seat at a running session gets no further than its citizen may without a fresh proof',
  async (t) => {
    const [first, second] = [await stage.newPerson({ app: true }), await stage.newPerson()];
    const context = await browser.newContext({ locale: 'de-DE', viewport: SIZES.phone, javaScriptEnabled: false });
    const page = await context.newPage();
    await page.goto(konto());
    await typePassword(page, first);
    // Half signed in, the first one leaves; the second one signs in in the same tab.
    t.is(await heading(page), de.secondFactor.title);
    const half = page.url();
    await button(page, de.signInMore.otherAccount).click();
    await typePassword(page, second);
    await page.waitForURL(konto());
    t.true(((await page.locator('main').textContent()) ?? '').includes(second.email));
    await page.goto(half);
    t.not(await heading(page), de.secondFactor.title, 'the interaction is over');
    await page.goto(konto('/wechseln'));
    await typePassword(page, first);
    stage.advance(31_000);
    await page.getByLabel(de.secondFactor.label).fill(await generate({ secret: SECRET, epoch: stage.seconds }));
    await button(page, de.secondFactor.submit).click();
    // The second one's session is ended first; without script by one more button.
    await button(page, de.continuing.link).click();
    await page.waitForURL(konto());
    const text = (await page.locator('main').textContent()) ?? '';
    t.true(text.includes(first.email) && !text.includes(second.email));
    await page.goBack();
    await page.goto(konto('/sitzungen'));
    t.is(await page.locator('.ss-list li').count(), 1, 'one session in one browser');
    await context.close();
  },
);

/** An account of staff whose passkey the browser holds. */
const addStaff = async (page: Page): Promise<{ account: string; presence: (enabled: boolean) => Promise<void> }> => {
  const ctx = stage.town.context();
  const id = newAccountId();
  const rp = { id: new URL(stage.town.issuer).hostname, origin: stage.town.issuer, name: 'Teststadt' };
  const handle = accounts.newPasskeyHandle();
  const key = new SoftPasskey(handle);
  const challenge = Buffer.alloc(32, 5).toString('base64url');
  const created = await passkeys.verifyCreation(
    rp,
    challenge,
    key.create({ challenge, origin: rp.origin, rpId: rp.id }),
  );
  if (created.outcome !== 'ok') throw new Error(created.reason);
  await inTransaction(ctx, async (tx) => {
    await accounts.insert(tx, id, { town: TEST_TOWN, language: 'de', kind: 'staff', handle });
    await passkeys.insert(tx, id, created.passkey);
  });
  const authenticator = await addAuthenticator(page);
  await authenticator.presence(false);
  await authenticator.cdp.send('WebAuthn.addCredential', {
    authenticatorId: authenticator.id,
    credential: key.export(rp.id),
  });
  return { account: id, presence: authenticator.presence };
};

const staffAddress = (callback: string): string => {
  const url = new URL('/auth', stage.town.issuer);
  const parameters = {
    client_id: 'verwaltung',
    response_type: 'code',
    redirect_uri: callback,
    scope: 'openid offline_access verwaltung',
    resource: `${stage.town.issuer}/admin/api`,
    code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
    code_challenge_method: 'S256',
  };
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  return url.href;
};
/** The command line that waits on this machine. */
const listenForCallback = async (): Promise<{ address: string; close: () => void }> => {
  const server = createServer((_req, res) => res.setHeader('content-type', 'text/plain').end('angekommen'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    address: `http://127.0.0.1:${port}/callback`,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
};

test.serial(
  'a member of staff who is a citizen too: two accounts in one browser, and neither opens what is the other’s',
  async (t) => {
    const person = await stage.newPerson();
    const { staff } = letterTextsIn('de');
    const context = await browser.newContext({ locale: 'de-DE', viewport: SIZES.desktop });
    const page = await context.newPage();
    const program = await listenForCallback();
    t.teardown(program.close);
    const member = await addStaff(page);
    await page.goto(konto());
    await signIn(page, person);

    // The citizen's session says nothing to the administration.
    await page.goto(staffAddress(program.address));
    t.is(await heading(page), staff.title);
    t.is(await page.getByLabel(de.signIn.password, { exact: true }).count(), 0, 'no password for staff');
    await member.presence(true);
    await button(page, de.signIn.passkey).click();
    await page.waitForURL((url) => url.href.startsWith(program.address));
    t.truthy(new URL(page.url()).searchParams.get('code'));
    await member.presence(false);

    // Nor does the session of staff open the citizen's pages or a citizen's service.
    await page.goto(konto());
    t.is(await heading(page), de.signIn.title);
    t.false(((await page.locator('main').textContent()) ?? '').includes(person.email));
    const { fahrkarte } = stage.town.services;
    const before = fahrkarte.signIns.length;
    await page.goto(`${fahrkarte.origin}/anmelden`);
    t.is(await heading(page), de.signIn.title);
    await typePassword(page, person);
    await page.waitForURL((url) => url.origin === fahrkarte.origin);
    t.is(fahrkarte.signIns.length, before + 1);
    t.is(fahrkarte.signIns.at(-1)?.subject, stage.town.context().keys.subject('stadt', person.account));

    // And back: the passkey is asked for anew.
    await page.goto(staffAddress(program.address));
    t.is(await heading(page), staff.title);
    t.false(((await page.locator('main').textContent()) ?? '').includes(person.email));
    await context.close();
  },
);
