import { type Enrolled, LEVELS, type Level } from './assurance.ts';
import type { Context } from './context.ts';
import type { AccountId } from './ids.ts';
import { believedUntil, expiredBefore } from './proof-age.ts';

/** The factors of an account and how well it was proofed, in one query. None for an account that is gone. */
export const enrolled = async (ctx: Context, account: AccountId): Promise<Enrolled> => {
  const { rows } = await ctx.db.raw(
    `SELECT CASE WHEN a.reduced_at IS NULL AND coalesce(a.proofed_at > ?::timestamptz, true)
         THEN coalesce(a.proofing, 'basis') ELSE 'basis' END AS proofing,
       EXISTS (SELECT FROM passwords p WHERE p.account_id = a.id) AS password,
       t.account_id IS NOT NULL AS totp,
       coalesce(t.weak AND NOT coalesce(a.proofed_at >= t.created_at, false), false) AS weak_totp,
       (SELECT count(*)::integer FROM backup_codes b WHERE b.account_id = a.id AND b.used_at IS NULL) AS codes,
       (SELECT count(*)::integer FROM passkeys k WHERE k.account_id = a.id) AS passkeys,
       EXISTS (SELECT FROM passkeys k WHERE k.account_id = a.id
         AND (NOT k.weak OR a.proofed_at >= k.created_at)) AS strong_passkey,
       EXISTS (SELECT FROM identities i WHERE i.account_id = a.id AND i.retired_at IS NULL AND i.source = 'eid') AS eid,
       EXISTS (SELECT FROM identities i WHERE i.account_id = a.id AND i.retired_at IS NULL AND i.source = 'bundid') AS bundid,
       EXISTS (SELECT FROM identities i WHERE i.account_id = a.id AND i.retired_at IS NULL AND i.source = 'staff') AS staff
     FROM accounts a LEFT JOIN totps t ON t.account_id = a.id WHERE a.id = ?`,
    [expiredBefore('identity', ctx.now(), ctx.proofDays) ?? null, account],
  );
  const [row] = rows as {
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
  }[];
  return {
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
  };
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
  const expired = expiredBefore('identity', ctx.now(), ctx.proofDays) ?? null;
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
    .whereRaw(`(${BELOW} <= ? OR proofed_at <= ?::timestamptz)`, [
      LEVELS.indexOf(level),
      expiredBefore('identity', ctx.now(), ctx.proofDays) ?? null,
    ])
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
