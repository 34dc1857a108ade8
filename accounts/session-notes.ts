import { startOfDay } from './coarse-time.ts';
import type { Context } from './context.ts';
import type { AccountId } from './ids.ts';
import { NOT_WAITING_FOR_DISK, prepared } from './statement.ts';

/** A session as its citizen sees it. */
export type SessionNote = {
  /** Browser and system, such as `Firefox, Windows`. */
  readonly device: string;
  readonly startedAt: Date;
  readonly usedAt: Date;
};

/** The last use is noted at most this often. */
const TOUCH_SECONDS = 30;
/** What device and times are sealed for; by the shared key, as they are read before the account is. */
const SESSION_NOTE_PURPOSE = 'session note';

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

type Noted = { readonly device: string; readonly startedAt: number; readonly usedAt: number };

const sealed = (ctx: Context, uid: Buffer, noted: Noted): Buffer =>
  ctx.keys.sealShared(SESSION_NOTE_PURPOSE, uid, JSON.stringify(noted));

const opened = (ctx: Context, row: { uid: Buffer; device_sealed: Buffer }): Noted =>
  JSON.parse(ctx.keys.openShared(SESSION_NOTE_PURPOSE, row.uid, row.device_sealed));

/** In the row only the day after the last use: its minute beside the account would lead to the visit. */
const dayAfter = (at: Date): Date => startOfDay(new Date(at.getTime() + 24 * 3600 * 1000));

const rowOf = async (ctx: Context, uid: Buffer): Promise<{ uid: Buffer; device_sealed: Buffer } | undefined> => {
  const [row] = await ctx.db('sessions').where({ uid }).select('uid', 'device_sealed');
  return row;
};

// It does not wait for the disk: the session itself, which is stored next and does wait, brings this along.
const beginNew = prepared<{ uid: Buffer }>(
  'session_begin',
  `INSERT INTO sessions (uid, account_id, device_sealed, started_at, used_at) VALUES ($1, $2, $3, $4, $5)
   ON CONFLICT (uid) DO NOTHING RETURNING uid, ${NOT_WAITING_FOR_DISK}`,
);

/**
 * Notes a session that was signed in to, before the session is stored; not within a transaction. Once more for the same
 * session only renews the last use.
 */
export const begin = async (
  ctx: Context,
  session: { uid: string; account: AccountId; device: string },
): Promise<void> => {
  const now = ctx.now();
  const uid = handle(ctx, session.uid);
  const { account, device } = session;
  const fresh = sealed(ctx, uid, { device, startedAt: now.getTime(), usedAt: now.getTime() });
  if ((await beginNew(ctx, uid, account, fresh, startOfDay(now), dayAfter(now))).length > 0) return;
  const before = await rowOf(ctx, uid);
  const noted = {
    device,
    startedAt: before === undefined ? now.getTime() : opened(ctx, before).startedAt,
    usedAt: now.getTime(),
  };
  await ctx
    .db('sessions')
    .insert({
      uid,
      account_id: account,
      device_sealed: sealed(ctx, uid, noted),
      started_at: startOfDay(now),
      used_at: dayAfter(now),
    })
    .onConflict('uid')
    .merge(['account_id', 'device_sealed', 'used_at']);
};

/** When a session was last used; undefined for one that is not noted. */
export const lastUse = async (ctx: Context, uid: string): Promise<Date | undefined> => {
  const row = await rowOf(ctx, handle(ctx, uid));
  return row && new Date(opened(ctx, row).usedAt);
};

/** Notes that a session was used, now or at the given time; never takes a later use back. */
export const touch = async (ctx: Context, uid: string, at: Date = ctx.now()): Promise<void> => {
  const id = handle(ctx, uid);
  for (;;) {
    const row = await rowOf(ctx, id);
    if (row === undefined) return;
    const noted = opened(ctx, row);
    if (noted.usedAt >= at.getTime() - TOUCH_SECONDS * 1000) return;
    // The condition keeps what a parallel request noted; it is looked at again.
    const renewed = await ctx
      .db('sessions')
      .where({ uid: id, device_sealed: row.device_sealed })
      .update({ device_sealed: sealed(ctx, id, { ...noted, usedAt: at.getTime() }), used_at: dayAfter(at) });
    if (renewed > 0) return;
  }
};

/** What is noted about the sessions of an account, by uid. */
export const notes = async (
  ctx: Context,
  account: AccountId,
  uids: readonly string[],
): Promise<ReadonlyMap<string, SessionNote>> => {
  const rows = await ctx.db('sessions').where({ account_id: account }).select('uid', 'device_sealed');
  const byHandle = new Map(rows.map((row) => [row.uid.toString('hex'), row]));
  const found = new Map<string, SessionNote>();
  for (const uid of uids) {
    const row = byHandle.get(handle(ctx, uid).toString('hex'));
    if (row === undefined) continue;
    const { device, startedAt, usedAt } = opened(ctx, row);
    found.set(uid, { device, startedAt: new Date(startedAt), usedAt: new Date(usedAt) });
  }
  return found;
};
