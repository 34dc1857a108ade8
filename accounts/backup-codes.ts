import { randomBytes } from 'node:crypto';
import * as attempts from './attempts.ts';
import * as audit from './audit.ts';
import { type Context, inTransaction } from './context.ts';
import { accountIndex } from './identifier.ts';
import type { AccountId } from './ids.ts';

const CODES = 10;
/** 16 characters of 5 bits: 80 bits, more than the 64 that a look-up secret needs to be stored by a fast hash. */
const CODE_LENGTH = 16;
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const TRIES = 10;
const TRIES_WINDOW_SECONDS = 15 * 60;
const ADDRESS_TRIES = 60;
/** Stands for a citizen who does not exist, so that the same statements are made for them. */
const NOBODY = '00000000-0000-0000-0000-000000000000' as AccountId;

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

/** How many codes an account has left. */
export const left = async (ctx: Context, account: AccountId): Promise<number> => {
  const [counted] = await ctx.db('backup_codes').where({ account_id: account }).whereNull('used_at').count('* as left');
  return Number(counted?.['left']);
};

/**
 * Spends a code of the citizen with this identifier, for a forgotten password. Unknown citizens get the same answer by
 * the same statements.
 */
export const spendFor = async (
  ctx: Context,
  identifier: string,
  code: string,
  from: { address: string },
): Promise<{ outcome: 'spent'; account: AccountId; state: number } | Exclude<Spent, { outcome: 'spent' }>> => {
  const { column, index } = accountIndex(ctx, identifier);
  const [row] = await ctx.db('accounts').where(column, index).select('id', 'status', 'credential_state');
  const account = row?.status === 'active' ? (row.id as AccountId) : NOBODY;
  const shared = {
    kind: 'address',
    key: `backup-code ${attempts.addressPrefix(from.address)}`,
    limit: ADDRESS_TRIES,
    windowSeconds: TRIES_WINDOW_SECONDS,
  } as const;
  const owner = row === undefined ? index.toString('base64url') : row.id;
  const spent = await spendAs(ctx, account, code, [{ ...bucketOf(owner) }, shared]);
  return spent.outcome === 'spent' ? { outcome: 'spent', account, state: row.credential_state } : spent;
};

/** Spends a code: exactly one of any number of parallel calls with the same code succeeds. */
export const spend = (ctx: Context, account: AccountId, code: string): Promise<Spent> =>
  spendAs(ctx, account, code, [bucketOf(account)]);

const bucketOf = (key: string): attempts.Bucket => ({
  kind: 'backup-code',
  key,
  limit: TRIES,
  windowSeconds: TRIES_WINDOW_SECONDS,
});

const spendAs = async (
  ctx: Context,
  account: AccountId,
  code: string,
  buckets: readonly [attempts.Bucket, ...attempts.Bucket[]],
): Promise<Spent> => {
  const reservedAt = ctx.now();
  const reservation = await attempts.reserve(ctx, buckets);
  if (reservation.outcome === 'wait') return reservation;
  return inTransaction(ctx, async (tx): Promise<Spent> => {
    const [spent] = await tx
      .db('backup_codes')
      .where({ account_id: account, hash: hashOf(tx, account, code) })
      .whereNull('used_at')
      .update({ used_at: tx.now() })
      .returning('account_id');
    if (spent === undefined) {
      const about = account === NOBODY ? {} : { account };
      await audit.record(tx, 'sign-in-refused', { ...about, detail: { method: 'backup-code', reason: 'wrong' } });
      return { outcome: 'wrong' };
    }
    const remaining = await left(tx, account);
    await attempts.clear(tx, buckets, reservedAt);
    await audit.record(tx, 'backup-code-spent', { account, detail: { left: remaining } });
    return { outcome: 'spent', left: remaining };
  });
};
