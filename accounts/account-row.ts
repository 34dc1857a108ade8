import type { Context } from './context.ts';
import { type AccountSeal, accountSeal } from './data-key.ts';
import type { AccountId } from './ids.ts';
import { prepared } from './statement.ts';
import type { Proofs } from './verified-claims.ts';

/** What a request of a service needs to know of an account, read in one go; still sealed, bytes as base64. */
export type AccountRow = {
  readonly status: 'active' | 'locked' | 'closed';
  readonly kind: 'citizen' | 'staff';
  readonly language: string;
  readonly data_key: string | null;
  readonly data_key_version: number;
  readonly email: string | null;
  /** The month of the last use, as its first day. */
  readonly used_month: string;
  /** By name. */
  readonly attributes: Readonly<Record<string, string>> | null;
  /** Level and day of proof of the attributes that were proofed, by name. */
  readonly proofs: Proofs | null;
  /** Recovered on paper and not proofed since: nothing proofed before speaks for who is here now. */
  readonly reduced: boolean;
  /** By reference. */
  readonly consents: Readonly<Record<string, string>> | null;
};

/** SQL of the one thing that most requests need to know: a sub-select as `accountRowSql`. */
const accountStatusSql = (column: string): string =>
  `SELECT json_build_object('status', a.status, 'kind', a.kind) FROM accounts a WHERE a.id = ${column}`;

/**
 * SQL of an account's row for the account whose id is in `column`: a sub-select, to be read along with something else;
 * of its part `status` where claims are not asked for.
 */
export const accountRowSql = (column: string, part: 'whole' | 'status' = 'whole'): string =>
  part === 'status' ? accountStatusSql(column) : wholeRowSql(column);

const wholeRowSql = (column: string): string => `
  SELECT json_build_object(
    'status', a.status, 'kind', a.kind, 'language', a.language,
    'data_key', encode(a.data_key, 'base64'), 'data_key_version', a.data_key_version,
    'email', encode(a.email_sealed, 'base64'), 'used_month', a.used_month,
    'attributes', t.sealed, 'proofs', t.proofs, 'reduced', a.reduced_at IS NOT NULL,
    'consents', (SELECT json_object_agg(encode(c.reference, 'base64'), encode(c.sealed, 'base64'))
      FROM consents c WHERE c.account_id = a.id))
  FROM accounts a, LATERAL (
    SELECT json_object_agg(t.name, encode(t.sealed, 'base64')) AS sealed,
      json_object_agg(t.name, json_build_object('level', t.level, 'on', t.recorded_at::date))
        FILTER (WHERE t.level IS NOT NULL) AS proofs
    FROM attributes t WHERE t.account_id = a.id) t
  WHERE a.id = ${column}`;

/** The part of an account's row that says whether, and by whom, it may be used. */
export type AccountStatus = Pick<AccountRow, 'status' | 'kind'>;

const rowOf = prepared<{ row: AccountRow | null }>('account_row', `SELECT (${accountRowSql('$1')}) AS row`);

/** The row by itself; null for an account that does not exist. */
export const readAccountRow = async (ctx: Context, id: AccountId): Promise<AccountRow | null> => {
  const [found] = await rowOf(ctx, id);
  return found?.row ?? null;
};

/** Rows are never changed in place: what was opened of one holds for as long as the row is there. */
const seals = new WeakMap<AccountRow, AccountSeal>();
const texts = new WeakMap<AccountRow, Map<string, string>>();

/** The seal of the account in a row; undefined if its data key has been destroyed. */
export const rowSeal = (ctx: Context, id: AccountId, row: AccountRow): AccountSeal | undefined => {
  if (row.data_key === null) return undefined;
  const known = seals.get(row);
  if (known !== undefined) return known;
  const dataKey = ctx.keys.openDataKey(id, Buffer.from(row.data_key, 'base64'), row.data_key_version);
  const seal = accountSeal(ctx.keys, id, dataKey);
  seals.set(row, seal);
  return seal;
};

/** Opens one of a row's columns, as base64 in the row; undefined if the account's data key has been destroyed. */
export const openInRow = (
  ctx: Context,
  id: AccountId,
  row: AccountRow,
  column: string,
  sealed: string,
): string | undefined => {
  const opened = texts.get(row) ?? new Map<string, string>();
  texts.set(row, opened);
  const known = opened.get(column);
  if (known !== undefined) return known;
  const plain = rowSeal(ctx, id, row)?.open(column, Buffer.from(sealed, 'base64'));
  if (plain !== undefined) opened.set(column, plain);
  return plain;
};
