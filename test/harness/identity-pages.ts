/** What citizens do with identity sources in a real browser. */
import { de } from '../../interactions/texts/de.ts';
import type { Browser, Page } from './browser.ts';
import type { IdentityTown } from './identity-town.ts';
import { authorizationUrl, pkce } from './relying-party.ts';

const t9n = de.identity;
/** A service that has no server: that a code is sent there is all that counts. */
const SERVICE = 'dienst.example';
const arrivals = new WeakSet<Page>();

export const press = (page: Page, name: string) => page.getByRole('button', { name, exact: true }).click();

/** A citizen's own browser, and what it reports as broken. */
export const newPage = async (
  browser: Browser,
  options: Parameters<Browser['newContext']>[0] = {},
): Promise<{ page: Page; complaints: string[] }> => {
  const page = await (await browser.newContext({ locale: 'de-DE', ...options })).newPage();
  const complaints: string[] = [];
  page.on('console', (message) => {
    if (/Content Security Policy|Refused to/.test(message.text())) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('request', (request) => {
    const { hostname, searchParams } = new URL(request.url());
    if (hostname === SERVICE && searchParams.has('code')) arrivals.add(page);
  });
  return { page, complaints };
};

/** Uses a specimen card at the reader of the sandbox, from the page that leads to AusweisApp on. */
export const useCardHere = async (page: Page, note: string): Promise<void> => {
  await page.getByRole('link', { name: t9n.eid.open, exact: true }).click();
  await page.getByLabel(note).check();
  await press(page, 'Jetzt ausweisen');
};

export const byCard = async (page: Page, note: string, button: string = t9n.buttons.eid): Promise<void> => {
  await press(page, button);
  await useCardHere(page, note);
};

/** Signs in at BundID in one of its ways. */
export const byBundId = async (
  page: Page,
  way: string,
  person = 'Max Beispiel',
  button: string = t9n.buttons.bundid,
) => {
  await press(page, button);
  await press(page, t9n.bundid.submit);
  await page.getByLabel(person).check();
  await press(page, way);
};

export const byPassword = async (page: Page, identifier: string, password: string): Promise<void> => {
  await page.getByLabel(de.signIn.identifier).fill(identifier);
  await page.getByLabel(de.signIn.password, { exact: true }).fill(password);
  await press(page, de.signIn.submit);
};

/** Begins a sign-in at a service that has no server. */
export const toService = (page: Page, place: IdentityTown, clientId: string, changes: Record<string, string> = {}) => {
  const url = authorizationUrl(place.town, 'fahrkarte', pkce(), { client_id: clientId, ...changes });
  url.searchParams.set('redirect_uri', `https://${SERVICE}/callback`);
  return page.goto(url.href);
};

/** Until the sign-in has ended there, with a code. */
export const arrived = async (page: Page): Promise<void> => {
  if (!arrivals.has(page)) await page.waitForEvent('request', () => arrivals.has(page));
};

/** Past the offer of a passkey, where there is one, to what comes after it. */
export const finish = async (page: Page, after: Promise<unknown>): Promise<void> => {
  const later = page.getByRole('button', { name: de.offerPasskey.later, exact: true });
  const done = after.then(() => 'there' as const);
  const offered = later.waitFor({ timeout: 0 }).then(
    () => 'offered' as const,
    () => 'gone' as const,
  );
  if ((await Promise.race([done, offered])) === 'offered') await later.click();
  await done;
};
