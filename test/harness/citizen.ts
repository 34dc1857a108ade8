/** A citizen at a real browser: answers whatever page of the provider comes, by what it is called and says. */
import { de } from '../../interactions/texts/de.ts';
import type { Authenticator, Page } from './browser.ts';
import type { RunningTown } from './town.ts';

const PASSKEY_BUTTON_MS = 3000;

export type CitizenData = {
  readonly email?: string;
  readonly givenName: string;
  readonly familyName: string;
  /** Without one the citizen chooses passkeys. */
  readonly password?: string;
  /** YYYY-MM-DD, where a service requires one. */
  readonly birthdate?: string;
  /** Street, postal code, town. */
  readonly address?: readonly [string, string, string];
};

const PATIENCE_MS = 20_000;

/** The code in a mail: the one long run of digits. */
export const codeIn = (text: string): string => /\b(\d{6,8})\b/.exec(text)?.[1] ?? '';

export class Citizen {
  readonly page: Page;
  readonly town: RunningTown;
  readonly data: CitizenData;
  /** Titles of the pages answered, in order. */
  readonly seen: string[] = [];
  /** Called on each page before it is answered. */
  onPage: (title: string) => Promise<void> = async () => {};
  /** As the provider told it at the registration. */
  kennung = '';
  backupCodes: string[] = [];
  registered = false;
  /** Touched only when a passkey is asked for. */
  authenticator: Authenticator | undefined;
  #arrived: () => Promise<boolean> | boolean = () => false;

  constructor(page: Page, town: RunningTown, data: CitizenData) {
    this.page = page;
    this.town = town;
    this.data = data;
  }

  /** Signs in to a service by its own link, answering pages until `arrived`. Returns the titles of those pages. */
  async signInTo(origin: string, arrived: () => Promise<boolean> | boolean): Promise<string[]> {
    await this.page.goto(`${origin}/`);
    const start = this.seen.length;
    this.#arrived = arrived;
    await this.#act(this.page.getByRole('link', { name: 'Anmelden' }).click());
    await this.answer(arrived);
    return this.seen.slice(start);
  }

  /** Answers pages until `arrived`. */
  async answer(arrived: () => Promise<boolean> | boolean): Promise<void> {
    this.#arrived = arrived;
    let deadline = Date.now() + PATIENCE_MS;
    while (!(await arrived())) {
      if (Date.now() > deadline) throw new Error(`never arrived; at ${this.page.url()} after ${this.seen.join(' > ')}`);
      const title = await this.#title();
      if (title === undefined || title === de.continuing.title) await this.page.waitForTimeout(50);
      else {
        await this.onPage(title);
        this.seen.push(title);
        await this.#answer(title);
        deadline = Date.now() + PATIENCE_MS;
      }
    }
  }

  /** The heading, if the page is one of the provider's. */
  async #title(): Promise<string | undefined> {
    if (!this.page.url().startsWith(this.town.issuer)) return undefined;
    try {
      const title = (await this.page.locator('h1').first().textContent({ timeout: 1000 }))?.trim();
      return this.page.url().startsWith(this.town.issuer) ? title : undefined;
    } catch {
      return undefined; // moving on by itself
    }
  }

  /** Waits for the page after a click. */
  async #act(click: Promise<void>): Promise<void> {
    const loaded = this.page.waitForEvent('domcontentloaded', { timeout: PATIENCE_MS });
    loaded.catch(() => {});
    await click;
    let done = false;
    const arrived = async (): Promise<void> => {
      // A navigation that ends at an app's own scheme loads nothing.
      while (!done && !(await this.#arrived())) await this.page.waitForTimeout(50);
    };
    await Promise.race([loaded, arrived()]);
    done = true;
  }

  #click(name: string): Promise<void> {
    const { page } = this;
    return this.#act(page.getByRole('button', { name }).or(page.getByRole('link', { name })).first().click());
  }

  #fill(label: string, value: string): Promise<void> {
    return this.page
      .getByLabel(label, { exact: true })
      .or(this.page.getByLabel(`${label} (${de.common.optional})`))
      .first()
      .fill(value);
  }

  async #answer(title: string): Promise<void> {
    const { data } = this;
    switch (title) {
      case de.signIn.title:
        return this.#signIn();
      case de.email.title:
        if (data.email === undefined) return this.#click(de.email.without);
        await this.#fill(de.email.label, data.email);
        return this.#click(de.email.submit);
      case de.code.title:
        await this.#fill(de.code.label, codeIn((await this.town.mail.next(data.email ?? '')).text));
        return this.#click(de.code.submit);
      case de.address.title:
        return this.#address();
      case de.credential.title:
        if (data.password !== undefined) return this.#click(de.credential.passwordSubmit);
        await this.authenticator?.presence(true);
        await this.#click(de.credential.passkeySubmit);
        return this.authenticator?.presence(false);
      case de.password.title:
        await this.#fill(de.password.label, data.password ?? '');
        // With script there is a button that shows the password instead.
        if (await this.page.getByLabel(de.password.repeat).isVisible()) {
          await this.#fill(de.password.repeat, data.password ?? '');
        }
        return this.#click(de.password.submit);
      case de.backupCodes.title:
        this.backupCodes = await this.page.locator('main li').allTextContents();
        await this.page.getByLabel(de.backupCodes.confirm).check();
        return this.#click(de.backupCodes.submit);
      case de.kennung.title:
        this.kennung = /[A-Z]{2}-\w{4}-\w{4}-\w/.exec((await this.page.locator('main').textContent()) ?? '')?.[0] ?? '';
        this.registered = true;
        return this.#act(this.page.locator('main form button').first().click());
      case de.details.title:
        return this.#details();
      case de.consent.title:
        for (const box of await this.page.locator('main input[type=checkbox]').all()) await box.check();
        return this.#click(de.consent.allow);
      case de.offerPasskey.title:
        return this.#click(de.offerPasskey.later);
      case de.logout.title:
        return this.#click(de.logout.submit);
      default:
        throw new Error(`no answer to "${title}":\n${await this.page.locator('body').textContent()}`);
    }
  }

  async #signIn(): Promise<void> {
    if (!this.registered) return this.#click(de.signIn.register);
    if (this.data.password === undefined) {
      // With a finger on it from the start, the authenticator would answer the autofill before anybody saw the page.
      await this.authenticator?.presence(true);
      const button = this.page.getByRole('button', { name: de.signIn.passkey });
      await this.#act(button.click({ timeout: PASSKEY_BUTTON_MS }).catch(() => undefined));
      return this.authenticator?.presence(false);
    }
    await this.#fill(de.signIn.identifier, this.data.email ?? this.kennung);
    await this.#fill(de.signIn.password, this.data.password);
    await this.#act(this.page.getByRole('button', { name: de.signIn.submit, exact: true }).click());
  }

  async #address(): Promise<void> {
    const { address } = this.data;
    if (address === undefined) return this.#click(de.address.skip);
    await this.#fill(de.address.street, address[0]);
    await this.#fill(de.address.postalCode, address[1]);
    await this.#fill(de.address.locality, address[2]);
    return this.#click(de.address.submit);
  }

  async #details(): Promise<void> {
    const { page, data } = this;
    for (const [label, value] of [
      [de.details.givenName, data.givenName],
      [de.details.familyName, data.familyName],
      [de.details.day, '27'],
      [de.details.month, '3'],
      [de.details.year, '1985'],
    ] as const) {
      const field = page.getByLabel(label, { exact: true });
      if ((await field.count()) > 0) await field.fill(value);
    }
    return this.#click(de.details.submit);
  }
}
