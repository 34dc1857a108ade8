import { startOfDay } from './coarse-time.ts';
import type { Context } from './context.ts';

/** An outbox table and the purpose under which its rows are sealed. */
type Outbox = { readonly table: 'notices' | 'logout_notices' | 'security_events'; readonly purpose: string };

const LEASE_SECONDS = 60;
const FIRST_BACK_OFF_SECONDS = 5;
const LONGEST_BACK_OFF_SECONDS = 3600;
/** Codes only: a mail server's own words quote the recipient's address. */
const CODE = /^[A-Za-z0-9_ -]{1,40}$/;

/** Tries after which the back-off grows no more. */
const GROWING_TRIES = Math.ceil(Math.log2(LONGEST_BACK_OFF_SECONDS / FIRST_BACK_OFF_SECONDS));

/**
 * SQL: seconds for which the row of an outbox that waits longest has been waiting, 0 if there is none. A row is dated by the
 * day, so that its wait follows from its tries (the pauses between them) and the time of the next.
 */
export const longestWait = (now: string): string => {
  const growing = `${FIRST_BACK_OFF_SECONDS} * (2 ^ least(tries, ${GROWING_TRIES}) - 1)`;
  const hourly = `${LONGEST_BACK_OFF_SECONDS} * greatest(tries - ${GROWING_TRIES}, 0)`;
  return `greatest(coalesce(max(${growing} + ${hourly} + extract(epoch FROM ${now} - due_at)), 0), 0)::float8`;
};

const later = (ctx: Context, seconds: number): Date => new Date(ctx.now().getTime() + seconds * 1000);

/** Adds a row; `content` is sealed for this row alone. */
export const insert = async (
  ctx: Context,
  { table, purpose }: Outbox,
  row: { id: string; dueAt?: Date; expiresAt: Date; content: Record<string, string> },
): Promise<void> => {
  await ctx.db(table).insert({
    id: row.id,
    sealed: ctx.keys.sealShared(purpose, row.id, JSON.stringify(row.content)),
    // Rows of one use case would have the minute in common.
    created_at: startOfDay(ctx.now()),
    due_at: row.dueAt ?? ctx.now(),
    expires_at: row.expiresAt,
  });
};

/** Leases the rows that are due, the longest waiting first, and removes those whose time is over. */
export const takeDue = async <Content>(
  ctx: Context,
  { table, purpose }: Outbox,
  limit: number,
): Promise<{ id: string; content: Content }[]> => {
  await ctx.db(table).where('expires_at', '<=', ctx.now()).delete();
  const due = ctx
    .db(table)
    .where('due_at', '<=', ctx.now())
    .orderBy('due_at')
    .limit(limit)
    .forUpdate()
    .skipLocked()
    .select('id');
  const rows = await ctx
    .db(table)
    // An array is computed once; `IN` may be planned as a join that runs the sub-select, with its limit, again and again.
    .whereRaw('id = ANY(ARRAY(?))', [due])
    .update({ due_at: later(ctx, LEASE_SECONDS), tries: ctx.db.raw('tries + 1') })
    .returning(['id', 'sealed']);
  const opened: { id: string; content: Content }[] = [];
  for (const { id, sealed } of rows) {
    try {
      opened.push({ id, content: JSON.parse(ctx.keys.openShared(purpose, id, sealed)) });
    } catch {
      // One row that does not open (a key that is missing from the ring) must not hold up all the others.
      await failed(ctx, { table, purpose }, id, 'UNREADABLE');
    }
  }
  return opened;
};

/** Removes a delivered row. */
export const done = async (ctx: Context, { table }: Outbox, id: string): Promise<void> => {
  await ctx.db(table).where({ id }).delete();
};

/** Puts a row off: 5 s, 10 s, 20 s … 1 h. */
export const failed = async (ctx: Context, { table }: Outbox, id: string, code: string): Promise<void> => {
  await ctx
    .db(table)
    .where({ id })
    .update({
      due_at: ctx.db.raw(
        `?::timestamptz + least(?::integer * 2 ^ least(tries - 1, 20), ?::integer) * interval '1 second'`,
        [ctx.now(), FIRST_BACK_OFF_SECONDS, LONGEST_BACK_OFF_SECONDS],
      ),
      last_error: CODE.test(code) ? code : 'OTHER',
    });
};
