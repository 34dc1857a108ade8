import type { IncomingMessage, ServerResponse } from 'node:http';
import type { InteractionResults, Provider } from 'oidc-provider';
import * as assurance from '../../accounts/assurance.ts';
import * as consents from '../../accounts/consents.ts';
import type { Context } from '../../accounts/context.ts';
import type { Registration } from '../../accounts/town.ts';
import { change, isActive, type MockCitizen } from './citizens.ts';

/** Names the citizen of a request; may be set once for a whole browser context. */
const HEADER = 'x-mock-citizen';
/** `login_hint=mock:wiebke`, `login_hint=mock:error=access_denied` */
const HINT = 'mock:';

type Wish = { readonly citizen: MockCitizen } | { readonly error: string };

export type AutomaticParts = {
  readonly provider: () => Provider;
  readonly context: () => Context;
  readonly citizens: readonly MockCitizen[];
  readonly registration: (clientId: string) => Promise<Registration | undefined>;
};

/** Signs citizens in without pages: whoever is named by hint or header gets through, as far as their account allows. */
export class Automatic {
  readonly #parts: AutomaticParts;
  readonly #signIns = new Map<string, number>();

  constructor(parts: AutomaticParts) {
    this.#parts = parts;
  }

  /** Forgets who has signed in before. */
  reset(): void {
    this.#signIns.clear();
  }

  /** A hint is for this very request: whoever was signed in before in this browser does not matter. */
  static askAgain(req: IncomingMessage): void {
    const url = new URL(req.url ?? '/', 'http://mock');
    if (url.pathname !== '/auth' || url.searchParams.get('login_hint')?.startsWith(HINT) !== true) return;
    if (url.searchParams.has('prompt')) return;
    url.searchParams.set('prompt', 'login');
    req.url = `${url.pathname}${url.search}`;
  }

  /** Answers the page of an interaction; false if nobody is named, so that the page itself is shown. */
  async answer(req: IncomingMessage, res: ServerResponse): Promise<boolean> {
    if (req.method !== 'GET' || !/^\/interaction\/[\w-]+$/.test((req.url ?? '').split('?', 1)[0] ?? '')) return false;
    const provider = this.#parts.provider();
    const details = await provider.interactionDetails(req, res).catch(() => undefined);
    if (details === undefined) return false;
    const wish = this.#wish(req, details.params['login_hint']);
    if (wish === undefined) return false;
    const result = 'error' in wish ? failed(wish.error) : await this.#decide(wish.citizen, details);
    const location = await provider.interactionResult(req, res, result, { mergeWithLastSubmission: true });
    res.writeHead(303, { location, 'cache-control': 'no-store' }).end();
    return true;
  }

  #wish(req: IncomingMessage, hint: unknown): Wish | undefined {
    const header = req.headers[HEADER];
    const text = typeof header === 'string' ? header : String(hint ?? '').startsWith(HINT) ? String(hint).slice(5) : '';
    if (text === '') return undefined;
    const error = /^error=([a-z_]+)$/.exec(text)?.[1];
    if (error !== undefined) return { error };
    const citizen = this.#parts.citizens.find(({ key, identifier }) => key === text || identifier === text);
    return citizen === undefined ? { error: 'access_denied' } : { citizen };
  }

  async #decide(
    citizen: MockCitizen,
    details: Awaited<ReturnType<Provider['interactionDetails']>>,
  ): Promise<InteractionResults> {
    const ctx = this.#parts.context();
    const registration = await this.#parts.registration(String(details.params['client_id']));
    if (registration === undefined || !(await isActive(ctx, citizen))) return failed('access_denied');
    if (registration.needsEmail && citizen.email === undefined) return failed('access_denied');
    if (details.prompt.name === 'login') return this.#signIn(ctx, citizen);
    const { decision = 'everything' } = citizen;
    if (decision === 'nothing') return failed('access_denied');
    const given = registration.claims.filter(({ required }) => required || decision === 'everything');
    const names = new Set(given.map(({ claim }) => claim));
    await consents.record(ctx, citizen.account, registration, {
      given: [...names],
      refused: registration.claims.map(({ claim }) => claim).filter((claim) => !names.has(claim)),
    });
    return { consent: {} };
  }

  async #signIn(ctx: Context, citizen: MockCitizen): Promise<InteractionResults> {
    const before = this.#signIns.get(citizen.key) ?? 0;
    this.#signIns.set(citizen.key, before + 1);
    if (before === 1 && citizen.marriedName !== undefined)
      await change(ctx, citizen, { attributes: { family_name: citizen.marriedName } });
    const at = Math.floor(ctx.now().getTime() / 1000);
    const proofs = citizen.proofs.map((kind) => ({ kind, at }));
    return {
      login: {
        accountId: citizen.account,
        amr: assurance.amrOf(proofs),
        acr: assurance.encodeProofs(proofs),
        ts: at,
        remember: true,
      },
      consent: {},
    };
  }
}

const failed = (error: string): InteractionResults => ({ error, error_description: 'as the mock was told' });
