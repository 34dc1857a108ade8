import type { Context } from './context.ts';
import { sealOf } from './data-key.ts';
import type { AccountId } from './ids.ts';

/** A session as its citizen sees it. */
export type SessionNote = {
  /** Browser and system, such as `Firefox, Windows`. */
  readonly device: string;
  readonly startedAt: Date;
  readonly usedAt: Date;
};

/** The last use is noted at most this often. */
const TOUCH_SECONDS = 30;
const COLUMN = 'sessions.device';

const handle = (ctx: Context, uid: string): Buffer => ctx.keys.index('session', uid);

const SYSTEMS: readonly (readonly [RegExp, string])[] = [
  [/iphone|ipod/i, 'iPhone'],
  [/ipad/i, 'iPad'],
  [/android/i, 'Android'],
  [/windows/i, 'Windows'],
  [/mac os x|macintosh/i, 'macOS'],
  [/cros/i, 'ChromeOS'],
  [/linux/i, 'Linux'],
];
const BROWSERS: readonly (readonly [RegExp, string])[] = [
  [/edg(a|ios)?\//i, 'Edge'],
  [/opr\/|opera/i, 'Opera'],
  [/samsungbrowser\//i, 'Samsung Internet'],
  [/firefox\/|fxios\//i, 'Firefox'],
  [/chrome\/|crios\//i, 'Chrome'],
  [/safari\//i, 'Safari'],
];

/** Browser and system without versions: enough to recognise one's own device, and no fingerprint. */
export const coarseDevice = (userAgent: string | undefined): string => {
  const text = (userAgent ?? '').slice(0, 500);
  const name = (list: typeof SYSTEMS): string | undefined => list.find(([pattern]) => pattern.test(text))?.[1];
  return [name(BROWSERS), name(SYSTEMS)].filter(Boolean).join(', ');
};

/** Notes a session that was signed in to. Once more for the same session only renews the last use. */
export const begin = async (
  ctx: Context,
  session: { uid: string; account: AccountId; device: string },
): Promise<void> => {
  const seal = await sealOf(ctx, session.account);
  if (seal === undefined) return;
  const now = ctx.now();
  await ctx
    .db('sessions')
    .insert({
      uid: handle(ctx, session.uid),
      account_id: session.account,
      device_sealed: seal.seal(COLUMN, session.device),
      started_at: now,
      used_at: now,
    })
    .onConflict('uid')
    .merge(['account_id', 'device_sealed', 'used_at']);
};

/** When a session was last used; undefined for one that is not noted. */
export const lastUse = async (ctx: Context, uid: string): Promise<Date | undefined> => {
  const [row] = await ctx
    .db('sessions')
    .where({ uid: handle(ctx, uid) })
    .select('used_at');
  return row?.used_at;
};

/** Notes that a session was used, now or at the given time; never takes a later use back. */
export const touch = async (ctx: Context, uid: string, at: Date = ctx.now()): Promise<void> => {
  await ctx
    .db('sessions')
    .where({ uid: handle(ctx, uid) })
    .where('used_at', '<', new Date(at.getTime() - TOUCH_SECONDS * 1000))
    .update({ used_at: at });
};

/** What is noted about the sessions of an account, by uid. */
export const notes = async (
  ctx: Context,
  account: AccountId,
  uids: readonly string[],
): Promise<ReadonlyMap<string, SessionNote>> => {
  const seal = await sealOf(ctx, account);
  if (seal === undefined) return new Map();
  const rows = await ctx
    .db('sessions')
    .where({ account_id: account })
    .select('uid', 'device_sealed', 'started_at', 'used_at');
  const byHandle = new Map(rows.map((row) => [row.uid.toString('hex'), row]));
  const found = new Map<string, SessionNote>();
  for (const uid of uids) {
    const row = byHandle.get(handle(ctx, uid).toString('hex'));
    if (row === undefined) continue;
    found.set(uid, {
      device: seal.open(COLUMN, row.device_sealed),
      startedAt: row.started_at,
      usedAt: row.used_at,
    });
  }
  return found;
};
