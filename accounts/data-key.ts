import type { DataKey, Keys } from '../keys/keys.ts';
import type { Context } from './context.ts';
import type { AccountId } from './ids.ts';

/** Seals and opens the personal columns of one account. */
export type AccountSeal = {
  seal(column: string, plain: string): Buffer;
  /** Throws if the value was tampered with or belongs to another account or column. */
  open(column: string, sealed: Buffer): string;
};

/** Binds sealing to an account whose data key is open. */
export const accountSeal = (keys: Keys, account: AccountId, dataKey: DataKey): AccountSeal => ({
  seal: (column, plain) => keys.seal(dataKey, account, column, plain),
  open: (column, sealed) => keys.open(dataKey, account, column, sealed),
});

/** The seal of a stored account; undefined if there is no such account or its data key has been destroyed. */
export const sealOf = async (ctx: Context, account: AccountId): Promise<AccountSeal | undefined> => {
  const [row] = await ctx.db('accounts').where({ id: account }).select('data_key', 'data_key_version');
  if (!row?.data_key) return undefined;
  return accountSeal(ctx.keys, account, ctx.keys.openDataKey(account, row.data_key, row.data_key_version));
};
