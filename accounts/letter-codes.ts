import { randomInt, randomUUID } from 'node:crypto';
import * as attempts from './attempts.ts';
import type { Context } from './context.ts';
import type { AccountId } from './ids.ts';
import { Secret } from './secret.ts';

/** What a code on paper is good for. */
export type Purpose = 'recovery' | 'activation' | 'invitation';

export type LetterCode = {
  readonly id: string;
  readonly purpose: Purpose;
  readonly validFrom: Date;
  readonly expiresAt: Date;
  readonly account?: AccountId;
  readonly recovery?: string;
  readonly staff?: string;
};

export type Checked =
  | { outcome: 'valid'; code: LetterCode }
  /** A typing error, by the check character; not counted as a try. */
  | { outcome: 'mistyped' }
  | { outcome: 'wrong' }
  | { outcome: 'too-early'; from: Date }
  | { outcome: 'over' }
  | { outcome: 'wait'; until: Date };

export type Owner =
  | { purpose: 'recovery'; account: AccountId; recovery: string }
  | { purpose: 'activation'; account: AccountId }
  | { purpose: 'invitation'; staff: string };

/** Crockford's base32: nothing in it can be misread on paper. */
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
/** 19 characters of 5 bits: 95 bits, and a check character. */
const RANDOM_LENGTH = 19;
const GROUP = 5;
const ADDRESS_TRIES = 30;
const OVERALL_TRIES = 5000;
const TRIES_WINDOW_SECONDS = 15 * 60;
const COLUMNS = ['id', 'purpose', 'valid_from', 'expires_at', 'account_id', 'recovery_id', 'staff_id'];

/** ISO 7064, hybrid system MOD 33,32: finds every single wrong character and nearly every swap of neighbours. */
const checkCharacter = (body: string): string => {
  const size = ALPHABET.length;
  let product = size;
  for (const character of body) {
    const sum = (product + ALPHABET.indexOf(character)) % size || size;
    product = (sum * 2) % (size + 1);
  }
  return ALPHABET.charAt((size + 1 - product) % size);
};

const newCode = (): string => {
  const body = Array.from({ length: RANDOM_LENGTH }, () => ALPHABET.charAt(randomInt(ALPHABET.length))).join('');
  return format(body + checkCharacter(body));
};

const format = (code: string): string => (code.match(new RegExp(`.{${GROUP}}`, 'g')) ?? []).join('-');

/** Reads a code as people copy it: any case, blanks and hyphens, O for 0, I and L for 1; undefined if mistyped. */
export const parse = (typed: string): string | undefined => {
  if (typed.length > 80) return undefined;
  const code = typed
    .toUpperCase()
    .replace(/[\s\-–—._]/g, '')
    .replaceAll('O', '0')
    .replaceAll(/[IL]/g, '1');
  if (code.length !== RANDOM_LENGTH + 1 || [...code].some((character) => !ALPHABET.includes(character)))
    return undefined;
  return checkCharacter(code.slice(0, RANDOM_LENGTH)) === code.charAt(RANDOM_LENGTH) ? format(code) : undefined;
};

const hashOf = (ctx: Context, code: string): Buffer => ctx.keys.index('letter-code', code);

/** Makes a code; it is returned once and stored hashed. One before it for the same thing is good no more. */
export const issue = async (ctx: Context, owner: Owner, validFrom: Date, expiresAt: Date): Promise<Secret> => {
  const code = newCode();
  const mark =
    owner.purpose === 'recovery'
      ? { recovery_id: owner.recovery }
      : owner.purpose === 'activation'
        ? { account_id: owner.account, purpose: 'activation' }
        : { staff_id: owner.staff };
  await withdraw(ctx, mark);
  await ctx.db('letter_codes').insert({
    id: randomUUID(),
    purpose: owner.purpose,
    hash: hashOf(ctx, code),
    account_id: owner.purpose === 'invitation' ? null : owner.account,
    recovery_id: owner.purpose === 'recovery' ? owner.recovery : null,
    staff_id: owner.purpose === 'invitation' ? owner.staff : null,
    valid_from: validFrom,
    expires_at: expiresAt,
  });
  return new Secret(code);
};

/** Ends what is still unused. */
export const withdraw = async (
  ctx: Context,
  of: { recovery_id: string } | { account_id: string } | { staff_id: string },
): Promise<void> => {
  await ctx
    .db('letter_codes')
    .where(of)
    .whereNull('used_at')
    .whereNull('replaced_at')
    .update({ replaced_at: ctx.now() });
};

/**
 * Looks at a code without spending it. The codes cannot be guessed; the limits keep a flood away. What is told about a
 * known code is told only to who has the paper.
 */
export const check = async (ctx: Context, typed: string, addressPrefix: string): Promise<Checked> => {
  const code = parse(typed);
  if (code === undefined) return { outcome: 'mistyped' };
  const buckets: attempts.Bucket[] = [
    { kind: 'letter-code', key: addressPrefix, limit: ADDRESS_TRIES, windowSeconds: TRIES_WINDOW_SECONDS },
    { kind: 'letter-code', key: 'all', limit: OVERALL_TRIES, windowSeconds: TRIES_WINDOW_SECONDS },
  ];
  const now = ctx.now();
  const reserved = await attempts.reserve(ctx, buckets);
  if (reserved.outcome === 'wait') return reserved;
  const [row] = await ctx
    .db('letter_codes')
    .where({ hash: hashOf(ctx, code) })
    .select('*');
  if (row === undefined) return { outcome: 'wrong' };
  await attempts.release(ctx, buckets, now);
  if (row.used_at !== null || row.replaced_at !== null || row.expires_at <= now) return { outcome: 'over' };
  if (row.valid_from > now) return { outcome: 'too-early', from: row.valid_from };
  return { outcome: 'valid', code: toCode(row) };
};

type Row = Record<string, unknown>;

const toCode = (row: Row): LetterCode => ({
  id: String(row['id']),
  purpose: row['purpose'] as Purpose,
  validFrom: row['valid_from'] as Date,
  expiresAt: row['expires_at'] as Date,
  ...(row['account_id'] === null ? {} : { account: row['account_id'] as AccountId }),
  ...(row['recovery_id'] === null ? {} : { recovery: String(row['recovery_id']) }),
  ...(row['staff_id'] === null ? {} : { staff: String(row['staff_id']) }),
});

/** What a code belongs to, so that its owner can be locked before it. */
export const ownerOf = async (ctx: Context, id: string): Promise<LetterCode | undefined> => {
  const [row] = await ctx.db('letter_codes').where({ id }).select(COLUMNS);
  return row && toCode(row);
};

/** Spends a code: exactly one of any number of parallel calls succeeds. Within the transaction that uses it. */
export const spend = async (ctx: Context, id: string): Promise<LetterCode | undefined> => {
  const now = ctx.now();
  const [row] = await ctx
    .db('letter_codes')
    .where({ id })
    .whereNull('used_at')
    .whereNull('replaced_at')
    .where('valid_from', '<=', now)
    .where('expires_at', '>', now)
    .update({ used_at: now })
    .returning(COLUMNS);
  return row && toCode(row);
};
