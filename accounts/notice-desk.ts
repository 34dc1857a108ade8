import * as audit from './audit.ts';
import { type Context, inTransaction } from './context.ts';

/** What waits to be sent, without what it says or to whom. */
export type Waiting = {
  readonly id: string;
  readonly kind: 'mail' | 'logout';
  readonly createdAt: Date;
  readonly dueAt: Date;
  readonly expiresAt: Date;
  readonly tries: number;
  readonly lastError?: string;
};

const TABLES = { mail: 'notices', logout: 'logout_notices' } as const;

/** What waits, the oldest first. */
export const list = async (ctx: Context, limit: number): Promise<Waiting[]> => {
  const waiting: Waiting[] = [];
  for (const kind of ['mail', 'logout'] as const) {
    const rows = await ctx
      .db(TABLES[kind])
      .orderBy('created_at')
      .limit(limit)
      .select('id', 'created_at', 'due_at', 'expires_at', 'tries', 'last_error');
    for (const row of rows) {
      waiting.push({
        id: row.id,
        kind,
        createdAt: row.created_at,
        dueAt: row.due_at,
        expiresAt: row.expires_at,
        tries: row.tries,
        ...(row.last_error !== null && { lastError: row.last_error }),
      });
    }
  }
  return waiting.sort((one, other) => one.createdAt.getTime() - other.createdAt.getTime()).slice(0, limit);
};

/** Makes everything that has failed before due now; the number of those. */
export const retry = (ctx: Context): Promise<number> =>
  inTransaction(ctx, async (tx) => {
    let count = 0;
    for (const table of Object.values(TABLES)) {
      count += await tx
        .db(table)
        .whereNotNull('last_error')
        .where('due_at', '>', tx.now())
        .update({ due_at: tx.now() });
    }
    if (count > 0) await audit.record(tx, 'notices-retried', { detail: { count } });
    return count;
  });
