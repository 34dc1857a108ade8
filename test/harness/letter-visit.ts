/** Somebody with a letter from the citizens' office, at the pages for its code, form by form. */
import { type Answer, Visitor } from './visitor.ts';

export const NEW_PASSWORD = 'sieben leise Enten im Schilf';

export class LetterVisit {
  readonly visitor = new Visitor();
  readonly #issuer: string;
  page!: Answer;

  constructor(issuer: string) {
    this.#issuer = issuer;
  }

  async open(code: string): Promise<this> {
    this.page = await this.visitor.open(`${this.#issuer}/brief`);
    return this.send('code', { code });
  }

  async send(action: string, values: Record<string, string> = {}): Promise<this> {
    this.page = await this.visitor.submitTo(this.page, action, values);
    return this;
  }

  async choosePassword(): Promise<this> {
    await this.send('choose-password');
    return this.send('new-password', { new_password: NEW_PASSWORD, repeated_password: NEW_PASSWORD });
  }

  /** The key of the app, as somebody types it off the page. */
  get secret(): string {
    return /<code>([A-Z2-7 ]{32,})<\/code>/.exec(this.page.text)?.[1]?.replaceAll(' ', '') ?? '';
  }
}
