import ipaddr from 'ipaddr.js';
import type { Line } from './activities.ts';
import type { Context } from './context.ts';
import { NOT_WAITING_FOR_DISK, prepared } from './statement.ts';

/** A limit on how often something may be tried: `limit` times in `windowSeconds`, counted for `kind` and `key`. */
export type Bucket = {
  readonly kind:
    | 'account'
    | 'identifier'
    | 'address'
    | 'all'
    | 'mail'
    | 'browser'
    | 'backup-code'
    | 'letter-code'
    | 'staff'
    | 'totp'
    | 'device'
    | 'proof';
  readonly key: string;
  readonly limit: number;
  readonly windowSeconds: number;
};

export type Reservation = { outcome: 'ok' } | { outcome: 'wait'; until: Date };

/** A bucket as a counter sees it. */
export type Counted = { readonly handle: Buffer; readonly limit: number; readonly ends: Date };

/**
 * Counters beside Postgres, for limits that may be forgotten with a crash. Both do what the functions of the same name do
 * here, and say so if they cannot be asked now: `reserve` with undefined, `release` with false.
 */
export type Limits = {
  reserve(buckets: readonly Counted[], now: Date): Promise<Reservation | undefined>;
  release(buckets: readonly Counted[]): Promise<boolean>;
};

/** What keeps floods away. Guesses at one account's secrets are counted where nothing is ever forgotten. */
const PASSING: ReadonlySet<Bucket['kind']> = new Set(['address', 'all', 'mail', 'browser', 'letter-code']);

/** Of a network address only a part of a hash is kept, and another one every day. */
const ADDRESS_HASH_BYTES = 8;

const handle = (ctx: Context, bucket: Bucket): Buffer => {
  if (bucket.kind !== 'address') return ctx.keys.index('attempts', `${bucket.kind} ${bucket.key}`);
  const day = ctx.now().toISOString().slice(0, 10);
  return ctx.keys.index('attempts', `address ${day} ${bucket.key}`).subarray(0, ADDRESS_HASH_BYTES);
};

const windowEnd = (from: Date, bucket: Bucket): Date => new Date(from.getTime() + bucket.windowSeconds * 1000);

const counted = (ctx: Context, buckets: readonly Bucket[], from: Date): Counted[] =>
  buckets.map((bucket) => ({ handle: handle(ctx, bucket), limit: bucket.limit, ends: windowEnd(from, bucket) }));

const isPassing = ({ kind }: Bucket): boolean => PASSING.has(kind);

/**
 * Reserves one attempt in every bucket, before the guess is evaluated: of any number of parallel calls at most `limit`
 * get one (Zitadel CVE-2023-47111 evaluated them all). All buckets or none: an attempt that one bucket refuses uses up
 * nothing in the others. Where counters beside Postgres do not answer, everything is counted in Postgres.
 * @param waits false if nobody is told what the guess was worth before a later statement has waited for the disk, which
 *   then has the reservation as well
 */
export const reserve = async (ctx: Context, buckets: readonly Bucket[], waits = true): Promise<Reservation> => {
  const passing = ctx.limits === undefined ? [] : buckets.filter(isPassing);
  const now = ctx.now();
  const beside = passing.length === 0 ? undefined : await ctx.limits?.reserve(counted(ctx, passing, now), now);
  if (beside === undefined) return reserveHere(ctx, buckets, waits);
  const lasting = buckets.filter((bucket) => !isPassing(bucket));
  if (beside.outcome === 'wait' || lasting.length === 0) return beside;
  const here = await reserveHere(ctx, lasting, waits);
  if (here.outcome === 'wait') await ctx.limits?.release(counted(ctx, passing, now));
  return here;
};

type Reserved = { taken: Buffer[] | null; until: Date | null };
// `full_up` reads a snapshot and spares the writes when the case is clear; the condition of the upsert decides.
const RESERVE = `WITH wanted AS (
     SELECT * FROM unnest($1::bytea[], $2::integer[], $3::timestamptz[]) AS w (bucket, max_count, ends_at)
   ), full_up AS (
     -- LIMIT keeps the planner from reading all counters for the few that are wanted
     SELECT a.window_ends_at FROM wanted w, LATERAL (SELECT * FROM attempts a WHERE a.bucket = w.bucket LIMIT 1) a
     WHERE a.window_ends_at > $4 AND a.count >= w.max_count
   ), taken AS (
     INSERT INTO attempts AS a (bucket, count, window_ends_at)
     SELECT bucket, 1, ends_at FROM wanted WHERE NOT EXISTS (SELECT FROM full_up)
     ORDER BY bucket -- one order for all, so that parallel calls cannot deadlock
     ON CONFLICT (bucket) DO UPDATE SET
       count = CASE WHEN a.window_ends_at > $4 THEN a.count + 1 ELSE 1 END,
       window_ends_at = CASE WHEN a.window_ends_at > $4 THEN a.window_ends_at ELSE excluded.window_ends_at END
     WHERE a.window_ends_at <= $4 OR a.count < (SELECT w.max_count FROM wanted w WHERE w.bucket = a.bucket)
     RETURNING a.bucket
   )
   SELECT (SELECT array_agg(bucket) FROM taken) AS taken, (SELECT max(window_ends_at) FROM full_up) AS until`;
const reserveWaiting = prepared<Reserved>('attempts_reserve', RESERVE);
const reserveUnwaited = prepared<Reserved>('attempts_reserve_unwaited', `${RESERVE}, ${NOT_WAITING_FOR_DISK}`);

const reserveHere = async (ctx: Context, buckets: readonly Bucket[], waits: boolean): Promise<Reservation> => {
  const now = ctx.now();
  // What a transaction does besides must wait for the disk.
  const waiting = ctx.db.isTransaction === true || (waits && !buckets.every(isPassing));
  const reserving = waiting ? reserveWaiting : reserveUnwaited;
  const [found] = await reserving(
    ctx,
    buckets.map((bucket) => handle(ctx, bucket)),
    buckets.map(({ limit }) => limit),
    buckets.map((bucket) => windowEnd(now, bucket)),
    now,
  );
  const { taken = null, until = null } = found ?? {};
  if (taken?.length === buckets.length) return { outcome: 'ok' };
  if (until !== null) return { outcome: 'wait', until };

  // A parallel call took the last attempt of one bucket after the snapshot: give back what was reserved in the others.
  const held = buckets.filter((bucket) => taken?.some((one) => one.equals(handle(ctx, bucket))));
  await releaseHere(ctx, held, now);
  const missing = buckets.filter((bucket) => !held.includes(bucket)).map((bucket) => handle(ctx, bucket));
  const ends = await ctx.db('attempts').whereIn('bucket', missing).max('window_ends_at as until');
  return { outcome: 'wait', until: ends[0]?.['until'] ?? now };
};

/**
 * Gives back one attempt in each bucket, for a guess that was right or never evaluated.
 * @param reservedAt when the attempt was reserved; if a new window has begun since, its count stays
 */
export const release = async (ctx: Context, buckets: readonly Bucket[], reservedAt: Date): Promise<void> => {
  const passing = ctx.limits === undefined ? [] : buckets.filter(isPassing);
  const done = passing.length > 0 && (await ctx.limits?.release(counted(ctx, passing, reservedAt)));
  await releaseHere(ctx, done ? buckets.filter((bucket) => !isPassing(bucket)) : buckets, reservedAt);
};

/** Locks the buckets `handles` in the order in which they are reserved, so that neither waits for the other in a circle. */
const heldSql = (handles: string): string =>
  `held AS (SELECT bucket FROM attempts WHERE bucket = ANY (${handles}) ORDER BY bucket FOR UPDATE)`;
/** Gives back one attempt in each of the buckets `handles`, whose windows end by `ends`; once they are held. */
const releaseSql = (handles: string, ends: string): string => `
  UPDATE attempts AS a SET count = a.count - 1
  WHERE (SELECT count(*) FROM held) > 0 AND a.bucket = ANY (${handles}::bytea[]) AND a.count > 0 AND a.window_ends_at <= (
    SELECT max(r.ends_by) FROM unnest(${handles}::bytea[], ${ends}::timestamptz[]) AS r (bucket, ends_by)
    WHERE r.bucket = a.bucket)`;
const releaseAll = prepared('attempts_release', `WITH ${heldSql('$1::bytea[]')} ${releaseSql('$1', '$2')}`);

const releaseHere = async (ctx: Context, buckets: readonly Bucket[], reservedAt: Date): Promise<void> => {
  if (buckets.length === 0) return;
  await releaseAll(
    ctx,
    buckets.map((bucket) => handle(ctx, bucket)),
    buckets.map((bucket) => windowEnd(reservedAt, bucket)),
  );
};

const CLEAR = `WITH ${heldSql('$1::bytea || $2::bytea[]')},
  emptied AS (DELETE FROM attempts WHERE bucket = $1 AND (SELECT count(*) FROM held) > 0),
  given_back AS (${releaseSql('$2', '$3')})`;
const clearAll = prepared('attempts_clear', `${CLEAR} SELECT`);
const settleAll = prepared(
  'attempts_settle',
  `${CLEAR} INSERT INTO activities (reference, sealed, expires_on) VALUES ($4, $5, $6) RETURNING ${NOT_WAITING_FOR_DISK}`,
);

/** The citizen's own bucket, and those that are shared with others. */
type Proven = readonly [own: Bucket, ...shared: Bucket[]];
type Clearing = readonly [own: Buffer, shared: Buffer[], ends: Date[]];

const clearing = async (ctx: Context, [own, ...shared]: Proven, reservedAt: Date): Promise<Clearing> => {
  const passing = ctx.limits === undefined ? [] : shared.filter(isPassing);
  const done = passing.length > 0 && (await ctx.limits?.release(counted(ctx, passing, reservedAt)));
  const here = done ? shared.filter((bucket) => !isPassing(bucket)) : shared;
  const ends = here.map((bucket) => windowEnd(reservedAt, bucket));
  return [handle(ctx, own), here.map((bucket) => handle(ctx, bucket)), ends];
};

/** After a secret was right: empties the citizen's own bucket, and gives back one attempt in each of the others. */
export const clear = async (ctx: Context, buckets: Proven, reservedAt: Date): Promise<void> => {
  await clearAll(ctx, ...(await clearing(ctx, buckets, reservedAt)));
};

/**
 * After a sign-in that succeeded: `clear`, and a note of the sign-in, all or nothing. Not within a transaction: it does
 * not wait for the disk. The session that follows does, and whatever was written before it is there with it.
 */
export const settle = async (
  ctx: Context,
  buckets: Proven,
  reservedAt: Date,
  { reference, sealed, expiresOn }: Line,
): Promise<void> => {
  await settleAll(ctx, ...(await clearing(ctx, buckets, reservedAt)), reference, sealed, expiresOn);
};

/** IPv6 addresses of one household share a prefix of this length and can be changed at will behind it. */
const IPV6_PREFIX_BYTES = 7;

/** The part of a network address that counts as one caller: an IPv4 address, or the /56 of an IPv6 address. */
export const addressPrefix = (address: string): string => {
  if (!ipaddr.isValid(address)) return 'unknown';
  const parsed = ipaddr.process(address);
  if (parsed.kind() === 'ipv4') return parsed.toString();
  return Buffer.from(parsed.toByteArray().slice(0, IPV6_PREFIX_BYTES)).toString('hex');
};
