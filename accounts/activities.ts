import { randomBytes } from 'node:crypto';
import type { Context } from './context.ts';
import { type AccountSeal, sealOf } from './data-key.ts';
import { type AccountId, newAccountId } from './ids.ts';

/** Something that a citizen did, or that somebody tried in their name. */
export type Activity = {
  readonly at: Date;
  readonly event: string;
  readonly detail: Readonly<Record<string, unknown>>;
};

const HOUR_MILLISECONDS = 3_600_000;
const DAY_MILLISECONDS = 24 * HOUR_MILLISECONDS;
/** How long a citizen can look back. */
export const ACTIVITY_DAYS = 90;

const hourOf = (at: Date): number => Math.floor(at.getTime() / HOUR_MILLISECONDS);

/** Another reference every hour: rows of one account have nothing in common for those who lack the key. */
const referenceOf = (ctx: Context, account: AccountId, hour: number): Buffer =>
  ctx.keys.index('activity', `${account} ${hour}`);

const column = (reference: Buffer): string => `activities.sealed ${reference.toString('base64')}`;

const dayAfter = (at: Date, days: number): string =>
  new Date(at.getTime() + days * DAY_MILLISECONDS).toISOString().slice(0, 10);

/** All references under which something of an account may be kept now. */
const references = (ctx: Context, account: AccountId): Buffer[] => {
  const now = hourOf(ctx.now());
  return Array.from({ length: (ACTIVITY_DAYS + 1) * 24 + 1 }, (_, back) => referenceOf(ctx, account, now - back));
};

/** A row of somebody's record on its way into the database. */
export type Line = { readonly reference: Buffer; readonly sealed: Buffer; readonly expiresOn: string };

/** The row for something that happened now; without a seal, one of the same kind that nobody can open. */
export const line = (
  ctx: Context,
  account: AccountId,
  seal: AccountSeal | undefined,
  event: string,
  detail: Readonly<Record<string, unknown>>,
): Line => {
  const at = ctx.now();
  const reference = referenceOf(ctx, account, hourOf(at));
  const plain = JSON.stringify({ at: at.toISOString(), event, detail });
  const sealed = seal?.seal(column(reference), plain) ?? ctx.keys.sealShared('nobody', randomBytes(16), plain);
  return { reference, sealed, expiresOn: dayAfter(at, ACTIVITY_DAYS) };
};

/**
 * Notes something in the citizen's own record. For an unknown citizen (a guess at a sign-in) the same statements run
 * and a row of the same kind is written, that nobody can open: neither time nor table tell whether the account exists.
 */
export const note = async (
  ctx: Context,
  account: AccountId | undefined,
  event: string,
  detail: Readonly<Record<string, unknown>>,
): Promise<void> => {
  const id = account ?? newAccountId();
  const seal = await sealOf(ctx, id);
  const { reference, sealed, expiresOn } = line(ctx, id, seal, event, detail);
  await ctx.db('activities').insert({ reference, sealed, expires_on: expiresOn });
};

/** The record of a citizen, the newest first; empty for an account that is gone. */
export const list = async (ctx: Context, account: AccountId): Promise<Activity[]> => {
  const seal = await sealOf(ctx, account);
  if (seal === undefined) return [];
  const since = new Date(ctx.now().getTime() - ACTIVITY_DAYS * DAY_MILLISECONDS);
  const rows = await ctx
    .db('activities')
    .whereRaw('reference = ANY(?)', [references(ctx, account)])
    .select('reference', 'sealed');
  return rows
    .map(({ reference, sealed }) => JSON.parse(seal.open(column(reference), sealed)))
    .map(({ at, event, detail }): Activity => ({ at: new Date(at), event, detail }))
    .filter(({ at }) => at >= since)
    .sort((one, other) => other.at.getTime() - one.at.getTime());
};

/** Removes the record of an account. */
export const forget = async (ctx: Context, account: AccountId): Promise<void> => {
  await ctx
    .db('activities')
    .whereRaw('reference = ANY(?)', [references(ctx, account)])
    .delete();
};
