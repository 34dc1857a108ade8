import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type Koa from 'koa';
import type { BundIdQuestion } from '../../adapters/bundid.ts';
import type { CardQuestion } from '../../adapters/eid-source.ts';
import type { FleetingStore } from '../../adapters/oidc-store.ts';
import type { UpstreamPending } from '../../adapters/upstream-oidc.ts';
import type { PageDeps } from '../deps.ts';
import type { SourceAnswer } from './sources.ts';

/**
 * Exchanges with identity sources while the citizen's browser is away. They live in the shared store, so that any node
 * can finish them, and are forgotten after ten minutes.
 */

/** What is asked of a source. */
export type Asked =
  | { readonly source: 'eid'; readonly question: CardQuestion }
  | {
      readonly source: 'bundid';
      readonly question: BundIdQuestion;
      readonly requestId: string;
      readonly samlRequest: string;
      readonly action: string;
    }
  | { readonly source: 'upstream'; readonly pending: UpstreamPending; readonly url: string };

export type Exchange = {
  /** The page that it belongs to, which alone may take the answer: a path of ours. */
  readonly page: string;
  /** Epoch milliseconds; nothing that happens meanwhile makes it later. */
  readonly until: number;
  /** Hash of the cookie of the browser that began it: the only one that can finish it. */
  readonly browser: string;
  readonly asked: Asked;
  /** The eID-Server's session, once AusweisApp has fetched the TC token. */
  readonly session?: string;
};

export const EXCHANGE_SECONDS = 10 * 60;
/** A way into an exchange from outside; each kind is of use at one place only. */
export type Door = 'tc-token' | 'eid-return' | 'bundid-relay' | 'bundid-return' | 'upstream-state';

const EXCHANGE = 'Exchange';
const ANSWER = 'ExchangeAnswer';
const ID = /^[A-Za-z0-9_-]{22,43}$/;

/** 128 random bits, unrelated to any cookie. */
const newId = (): string => randomBytes(16).toString('base64url');

const cookieName = (issuer: URL): string => (issuer.protocol === 'https:' ? '__Host-exchange' : 'exchange');

const hashOf = (secret: string): string => createHash('sha256').update(secret).digest('base64url');

const cookieOf = (ctx: Koa.Context, issuer: URL): string | undefined => {
  const value = ctx.cookies.get(cookieName(issuer), { signed: false });
  return value !== undefined && /^[A-Za-z0-9_-]{43}$/.test(value) ? value : undefined;
};

/** The browser's secret, made and set if it has none: two tabs of one browser share it. */
const browserOf = (ctx: Koa.Context, issuer: URL): string => {
  const secret = cookieOf(ctx, issuer) ?? randomBytes(32).toString('base64url');
  const secure = issuer.protocol === 'https:';
  const parts = [
    `${cookieName(issuer)}=${secret}`,
    'Path=/',
    'HttpOnly',
    'SameSite=Lax',
    `Max-Age=${EXCHANGE_SECONDS}`,
  ];
  ctx.append('Set-Cookie', [...parts, ...(secure ? ['Secure'] : [])].join('; '));
  return hashOf(secret);
};

/** Whose browser came back: the one that began, another one that has begun something too, or one that never has. */
export type Comer = 'same' | 'another' | 'nobody';

export const comerOf = (ctx: Koa.Context, issuer: URL, exchange: Exchange): Comer => {
  const secret = cookieOf(ctx, issuer);
  if (secret === undefined) return 'nobody';
  const [given, expected] = [Buffer.from(hashOf(secret)), Buffer.from(exchange.browser)];
  return given.length === expected.length && timingSafeEqual(given, expected) ? 'same' : 'another';
};

/** Begins an exchange in this browser. */
export const begin = async (
  deps: Pick<PageDeps, 'context' | 'fleeting' | 'issuer'>,
  ctx: Koa.Context,
  page: string,
  asked: Asked,
): Promise<string> => {
  const id = newId();
  const until = deps.context().now().getTime() + EXCHANGE_SECONDS * 1000;
  const exchange: Exchange = { page, until, browser: browserOf(ctx, deps.issuer), asked };
  await deps.fleeting.put(EXCHANGE, id, exchange, EXCHANGE_SECONDS);
  return id;
};

export const find = async (store: FleetingStore, id: string): Promise<Exchange | undefined> =>
  ID.test(id) ? (await store.get<Exchange>(EXCHANGE, id))?.value : undefined;

/** Ends an exchange, whatever was still to come of it. */
export const end = async (store: FleetingStore, id: string): Promise<void> => {
  await store.take(EXCHANGE, id);
};

/** Notes the eID-Server's session; false if the exchange is over or has one already. */
export const keepSession = async (store: FleetingStore, id: string, session: string, now: Date): Promise<boolean> => {
  const found = await store.get<Exchange>(EXCHANGE, id);
  if (found === undefined || found.value.session !== undefined) return false;
  const secondsLeft = Math.ceil((found.value.until - now.getTime()) / 1000);
  return secondsLeft > 0 && store.replace(EXCHANGE, id, { ...found.value, session }, found.version, secondsLeft);
};

/** Opens a door: a value that leads to the exchange, through one place. */
export const openDoor = async (
  store: FleetingStore,
  door: Door,
  id: string,
  more: { state?: string; saml?: string } = {},
): Promise<string> => {
  const value = more.state ?? newId();
  await store.put(`Door ${door}`, value, { id, ...(more.saml !== undefined && { saml: more.saml }) }, EXCHANGE_SECONDS);
  return value;
};

export type Passage = { readonly id: string; readonly saml?: string };

/** Looks through a door without closing it. */
export const lookThrough = async (store: FleetingStore, door: Door, value: unknown): Promise<Passage | undefined> =>
  typeof value === 'string' && ID.test(value) ? (await store.get<Passage>(`Door ${door}`, value))?.value : undefined;

/** Goes through a door, which closes: of several who try, one gets through. */
export const goThrough = async (store: FleetingStore, door: Door, value: unknown): Promise<Passage | undefined> =>
  typeof value === 'string' && ID.test(value) ? store.take<Passage>(`Door ${door}`, value) : undefined;

/** Leaves what a source has said for the interaction, which alone may take it. */
export const leaveAnswer = (store: FleetingStore, id: string, answer: SourceAnswer): Promise<void> =>
  store.put(ANSWER, id, answer, EXCHANGE_SECONDS);

export const takeAnswer = async (store: FleetingStore, id: string): Promise<SourceAnswer | undefined> =>
  store.take<SourceAnswer>(ANSWER, id);
