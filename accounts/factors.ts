import { type Enrolled, LEVELS, type Level } from './assurance.ts';
import type { Context } from './context.ts';
import type { AccountId } from './ids.ts';
import { believedUntil, expiredBefore } from './proof-age.ts';
import { prepared } from './statement.ts';

export type EnrolledRow = {
  proofing: Level;
  password: boolean;
  /** Whether the authenticator app is weak; null without one. */
  weak_totp: boolean | null;
  codes: number;
  /** How many, and whether one of them is strong. */
  passkeys: [number: number, strong: boolean];
  /** Of the identities in use. */
  sources: string[] | null;
};

/** SQL of the factors of the account `a`, to be read along with it; `expired` is that of the proofs (`enrolledBefore`). */
export const enrolledSql = (expired: string): string => `
  json_build_object(
    'proofing', CASE WHEN a.reduced_at IS NULL AND coalesce(a.proofed_at > ${expired}::timestamptz, true)
      THEN coalesce(a.proofing, 'basis') ELSE 'basis' END,
    'password', EXISTS (SELECT FROM passwords p WHERE p.account_id = a.id),
    'weak_totp', (SELECT t.weak AND NOT coalesce(a.proofed_at >= t.created_at, false) FROM totps t WHERE t.account_id = a.id),
    'codes', (SELECT count(*)::integer FROM backup_codes b WHERE b.account_id = a.id AND b.used_at IS NULL),
    'passkeys', (SELECT json_build_array(count(*), coalesce(bool_or(NOT k.weak OR a.proofed_at >= k.created_at), false))
      FROM passkeys k WHERE k.account_id = a.id),
    'sources', (SELECT json_agg(i.source) FROM identities i WHERE i.account_id = a.id AND i.retired_at IS NULL))`;

/** Proofs up to then count no more; null where none expires. */
export const enrolledBefore = (ctx: Context): Date | null =>
  expiredBefore('identity', ctx.now(), ctx.proofDays) ?? null;

/** The factors as `enrolledSql` gives them; none for an account that is gone. */
export const enrolledIn = (row: EnrolledRow | undefined): Enrolled => {
  const weakTotp = row?.weak_totp ?? null;
  const [passkeys, strongPasskey] = row?.passkeys ?? [0, false];
  const sources = new Set(row?.sources);
  return {
    proofing: row?.proofing ?? 'basis',
    password: row?.password === true,
    totp: weakTotp !== null,
    weakTotp: weakTotp === true,
    codes: row?.codes ?? 0,
    passkeys,
    strongPasskey,
    eid: sources.has('eid'),
    bundid: sources.has('bundid'),
    staff: sources.has('staff'),
  };
};

const factorsOf = prepared<{ has: EnrolledRow }>(
  'factors',
  `SELECT ${enrolledSql('$2')} AS has FROM accounts a WHERE a.id = $1`,
);

/** The factors of an account and how well it was proofed, in one query. None for an account that is gone. */
export const enrolled = async (ctx: Context, account: AccountId): Promise<Enrolled> => {
  const [row] = await factorsOf(ctx, account, enrolledBefore(ctx));
  return enrolledIn(row?.has);
};

const BELOW = "coalesce(array_position(ARRAY['low', 'substantial', 'high'], proofing), 0)";

/**
 * A sign-in by a source that vouches for more than is known yet, or than is still believed. What was added on less stays
 * weak, as long as the older proof is believed.
 */
export const raiseProofing = async (
  ctx: Context,
  account: AccountId,
  level: Exclude<Level, 'basis'>,
): Promise<void> => {
  const expired = enrolledBefore(ctx);
  await ctx
    .db('accounts')
    .where({ id: account })
    .whereRaw(`(${BELOW} < ? OR proofed_at <= ?::timestamptz)`, [LEVELS.indexOf(level), expired])
    .update({
      proofing: level,
      proofed_at: ctx.db.raw(
        'CASE WHEN coalesce(proofed_at, created_at) <= ?::timestamptz THEN ? ELSE coalesce(proofed_at, created_at) END',
        [expired, ctx.now()],
      ),
    });
};

/** Notes that a citizen's identity was checked now; factors that the account has by then count in full. */
export const recordProofing = async (
  ctx: Context,
  account: AccountId,
  level: Exclude<Level, 'basis'>,
): Promise<void> => {
  // A weaker proof says nothing against a better one that still stands, and does not vouch for what was added since.
  await ctx
    .db('accounts')
    .where({ id: account })
    .whereRaw(`(${BELOW} <= ? OR proofed_at <= ?::timestamptz)`, [LEVELS.indexOf(level), enrolledBefore(ctx)])
    .update({ proofing: level, proofed_at: ctx.now() });
};

/** How well, when and until when an account was proofed; undefined for one that never was. */
export const proofingOf = async (
  ctx: Context,
  account: AccountId,
): Promise<{ level: Exclude<Level, 'basis'>; on: Date; until?: Date } | undefined> => {
  const [row] = await ctx.db('accounts').where({ id: account }).select('proofing', 'proofed_at');
  if (row?.proofing == null) return undefined;
  const until = believedUntil('identity', row.proofed_at, ctx.proofDays);
  return { level: row.proofing, on: row.proofed_at, ...(until !== undefined && { until }) };
};
