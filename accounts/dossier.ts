import { type AccountRow, accountRowSql } from './account-row.ts';
import { ACCOUNT_COLUMNS, type Account, openAccount, type StoredAccount } from './accounts.ts';
import type { Enrolled } from './assurance.ts';
import type { Context } from './context.ts';
import { type EnrolledRow, enrolledBefore, enrolledIn, enrolledSql } from './factors.ts';
import type { AccountId } from './ids.ts';
import { prepared } from './statement.ts';

/** All that a page of a sign-in needs to know of an account. */
export type Dossier = {
  readonly account: Account;
  readonly has: Enrolled;
  /** What claims are made from; null unless it was asked for. */
  readonly row: AccountRow | null;
};

const dossierOf = prepared<StoredAccount & { has: EnrolledRow; row: AccountRow | null }>(
  'dossier',
  `SELECT ${ACCOUNT_COLUMNS}, ${enrolledSql('$2')} AS has,
     CASE WHEN $3::boolean THEN (${accountRowSql('$1')}) END AS row
   FROM accounts a WHERE a.id = $1`,
);

/** Reads an account with its factors, and with what claims are made from if `claims`; undefined as `accounts.load`. */
export const open = async (ctx: Context, id: AccountId, claims: boolean): Promise<Dossier | undefined> => {
  const [found] = await dossierOf(ctx, id, enrolledBefore(ctx), claims);
  const account = openAccount(ctx, id, found);
  return account && { account, has: enrolledIn(found?.has), row: found?.row ?? null };
};
