import type { Context } from './context.ts';

/** Rows that mean nothing once their time is over, with the column that says so. */
const EXPIRING = [
  { table: 'email_codes', column: 'expires_at' },
  { table: 'attempts', column: 'window_ends_at' },
  { table: 'notices', column: 'expires_at' },
  { table: 'logout_notices', column: 'expires_at' },
] as const;

/**
 * Removes what is over; to be called every few minutes by any process.
 * @returns the number of rows removed
 */
export const purgeExpired = async (ctx: Context): Promise<number> => {
  let removed = 0;
  for (const { table, column } of EXPIRING) removed += await ctx.db(table).where(column, '<=', ctx.now()).delete();
  return removed;
};
