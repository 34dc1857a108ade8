import { type Enrolled, LEVELS, type Level } from './assurance.ts';
import type { Context } from './context.ts';
import type { AccountId } from './ids.ts';
import { believedUntil, expiredBefore } from './proof-age.ts';
import { prepared } from './statement.ts';

export type EnrolledRow = {
  proofing: Level;
  password: boolean;
  totp: boolean;
  weak_totp: boolean;
  codes: number;
  passkeys: number;
  strong_passkey: boolean;
  eid: boolean;
  bundid: boolean;
  staff: boolean;
};

/** SQL of the factors of the account `a`, to be read along with it; `expired` is that of the proofs (`enrolledBefore`). */
export const enrolledSql = (expired: string): string => `
  json_build_object(
    'proofing', CASE WHEN a.reduced_at IS NULL AND coalesce(a.proofed_at > ${expired}::timestamptz, true)
      THEN coalesce(a.proofing, 'basis') ELSE 'basis' END,
    'password', EXISTS (SELECT FROM passwords p WHERE p.account_id = a.id),
    'totp', EXISTS (SELECT FROM totps t WHERE t.account_id = a.id),
    'weak_totp', coalesce((SELECT t.weak AND NOT coalesce(a.proofed_at >= t.created_at, false)
      FROM totps t WHERE t.account_id = a.id), false),
    'codes', (SELECT count(*)::integer FROM backup_codes b WHERE b.account_id = a.id AND b.used_at IS NULL),
    'passkeys', (SELECT count(*)::integer FROM passkeys k WHERE k.account_id = a.id),
    'strong_passkey', EXISTS (SELECT FROM passkeys k WHERE k.account_id = a.id
      AND (NOT k.weak OR a.proofed_at >= k.created_at)),
    'eid', EXISTS (SELECT FROM identities i WHERE i.account_id = a.id AND i.retired_at IS NULL AND i.source = 'eid'),
    'bundid', EXISTS (SELECT FROM identities i WHERE i.account_id = a.id AND i.retired_at IS NULL AND i.source = 'bundid'),
    'staff', EXISTS (SELECT FROM identities i WHERE i.account_id = a.id AND i.retired_at IS NULL AND i.source = 'staff'))`;

/** Proofs up to then count no more; null where none expires. */
export const enrolledBefore = (ctx: Context): Date | null =>
  expiredBefore('identity', ctx.now(), ctx.proofDays) ?? null;

/** The factors as `enrolledSql` gives them; none for an account that is gone. */
export const enrolledIn = (row: EnrolledRow | undefined): Enrolled => ({
  proofing: row?.proofing ?? 'basis',
  password: row?.password === true,
  totp: row?.totp === true,
  weakTotp: row?.weak_totp === true,
  codes: row?.codes ?? 0,
  passkeys: row?.passkeys ?? 0,
  strongPasskey: row?.strong_passkey === true,
  eid: row?.eid === true,
  bundid: row?.bundid === true,
  staff: row?.staff === true,
});

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
