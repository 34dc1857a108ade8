/** Sign-ins without a browser, form by form: a town whose clock can be moved, its citizens, and visits of a service. */
import { generate } from 'otplib';
import * as accounts from '../../accounts/accounts.ts';
import * as backupCodes from '../../accounts/backup-codes.ts';
import { recordProofing } from '../../accounts/factors.ts';
import type { AccountId } from '../../accounts/ids.ts';
import * as passkeys from '../../accounts/passkeys.ts';
import * as totp from '../../accounts/totp.ts';
import { SoftPasskey } from './authenticator.ts';
import { addCitizen, atHome, authorizationUrl, pkce, redeem } from './relying-party.ts';
import { type RunningTown, startTown } from './town.ts';
import { type Answer, forms, Visitor } from './visitor.ts';

export const PASSWORD = 'drei blaue Häuser am Fluss';
export const SECRET = 'KRUGS4ZANFZSA3TPOQQHGZLDOJSXIIJB';

export type Person = { readonly email: string; readonly account: AccountId; readonly codes: string[] };

/** A running town, and by how much its clock is ahead of the machine's. */
export class Stage {
  readonly town: RunningTown;
  readonly #clock: { aheadMs: number };
  #people = 0;

  private constructor(town: RunningTown, clock: { aheadMs: number }) {
    this.town = town;
    this.#clock = clock;
  }

  static async start(options: Parameters<typeof startTown>[0] = {}): Promise<Stage> {
    const clock = { aheadMs: 0 };
    return new Stage(await startTown({ ...options, now: () => new Date(Date.now() + clock.aheadMs) }), clock);
  }

  /** Interactions end by the real clock: a town far ahead of it would forget what was shown at once. */
  resetClock(): void {
    this.#clock.aheadMs = 0;
  }

  advance(milliseconds: number): void {
    this.#clock.aheadMs += milliseconds;
  }

  get seconds(): number {
    return Math.floor((Date.now() + this.#clock.aheadMs) / 1000);
  }

  /** The code that the app shows now; moves on by a step each time, as a step is accepted once. */
  appCode(): Promise<string> {
    this.advance(31_000);
    return generate({ secret: SECRET, epoch: this.seconds });
  }

  async addApp(account: AccountId): Promise<void> {
    const enrolled = await totp.enrol(this.town.context(), account, SECRET, await this.appCode(), false);
    if (enrolled.outcome !== 'enrolled') throw new Error(enrolled.outcome);
  }

  async newPerson(options: { app?: boolean; proofed?: boolean } = {}): Promise<Person> {
    this.#people += 1;
    const email = `person${this.#people}@buerger.example`;
    const account = await addCitizen(this.town, email, PASSWORD);
    if (options.app === true) await this.addApp(account);
    if (options.proofed === true) await recordProofing(this.town.context(), account, 'substantial');
    return { email, account, codes: await backupCodes.generate(this.town.context(), account) };
  }

  /** As passkeys know the provider. */
  get rp(): passkeys.RelyingParty {
    const { issuer } = this.town;
    return { id: new URL(issuer).hostname, origin: issuer, name: 'Teststadt' };
  }

  /** A passkey of a citizen, made without pages; `changes`: what another authenticator would have said. */
  async addPasskey(
    { account }: Pick<Person, 'account'>,
    changes: Partial<passkeys.NewPasskey> = {},
  ): Promise<SoftPasskey> {
    const ctx = this.town.context();
    const { rp } = this;
    const key = new SoftPasskey((await accounts.load(ctx, account))?.passkeyHandle ?? Buffer.alloc(0));
    const challenge = Buffer.alloc(32, 3).toString('base64url');
    const made = key.create({ challenge, origin: rp.origin, rpId: rp.id });
    const created = await passkeys.verifyCreation(rp, challenge, made);
    if (created.outcome !== 'ok') throw new Error(created.reason);
    await passkeys.add(ctx, account, { ...created.passkey, ...changes });
    return key;
  }

  visit(visitor = new Visitor()): ServiceVisit {
    return new ServiceVisit(this, visitor);
  }
}

export const heading = (page: Answer): string => /<h1[^>]*>([^<]*)/.exec(page.text)?.[1] ?? '';

/** One visit of a service: to its callback, or to the page that stands in the way. */
export class ServiceVisit {
  readonly stage: Stage;
  readonly visitor: Visitor;
  readonly proof = pkce();
  page: Answer | undefined;

  constructor(stage: Stage, visitor: Visitor) {
    this.stage = stage;
    this.visitor = visitor;
  }

  async open(changes: Record<string, string | undefined> = {}): Promise<this> {
    const { town } = this.stage;
    this.page = await this.visitor.open(authorizationUrl(town, 'fahrkarte', this.proof, changes), atHome(town));
    return this;
  }

  get now(): Answer {
    if (this.page === undefined) throw new Error('nothing opened');
    return this.page;
  }

  /** The title of the page that stands in the way. */
  get heading(): string {
    return heading(this.now);
  }

  async send(action: string, values: Record<string, string> = {}): Promise<this> {
    this.page = await this.visitor.submitTo(this.now, action, values, atHome(this.stage.town));
    return this;
  }

  signIn(person: Pick<Person, 'email'>, more: Record<string, string> = {}): Promise<this> {
    return this.send('sign-in', { identifier: person.email, password: PASSWORD, ...more });
  }

  /** Signs in with a passkey; what was sent, to be sent again. */
  async usePasskey(key: SoftPasskey): Promise<{ ceremony: string; response: string }> {
    const begun = JSON.parse((await this.post('passkey-options')).text);
    const { ceremony, options } = begun as { ceremony: string; options: { challenge: string } };
    const { origin, id: rpId } = this.stage.rp;
    const response = JSON.stringify(key.get({ challenge: options.challenge, origin, rpId }));
    await this.send('passkey', { ceremony, response });
    return { ceremony, response };
  }

  /** The token of the forms on the page. */
  get token(): string {
    return (
      forms(this.now)
        .flatMap(({ fields }) => fields)
        .find(([name]) => name === 'token')?.[1] ?? ''
    );
  }

  /** Posts a form by hand, whether the page has it or not; the page itself stays where it was. */
  post(action: string, fields: Record<string, string> = {}): Promise<Answer> {
    return this.visitor.send(new URL(`${this.now.url.pathname}/${action}`, this.stage.town.issuer), {
      method: 'POST',
      body: new URLSearchParams({ token: this.token, ...fields }),
    });
  }

  /** What the callback was given. */
  get callback(): URLSearchParams | undefined {
    const { location } = this.now.headers;
    return typeof location === 'string' && !location.startsWith(this.stage.town.issuer)
      ? new URL(location).searchParams
      : undefined;
  }

  async accessToken(): Promise<string> {
    const code = this.callback?.get('code') ?? '';
    const { body } = await redeem(this.stage.town, 'fahrkarte', code, this.proof.verifier);
    return String(body['access_token']);
  }

  async claims(): Promise<Record<string, unknown>> {
    const code = this.callback?.get('code') ?? '';
    const { body } = await redeem(this.stage.town, 'fahrkarte', code, this.proof.verifier);
    const [, payload = ''] = String(body['id_token']).split('.');
    return JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<string, unknown>;
  }
}

/** Asks for what a sign-in rests on. */
export const ASK = JSON.stringify({ id_token: { acr: null, amr: null, auth_time: { essential: true } } });
/** Demands one of these. */
export const essential = (...values: string[]): string =>
  JSON.stringify({ id_token: { acr: { essential: true, values }, amr: null, auth_time: { essential: true } } });
