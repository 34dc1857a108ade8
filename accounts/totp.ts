import { generateSecret, generateURI, verifySync } from 'otplib';
import * as attempts from './attempts.ts';
import * as audit from './audit.ts';
import { startOfDay } from './coarse-time.ts';
import { type Context, inTransaction } from './context.ts';
import { sealOf } from './data-key.ts';
import type { AccountId } from './ids.ts';

/** RFC 6238: 30 s, six digits, SHA-1, as every authenticator app expects. */
const PERIOD_SECONDS = 30;
const TRIES = 10;
const TRIES_WINDOW_SECONDS = 15 * 60;
/** Six digits are few for somebody who has the password and all the time there is (NIST SP 800-63B §5.2.2). */
const TRIES_PER_DAY = 100;
const DAY_SECONDS = 24 * 60 * 60;
const COLUMN = 'totps.secret';

export type TotpCheck = { outcome: 'proven'; weak: boolean } | { outcome: 'wrong' } | { outcome: 'wait'; until: Date };

/** A fresh secret of 160 bits in base32. It counts for nothing until a code made with it was typed in. */
export const newSecret = (): string => generateSecret();

/** What the QR code holds. */
export const addressOf = (secret: string, issuer: string, label: string): string =>
  generateURI({ issuer, label, secret });

const epochSeconds = (ctx: Context): number => Math.floor(ctx.now().getTime() / 1000);

/** The time step that a code belongs to, one step before or after now included; undefined if it is wrong. */
const stepOf = (ctx: Context, secret: string, code: string): number | undefined => {
  const token = code.replace(/\s/g, '');
  if (!/^\d{6}$/.test(token)) return undefined;
  const checked = verifySync({ secret, token, epoch: epochSeconds(ctx), epochTolerance: PERIOD_SECONDS });
  return checked.valid && 'timeStep' in checked ? checked.timeStep : undefined;
};

/** Enrols an app whose code was typed in; that code is spent. `weak`: fewer than two factors were shown before it. */
export const enrol = async (
  ctx: Context,
  account: AccountId,
  secret: string,
  code: string,
  weak: boolean,
): Promise<{ outcome: 'enrolled' } | { outcome: 'wrong' }> => {
  const step = stepOf(ctx, secret, code);
  if (step === undefined) return { outcome: 'wrong' };
  return inTransaction(ctx, async (tx) => {
    const seal = await sealOf(tx, account);
    if (seal === undefined) return { outcome: 'wrong' } as const;
    await tx.db('accounts').where({ id: account }).increment('credential_state', 1);
    const row = { account_id: account, secret_sealed: seal.seal(COLUMN, secret), last_step: step, weak };
    await tx
      .db('totps')
      .insert({ ...row, created_at: tx.now(), last_used_at: null })
      .onConflict('account_id')
      .merge();
    await audit.record(tx, 'totp-enrolled', { account, detail: {} });
    return { outcome: 'enrolled' } as const;
  });
};

/** Checks a code; of any number of parallel calls within one time step one succeeds, on whatever node. */
export const check = async (ctx: Context, account: AccountId, code: string): Promise<TotpCheck> => {
  const buckets = [
    { kind: 'totp', key: account, limit: TRIES, windowSeconds: TRIES_WINDOW_SECONDS },
    { kind: 'totp', key: `${account} day`, limit: TRIES_PER_DAY, windowSeconds: DAY_SECONDS },
  ] as const;
  const reservedAt = ctx.now();
  const reservation = await attempts.reserve(ctx, buckets);
  if (reservation.outcome === 'wait') return reservation;
  return inTransaction(ctx, async (tx): Promise<TotpCheck> => {
    const [row] = await tx.db('totps').where({ account_id: account }).select('secret_sealed');
    const seal = row && (await sealOf(tx, account));
    const step = seal && stepOf(tx, seal.open(COLUMN, row.secret_sealed), code);
    const [spent] =
      step === undefined
        ? []
        : await tx
            .db('totps')
            .where({ account_id: account })
            .where('last_step', '<', step)
            .update({ last_step: step, last_used_at: startOfDay(tx.now()) })
            .returning([
              tx.db.raw(
                `(weak AND NOT coalesce((SELECT proofed_at FROM accounts a WHERE a.id = account_id) >= created_at, false))
                 AS weak`,
              ),
            ]);
    if (spent === undefined) {
      await audit.record(tx, 'sign-in-refused', { account, detail: { method: 'totp', reason: 'wrong' } });
      return { outcome: 'wrong' };
    }
    // Only this attempt is given back: the wrong ones may be somebody else's, made at the same moment.
    await attempts.release(tx, buckets, reservedAt);
    await audit.record(tx, 'sign-in-proven', { account, detail: { method: 'totp' } });
    return { outcome: 'proven', weak: spent.weak === true };
  });
};

/**
 * Removes the app. A password of fewer than 15 characters cannot stand alone: it must be changed first.
 */
export const remove = (
  ctx: Context,
  account: AccountId,
): Promise<{ outcome: 'removed' } | { outcome: 'password-too-short' }> =>
  inTransaction(ctx, async (tx) => {
    // Locked first: a short password must not be set at this very moment.
    await tx.db('accounts').where({ id: account }).increment('credential_state', 1);
    const [short] = await tx.db('passwords').where({ account_id: account, short: true }).select('account_id');
    if (short !== undefined) return { outcome: 'password-too-short' } as const;
    await tx.db('totps').where({ account_id: account }).delete();
    await audit.record(tx, 'totp-removed', { account, detail: {} });
    return { outcome: 'removed' } as const;
  });
