import type { KoaContextWithOIDC, Provider } from 'oidc-provider';
import type { Logger } from 'pino';
import * as clientFailures from '../accounts/client-failures.ts';
import * as clients from '../accounts/clients.ts';
import type { Context } from '../accounts/context.ts';
import { Secret } from '../accounts/secret.ts';
import { claimedClient, explain, type ProtocolError, sentSecret } from './failure-cause.ts';
import type { Registrations } from './registrations.ts';

/** The endpoints whose refusals concern services, by oidc-provider's names of its events. */
const EVENTS = {
  'authorization.error': 'authorization',
  'pushed_authorization_request.error': 'pushed authorization',
  'device_authorization.error': 'device authorization',
  'grant.error': 'token',
  'introspection.error': 'introspection',
  'revocation.error': 'revocation',
  'end_session.error': 'logout',
  'userinfo.error': 'userinfo',
} as const;

/** Between two turns of the background work; beyond it, further failures are only not noted. */
const PENDING_MOST = 1000;

type Pending = {
  readonly clientId: string;
  failure: clientFailures.Failure;
  count: number;
  at: Date;
  /** Of a secret that was refused: whether it was good once is looked up later. Never kept. */
  readonly secretHash?: string;
};

type Parts = {
  readonly registrations: Registrations;
  readonly issuer: URL;
  readonly now: () => Date;
  readonly log: Logger;
};

/**
 * What went wrong between us and the services, for `client diagnose`. A request that succeeds costs nothing but a look
 * at a set; refusals are added up in memory and written in the background, so that nobody can flood the database with
 * them.
 */
export class Failures {
  readonly #parts: Parts;
  readonly #pending = new Map<string, Pending>();
  readonly #ofCause = new Map<string, number>();
  /** Shapes of requests already noted on `#day`. */
  readonly #shapes = new Set<string>();
  readonly #noted = new WeakMap<object, clientFailures.Failure>();
  /** By the error itself: one that is handed on from where it was noted is not a second one. */
  readonly #ofError = new WeakMap<object, clientFailures.Failure>();
  #newShapes: { clientId: string; shape: string }[] = [];
  #day = '';
  #written: Promise<void> = Promise.resolve();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  listen(provider: Provider): void {
    for (const [event, endpoint] of Object.entries(EVENTS)) {
      provider.on(event as 'grant.error', (ctx, error) => this.note(ctx, endpoint, error as ProtocolError));
    }
    // The request as it came: after pages, only what they need is left of it.
    provider.on('interaction.started', (ctx) => this.#look(ctx));
    provider.on('authorization.accepted', (ctx) => {
      if (ctx.oidc.entities.Interaction === undefined) this.#look(ctx);
    });
  }

  /** Explains a refusal; undefined if it is not the service's to put right, or no service is known. */
  explain(ctx: KoaContextWithOIDC, endpoint: string, error: ProtocolError): clientFailures.Failure | undefined {
    const { registrations, issuer, now } = this.#parts;
    const registration = registrations.find(claimedClient(ctx) ?? '');
    return registration && explain(ctx, endpoint, error, { registration, issuer, now: now() });
  }

  /** Notes a refusal. Whatever happens here, the request has its answer. */
  note(ctx: KoaContextWithOIDC, endpoint: string, error: ProtocolError): void {
    const before = this.#ofError.get(error);
    if (before !== undefined) return void this.#noted.set(ctx, before);
    try {
      const clientId = claimedClient(ctx);
      const failure = this.explain(ctx, endpoint, error);
      if (clientId === undefined || failure === undefined) return;
      this.#noted.set(ctx, failure);
      this.#ofError.set(error, failure);
      const secret = failure.cause === 'secret-wrong' ? sentSecret(ctx) : undefined;
      this.#add(clientId, failure, secret === undefined ? undefined : clients.hashSecret(new Secret(secret)));
    } catch (fault) {
      this.#parts.log.warn({ err: fault }, 'a refusal could not be explained');
    }
  }

  /** What was noted of this very request. */
  noted(ctx: object): clientFailures.Failure | undefined {
    return this.#noted.get(ctx);
  }

  #add(clientId: string, failure: clientFailures.Failure, secretHash: string | undefined): void {
    const at = this.#parts.now();
    const key = `${clientId} ${clientFailures.fingerprint(failure).toString('base64')} ${secretHash ?? ''}`;
    const known = this.#pending.get(key);
    if (known !== undefined) {
      Object.assign(known, { failure, at, count: known.count + 1 });
      return;
    }
    const group = `${clientId} ${failure.cause}`;
    const inGroup = this.#ofCause.get(group) ?? 0;
    if (this.#pending.size >= PENDING_MOST || inGroup >= clientFailures.KEPT_PER_CAUSE) return;
    this.#ofCause.set(group, inGroup + 1);
    this.#pending.set(key, { clientId, failure, count: 1, at, ...(secretHash !== undefined && { secretHash }) });
  }

  /** How a request that was accepted looked: which protections it used, nothing of whom it was for. */
  #look(ctx: KoaContextWithOIDC): void {
    const { params = {}, client } = ctx.oidc;
    if (client === undefined) return;
    const parts = [
      params['code_challenge'] !== undefined && 'pkce',
      params['nonce'] !== undefined && 'nonce',
      params['state'] !== undefined && 'state',
      ctx.oidc.entities.PushedAuthorizationRequest !== undefined && 'par',
      params['request'] !== undefined && 'signed',
    ];
    const shape = parts.filter(Boolean).join(' ');
    const key = `${client.clientId} ${shape}`;
    if (this.#shapes.has(key) || this.#newShapes.length >= PENDING_MOST) return;
    this.#shapes.add(key);
    this.#newShapes.push({ clientId: client.clientId, shape });
  }

  /**
   * Writes what is pending; when it returns, what a write under way had taken is there, too. While the database is away,
   * what could not be written is lost: there are worse losses.
   */
  flush(ctx: Context): Promise<void> {
    const written = this.#written.then(() => this.#write(ctx));
    this.#written = written.catch(() => {});
    return written;
  }

  async #write(ctx: Context): Promise<void> {
    const day = ctx.now().toISOString().slice(0, 10);
    if (day !== this.#day) this.#shapes.clear();
    this.#day = day;
    if (this.#newShapes.length > 0) {
      const shapes = this.#newShapes;
      this.#newShapes = [];
      await clientFailures.recordShapes(ctx, shapes);
    }
    if (this.#pending.size === 0) return;
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    this.#ofCause.clear();
    await clientFailures.record(ctx, merged(await withGenerations(ctx, pending)));
  }
}

/** Says of secrets that were good once when that ended. */
const withGenerations = async (ctx: Context, pending: readonly Pending[]): Promise<Pending[]> => {
  const asking = pending.filter(({ secretHash }) => secretHash !== undefined).map(({ clientId }) => clientId);
  if (asking.length === 0) return [...pending];
  const ended = await clients.endedSecrets(ctx, [...new Set(asking)]);
  return pending.map((one) => {
    const generation = ended.get(one.clientId)?.find(({ hash }) => hash === one.secretHash);
    if (generation === undefined) return one;
    const facts = { endedOn: generation.ended_at.slice(0, 10) };
    return { ...one, failure: { ...one.failure, cause: 'secret-ended', facts } };
  });
};

/** One of each: without their hashes, several wrong secrets are the same failure. */
const merged = (pending: readonly Pending[]): clientFailures.Noted[] => {
  const all = new Map<string, clientFailures.Noted>();
  for (const { clientId, failure, count, at } of pending) {
    const key = `${clientId} ${clientFailures.fingerprint(failure).toString('base64')}`;
    const known = all.get(key);
    all.set(key, { clientId, failure, at, count: count + (known?.count ?? 0) });
  }
  return [...all.values()];
};
