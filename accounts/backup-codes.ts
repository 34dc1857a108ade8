import { randomBytes } from 'node:crypto';
import * as attempts from './attempts.ts';
import * as audit from './audit.ts';
import { type Context, inTransaction } from './context.ts';
import type { AccountId } from './ids.ts';

const CODES = 10;
/** 16 characters of 5 bits: 80 bits, more than the 64 that a look-up secret needs to be stored by a fast hash. */
const CODE_LENGTH = 16;
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const TRIES = 10;
const TRIES_WINDOW_SECONDS = 15 * 60;

export type Spent = { outcome: 'spent'; left: number } | { outcome: 'wrong' } | { outcome: 'wait'; until: Date };

const newCode = (): string => {
  const characters = [...randomBytes(CODE_LENGTH)].map((byte) => ALPHABET.charAt(byte % ALPHABET.length)).join('');
  return (characters.match(/.{4}/g) ?? []).join('-');
};

/** As people copy it from paper: any case, blanks and hyphens, O for 0, I and L for 1. */
const normalised = (code: string): string =>
  code
    .toUpperCase()
    .replace(/[^A-Z0-9]/g, '')
    .replaceAll('O', '0')
    .replaceAll(/[IL]/g, '1');

const hashOf = (ctx: Context, account: AccountId, code: string): Buffer =>
  ctx.keys.index('backup-code', `${account} ${normalised(code)}`);

/** Writes ten new codes without a transaction or audit row of its own; for `register`. */
export const insertNew = async (ctx: Context, account: AccountId): Promise<string[]> => {
  const codes = Array.from({ length: CODES }, newCode);
  await ctx.db('backup_codes').insert(codes.map((code) => ({ account_id: account, hash: hashOf(ctx, account, code) })));
  return codes;
};

/** Ten new codes, which replace all earlier ones. They are returned once and stored only as keyed hashes. */
export const generate = (ctx: Context, account: AccountId): Promise<string[]> =>
  inTransaction(ctx, async (tx) => {
    // The account's row is locked first, or two parallel calls would both leave their codes.
    await tx.db('accounts').where({ id: account }).increment('credential_state', 1);
    await tx.db('backup_codes').where({ account_id: account }).delete();
    const codes = await insertNew(tx, account);
    await audit.record(tx, 'backup-codes-created', { account, detail: { count: codes.length } });
    return codes;
  });

/** Spends a code: exactly one of any number of parallel calls with the same code succeeds. */
export const spend = async (ctx: Context, account: AccountId, code: string): Promise<Spent> => {
  const bucket = { kind: 'backup-code', key: account, limit: TRIES, windowSeconds: TRIES_WINDOW_SECONDS } as const;
  const reservation = await attempts.reserve(ctx, [bucket]);
  if (reservation.outcome === 'wait') return reservation;
  return inTransaction(ctx, async (tx): Promise<Spent> => {
    const [spent] = await tx
      .db('backup_codes')
      .where({ account_id: account, hash: hashOf(tx, account, code) })
      .whereNull('used_at')
      .update({ used_at: tx.now() })
      .returning('account_id');
    if (spent === undefined) {
      await audit.record(tx, 'sign-in-refused', { account, detail: { method: 'backup-code', reason: 'wrong' } });
      return { outcome: 'wrong' };
    }
    const [counted] = await tx
      .db('backup_codes')
      .where({ account_id: account })
      .whereNull('used_at')
      .count('* as left');
    const left = Number(counted?.['left']);
    await attempts.reset(tx, bucket);
    await audit.record(tx, 'backup-code-spent', { account, detail: { left } });
    return { outcome: 'spent', left };
  });
};
