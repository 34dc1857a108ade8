/** What tests of FAPI 2.0's refusals share: a town with a client of every variant, and a browser that is signed in once. */
import type { ExecutionContext } from 'ava';
import type { Deviation } from './fapi-client.ts';
import { CREDENTIALS, type FapiName, type FapiTown, opened, startFapiTown } from './fapi-town.ts';
import { atHome, pkce, type Tokens } from './relying-party.ts';
import { returned } from './trial-client.ts';
import { Visitor } from './visitor.ts';

/** What a client does wrong, and how it is refused; `sentence` names what it breaks. */
export type Refusal = {
  sentence: string;
  status?: number;
  error: string;
  act: () => Promise<Tokens | URLSearchParams>;
};

export const seconds = (): number => Math.floor(Date.now() / 1000);

export class Refusals {
  #place: FapiTown | undefined;
  /** How far the town's clock is ahead. */
  #aheadMs = 0;
  readonly visitor = new Visitor();

  get place(): FapiTown {
    if (this.#place === undefined) throw new Error('the town does not run yet');
    return this.#place;
  }

  async start(): Promise<void> {
    this.#place = await startFapiTown({ now: () => new Date(Date.now() + this.#aheadMs) });
  }

  async stop(): Promise<void> {
    await this.#place?.town.close();
  }

  /** Moves the town's clock on. */
  pass(ms: number): void {
    this.#aheadMs += ms;
  }

  /** A code for the citizen, whatever is peculiar about the request. */
  async code(name: FapiName, wrong: Deviation = {}) {
    const { back, proof } = await this.place.clients[name].obtainCode(this.visitor, CREDENTIALS, wrong);
    const answer = await opened(this.place.town, back, name);
    return { code: answer.get('code'), answer, verifier: proof.verifier };
  }

  async accessToken(name: FapiName): Promise<string> {
    const { code: issued, verifier } = await this.code(name);
    const tokens = await this.place.clients[name].redeem(issued, verifier);
    if (tokens.status !== 200) throw new Error(JSON.stringify(tokens.body));
    return tokens.body['access_token'] ?? '';
  }

  push(name: FapiName, wrong: Deviation): Promise<Tokens> {
    return this.place.clients[name].push(pkce(), wrong);
  }

  async redeem(name: FapiName, wrong: Deviation = {}, change = (value: string) => value): Promise<Tokens> {
    const issued = await this.code(name);
    return this.place.clients[name].redeem(issued.code, change(issued.verifier), wrong);
  }

  /** What a plain authorization request, without a pushed one, gets back. */
  async plain(name: FapiName): Promise<URLSearchParams> {
    const url = new URL('/auth', this.place.town.issuer);
    url.search = new URLSearchParams({
      client_id: name,
      response_type: 'code',
      redirect_uri: this.place.clients[name].redirectUri,
      scope: 'openid',
      state: 'zustand',
      code_challenge: pkce().challenge,
      code_challenge_method: 'S256',
    }).toString();
    return opened(this.place.town, returned(await this.visitor.open(url, atHome(this.place.town))), name);
  }
}

/** Does it, and looks at the answer: the error and nothing of use beside it. */
export const assertRefused = async (t: ExecutionContext, { status, error, act }: Refusal): Promise<void> => {
  const answer = await act();
  if (answer instanceof URLSearchParams) {
    t.is(answer.get('error'), error, String(answer));
    t.is(answer.get('code'), null);
    return;
  }
  t.is(answer.body['error'], error, JSON.stringify(answer.body));
  if (status !== undefined) t.is(answer.status, status);
  t.is(answer.body['access_token'], undefined);
};
