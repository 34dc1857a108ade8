/** A citizen at a browser before one of the town's demo services. */
import type { Page } from './browser.ts';

/** Presses the service's button and answers the provider's pages until the service shows a subject. */
export const signInToDemo = async (
  page: Page,
  address: string,
  citizen?: { identifier: string; password: string },
): Promise<string> => {
  await page.goto(address);
  await page.locator('form[action$="login"] button').click();
  const deadline = Date.now() + 30_000;
  while (Date.now() < deadline) {
    // A page may move on while it is looked at.
    const subject = await answerPage(page, citizen).catch(() => undefined);
    if (subject !== undefined) return subject;
    await page.waitForTimeout(100);
  }
  throw new Error(`no subject at ${page.url()}:\n${await page.locator('body').textContent()}`);
};

/** Does what a page asks for; the subject if it is the service's own page. */
const answerPage = async (
  page: Page,
  citizen: { identifier: string; password: string } | undefined,
): Promise<string | undefined> => {
  if ((await page.locator('#subject').count()) > 0) return (await page.locator('#subject').textContent()) ?? undefined;
  const password = page.locator('input[name=password]');
  if ((await password.count()) > 0) {
    // Who is signed in already is not asked again: without a citizen the deadline passes here.
    if (citizen === undefined) return undefined;
    await page.locator('input[name=identifier]').fill(citizen.identifier, { timeout: 2000 });
    await password.fill(citizen.password, { timeout: 2000 });
    await submit(page, password.press('Enter'));
    return undefined;
  }
  const later = page.locator('form[action$="no-passkey"] button');
  const allow = (await later.count()) > 0 ? later : page.locator('main form button').first();
  if (!page.url().includes('/interaction/') || (await allow.count()) === 0) return undefined;
  for (const box of await page.locator('main input[type=checkbox]').all()) await box.check({ timeout: 2000 });
  await submit(page, allow.click({ timeout: 2000 }));
  return undefined;
};

const submit = async (page: Page, act: Promise<void>): Promise<void> => {
  const loaded = page.waitForEvent('load', { timeout: 10_000 });
  loaded.catch(() => {});
  await act;
  await loaded;
};
