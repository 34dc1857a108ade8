import { createHash, randomBytes } from 'node:crypto';
import { Agent } from 'node:https';
import type { Registration } from '../../accounts/town.ts';
import { type Answer, Caller, passwordForm } from './caller.ts';

/** The app of the drill: a public client whose refresh tokens rotate, so that each of its answers must last. */
export const APP: Registration = {
  clientId: 'lasttest',
  organisation: 'stadt',
  name: { de: 'Lasttest', en: 'Load test' },
  description: { de: 'Übt Ausfälle', en: 'Practises failures' },
  kind: 'native',
  redirectUris: ['https://lasttest.stadt.localhost/zurueck'],
  postLogoutRedirectUris: [],
  authMethod: 'none',
  claims: [],
  refreshTokens: true,
  needsEmail: false,
  corsOrigins: [],
  contacts: ['technik@stadt.example'],
};

export type Target = { readonly port: number; readonly certificate: string };
export type Person = { readonly identifier: string; readonly password: string };

/** One request or one sign-in that did not succeed. */
export type Failure = {
  readonly at: number;
  readonly kind: 'sign-in' | 'token';
  readonly status: number;
  readonly note: string;
};

/** A phone with the app: it holds the newest refresh token that was acknowledged. */
type Phone = { token: string; doubtful: boolean; busy: boolean; readonly caller: Caller };

const REDIRECT = APP.redirectUris[0] ?? '';
const SOURCES = 16;
/** Shorter than the proxy keeps an idle connection: it would be cut just as the next request goes out. */
const IDLE_MS = 20_000;
const SAMPLES = 100_000;

/** Sign-ins and token requests at a fixed rate, whatever the answers; keeps books of what was acknowledged. */
export class Load {
  readonly failures: Failure[] = [];
  readonly signInMs: number[] = [];
  readonly tokenMs: number[] = [];
  /** Tokens that were acknowledged and later refused although no answer in between was in doubt. */
  lostAfterAnswer = 0;
  /** Tokens refused after an error or no answer, when nobody could know what had been done. */
  lostInDoubt = 0;
  signIns = 0;
  tokens = 0;
  skipped = 0;
  readonly #target: Target;
  readonly #people: readonly Person[];
  readonly #phones: Phone[] = [];
  readonly #agents = Array.from(
    { length: SOURCES },
    () => new Agent({ keepAlive: true, maxSockets: 8, timeout: IDLE_MS }),
  );
  readonly #pending = new Set<Promise<void>>();
  #nextSource = 0;
  #nextPerson = 0;
  #nextPhone = 0;

  constructor(target: Target, people: readonly Person[]) {
    this.#target = target;
    this.#people = people;
  }

  /** Sets up the phones that will ask for tokens. */
  async prepare(phones: number): Promise<void> {
    for (let made = 0; made < phones; made += 1) {
      const token = await this.#signIn();
      const source = made % SOURCES;
      const caller = new Caller({ ...this.#target, from: `127.2.0.${source + 1}`, ...agentOf(this.#agents[source]) });
      this.#phones.push({ token, caller, busy: false, doubtful: false });
    }
    this.signIns = 0;
    this.signInMs.length = 0;
  }

  /** Runs until `work` is done, then waits for what is under way. */
  async during<T>(rates: { signIns: number; tokens: number }, work: () => Promise<T>): Promise<T> {
    const timers = [
      every(rates.signIns, () => this.#track(this.#tryToSignIn())),
      every(rates.tokens, () => this.#track(this.#tryToRefresh())),
    ];
    try {
      return await work();
    } finally {
      for (const stop of timers) stop();
      await Promise.all(this.#pending);
    }
  }

  /** Uses every token that is held once more: what was acknowledged must still be there. */
  async settle(): Promise<void> {
    for (const phone of this.#phones) if (phone.token !== '') await this.#refresh(phone);
  }

  get phonesLeft(): number {
    return this.#phones.filter(({ token }) => token !== '').length;
  }

  close(): void {
    for (const agent of this.#agents) agent.destroy();
  }

  #track(work: Promise<void>): void {
    this.#pending.add(work);
    void work.finally(() => this.#pending.delete(work));
  }

  #failed(kind: Failure['kind'], error: unknown): void {
    const status = error instanceof Refused ? error.status : 0;
    this.failures.push({ at: Date.now(), kind, status, note: error instanceof Error ? error.message : String(error) });
  }

  async #tryToSignIn(): Promise<void> {
    const began = performance.now();
    try {
      await this.#signIn();
      this.signIns += 1;
      if (this.signInMs.length < SAMPLES) this.signInMs.push(performance.now() - began);
    } catch (error) {
      this.#failed('sign-in', error);
    }
  }

  /** From the app's request to its tokens, as a citizen with a password and without script. */
  async #signIn(): Promise<string> {
    const person = this.#people[this.#nextPerson % this.#people.length];
    this.#nextPerson += 1;
    if (person === undefined) throw new Error('nobody to sign in');
    this.#nextSource = (this.#nextSource + 1) % 65_000;
    const from = `127.1.${Math.floor(this.#nextSource / 250)}.${(this.#nextSource % 250) + 1}`;
    const browser = new Caller({ ...this.#target, from });
    const verifier = randomBytes(32).toString('base64url');
    const query = new URLSearchParams({
      client_id: APP.clientId,
      response_type: 'code',
      redirect_uri: REDIRECT,
      scope: 'openid',
      code_challenge: createHash('sha256').update(verifier).digest('base64url'),
      code_challenge_method: 'S256',
      state: 'uebung',
    });
    const page = expect(await browser.follow(await browser.send(`/auth?${query}`)), 200, 'sign-in page');
    const form = passwordForm(page.text);
    if (form === undefined) throw new Refused(page.status, 'no sign-in form');
    const action = new URL(form.action, 'https://localhost').pathname;
    const posted = await browser.send(action, {
      ...form.fields,
      identifier: person.identifier,
      password: person.password,
    });
    const back = await browser.follow(posted);
    const code = back.location?.startsWith(REDIRECT) ? new URL(back.location).searchParams.get('code') : null;
    if (code === null) throw new Refused(back.status, 'no code');
    const fields = {
      grant_type: 'authorization_code',
      client_id: APP.clientId,
      redirect_uri: REDIRECT,
      code,
      code_verifier: verifier,
    };
    return refreshTokenIn(expect(await browser.send('/token', fields), 200, 'token'));
  }

  async #tryToRefresh(): Promise<void> {
    const phone = this.#idlePhone();
    if (phone === undefined) {
      this.skipped += 1;
      return;
    }
    await this.#refresh(phone);
  }

  #idlePhone(): Phone | undefined {
    for (let tries = 0; tries < this.#phones.length; tries += 1) {
      const phone = this.#phones[this.#nextPhone % this.#phones.length];
      this.#nextPhone += 1;
      if (phone !== undefined && !phone.busy && phone.token !== '') return phone;
    }
    return undefined;
  }

  async #refresh(phone: Phone): Promise<void> {
    phone.busy = true;
    const began = performance.now();
    try {
      const fields = { grant_type: 'refresh_token', client_id: APP.clientId, refresh_token: phone.token };
      const answer = await phone.caller.send('/token', fields);
      if (answer.status === 400 && answer.text.includes('invalid_grant')) {
        if (phone.doubtful) this.lostInDoubt += 1;
        else this.lostAfterAnswer += 1;
        phone.token = '';
        return;
      }
      phone.token = refreshTokenIn(expect(answer, 200, 'refresh'));
      phone.doubtful = false;
      this.tokens += 1;
      if (this.tokenMs.length < SAMPLES) this.tokenMs.push(performance.now() - began);
    } catch (error) {
      // Refused before anything was done, or done and the answer lost: the next try tells.
      phone.doubtful = true;
      this.#failed('token', error);
    } finally {
      phone.busy = false;
    }
  }
}

class Refused extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

const expect = (answer: Answer, status: number, what: string): Answer => {
  if (answer.status !== status)
    throw new Refused(answer.status, `${what}: ${/"error":"(\w+)"/.exec(answer.text)?.[1] ?? answer.status}`);
  return answer;
};

const refreshTokenIn = (answer: Answer): string => {
  const { refresh_token: token } = JSON.parse(answer.text) as { refresh_token?: unknown };
  if (typeof token !== 'string') throw new Refused(answer.status, 'no refresh token');
  return token;
};

const agentOf = (agent: Agent | undefined): { agent?: Agent } => (agent === undefined ? {} : { agent });

/** Calls `work` that many times a second, evenly, until stopped. */
const every = (perSecond: number, work: () => void): (() => void) => {
  if (perSecond <= 0) return () => {};
  const began = performance.now();
  let done = 0;
  const timer = setInterval(() => {
    const due = Math.floor(((performance.now() - began) / 1000) * perSecond);
    for (; done < due; done += 1) work();
  }, 10);
  return () => clearInterval(timer);
};

/** The value below which that share of the values lies. */
export const quantile = (values: readonly number[], share: number): number => {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
};

/** Whether a failure is one that callers are told how to deal with. */
export const isPolite = ({ status }: Failure): boolean => status === 503;
