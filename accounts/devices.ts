import { randomBytes } from 'node:crypto';
import * as audit from './audit.ts';
import { startOfDay } from './coarse-time.ts';
import { type Context, inTransaction } from './context.ts';
import type { AccountId } from './ids.ts';
import { prepared } from './statement.ts';

const DEVICE = /^[A-Za-z0-9_-]{43}$/;

/** A new random id for a browser; it says nothing and is kept by us only as a keyed hash beside each account. */
export const newDevice = (): string => randomBytes(32).toString('base64url');

/** Parses the cookie of a browser. */
export const parseDevice = (value: unknown): string | undefined =>
  typeof value === 'string' && DEVICE.test(value) ? value : undefined;

const handle = (ctx: Context, account: AccountId, device: string): Buffer =>
  // With the account in it: rows of two citizens at one computer have nothing in common.
  ctx.keys.index('device', `${account} ${device}`);

/** Whether a browser is among those that were read along with an account. */
export const isAmong = (ctx: Context, account: AccountId, device: string, known: readonly Buffer[]): boolean => {
  const wanted = handle(ctx, account, device);
  return known.some((one) => one.equals(wanted));
};

// Written once a day: what changes nothing costs the database no more than a look.
const seeAgain = prepared<{ known: boolean }>(
  'device_seen',
  `WITH seen AS (
     UPDATE known_devices SET seen_at = $3 WHERE account_id = $1 AND device = $2 AND seen_at < $3
   )
   SELECT EXISTS (SELECT FROM known_devices WHERE account_id = $1 AND device = $2) AS known`,
);

/** Notes once more a browser that the citizen has signed in with before; false if there is none to note. */
export const meetAgain = async (ctx: Context, account: AccountId, device: string): Promise<boolean> => {
  const [row] = await seeAgain(ctx, account, handle(ctx, account, device), startOfDay(ctx.now()));
  return row?.known === true;
};

/** Whether the citizen has signed in with this browser before. */
const isKnown = async (ctx: Context, account: AccountId, device: string): Promise<boolean> => {
  const [row] = await ctx
    .db('known_devices')
    .where({ account_id: account, device: handle(ctx, account, device) })
    .select('account_id');
  return row !== undefined;
};

/** What is known about a browser after a sign-in. */
export type Browser = {
  readonly id: string;
  /** Such as `Firefox, Windows`, for the citizen's own record. */
  readonly name: string;
  /** False on a shared computer: it stays unknown. */
  readonly keep: boolean;
  /** It has had a session of this very citizen until now: whoever sits there was announced before. */
  readonly signedIn: boolean;
};

/** Notes a browser after a sign-in. `new`: the citizen has used others, but never this one: to be announced. */
export const remember = (ctx: Context, account: AccountId, browser: Browser): Promise<'known' | 'first' | 'new'> =>
  inTransaction(ctx, async (tx) => {
    const { keep, signedIn } = browser;
    const [others] = await tx.db('known_devices').where({ account_id: account }).count('* as count');
    const first = Number(others?.['count']) === 0;
    const known = signedIn || (await isKnown(tx, account, browser.id));
    // After a first sign-in on a shared computer an id that no browser has keeps the place: the next one is not the first.
    const id = keep ? browser.id : first ? newDevice() : undefined;
    if (id !== undefined) {
      const row = { account_id: account, device: handle(tx, account, id), seen_at: startOfDay(tx.now()) };
      await tx.db('known_devices').insert(row).onConflict(['account_id', 'device']).merge();
    }
    if (known) return 'known';
    if (first) return 'first';
    await audit.record(tx, 'device-new', { account, detail: { device: browser.name } });
    return 'new';
  });
