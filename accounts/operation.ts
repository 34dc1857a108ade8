import type { Context } from './context.ts';
import { longestWait } from './outbox.ts';

/** What tells whether this process may serve. */
export type Standing = {
  /** The database's clock. */
  readonly databaseTime: Date;
  /** Writes are refused: the connection leads to a standby. */
  readonly readOnly: boolean;
  readonly migrations: readonly string[];
  /** Age of the newest signing key that is not revoked; undefined if there is none. */
  readonly newestSigningKeySeconds: number | undefined;
  /** How long the row that waits longest has been waiting. */
  readonly noticeSeconds: number;
  readonly logoutNoticeSeconds: number;
};

type StandingRow = {
  at: Date;
  read_only: boolean;
  migrations: string[] | null;
  key_age: number | null;
  notice_age: number;
  logout_age: number;
};

/** Each has one `?` for the time. */
const KEY_AGE =
  '(SELECT extract(epoch FROM ?::timestamptz - max(created_at))::float8 FROM signing_keys WHERE revoked_at IS NULL) AS key_age';
const WAIT = `${longestWait('?::timestamptz')} AS age`;

/** Asks the database, in one round trip, whether it can be worked with, and what waits. */
export const standing = async (ctx: Context): Promise<Standing> => {
  const now = ctx.now();
  const { rows } = await ctx.db.raw<{ rows: StandingRow[] }>(
    `SELECT clock_timestamp() AS at, pg_is_in_recovery() AS read_only,
            (SELECT array_agg(name) FROM migrations) AS migrations, ${KEY_AGE},
            n.age AS notice_age, l.age AS logout_age
       FROM (SELECT ${WAIT} FROM notices) n, (SELECT ${WAIT} FROM logout_notices) l`,
    [now, now, now],
  );
  const [row] = rows;
  if (row === undefined) throw new Error('the database gave no answer');
  return {
    databaseTime: row.at,
    readOnly: row.read_only,
    migrations: row.migrations ?? [],
    newestSigningKeySeconds: row.key_age ?? undefined,
    noticeSeconds: row.notice_age,
    logoutNoticeSeconds: row.logout_age,
  };
};

/** Rows that wait in an outbox. */
export type Waiting = { readonly rows: number; readonly oldestSeconds: number };

/** How the whole installation does; the same from every node. */
export type Measures = {
  readonly notices: Waiting;
  readonly logoutNotices: Waiting;
  /** Age of the newest signing key that is not revoked; undefined if there is none. */
  readonly newestSigningKeySeconds: number | undefined;
  readonly databaseBytes: number;
};

type MeasureRow = {
  notices: string;
  notice_age: number;
  logouts: string;
  logout_age: number;
  key_age: number | null;
  bytes: string;
};

/** Measures for monitoring; nothing about any one citizen or service. */
export const measure = async (ctx: Context): Promise<Measures> => {
  const now = ctx.now();
  const { rows } = await ctx.db.raw<{ rows: MeasureRow[] }>(
    `SELECT n.rows AS notices, n.age AS notice_age, l.rows AS logouts, l.age AS logout_age, ${KEY_AGE},
            pg_database_size(current_database()) AS bytes
       FROM (SELECT count(*) AS rows, ${WAIT} FROM notices) n,
            (SELECT count(*) AS rows, ${WAIT} FROM logout_notices) l`,
    [now, now, now],
  );
  const [row] = rows;
  if (row === undefined) throw new Error('the database gave no answer');
  return {
    notices: { rows: Number(row.notices), oldestSeconds: row.notice_age },
    logoutNotices: { rows: Number(row.logouts), oldestSeconds: row.logout_age },
    newestSigningKeySeconds: row.key_age ?? undefined,
    databaseBytes: Number(row.bytes),
  };
};

/** How often an event was recorded, without whom it was about. */
export type EventCount = {
  readonly event: string;
  readonly method: string;
  readonly reason: string;
  readonly count: number;
};

/** Rows younger than this may still be joined by others with a lower number, whose transaction ends later. */
const SETTLED_SECONDS = 5;
const EVENTS_PER_READING = 50_000;
/** Details are written by many hands: only short words become labels. */
const LABEL = '^[a-z0-9-]{1,40}$';

/** The number of the newest audit row. */
export const newestEvent = async (ctx: Context): Promise<string> => {
  const [row] = await ctx.db('audit').max({ seq: 'seq' });
  return String(row?.['seq'] ?? 0);
};

/**
 * Counts the audit rows after one that was read before, by event, method and reason.
 * @param after number of the last row that was counted (`newestEvent` to begin with)
 * @returns the counts and the number to go on from
 */
export const countEvents = async (ctx: Context, after: string): Promise<{ counts: EventCount[]; last: string }> => {
  const settled = new Date(ctx.now().getTime() - SETTLED_SECONDS * 1000);
  const { rows } = await ctx.db.raw<{
    rows: { event: string; method: string; reason: string; count: string; last: string }[];
  }>(
    `WITH fresh AS (
       SELECT seq, event, detail FROM audit WHERE seq > ? AND at < ? ORDER BY seq LIMIT ${EVENTS_PER_READING}
     )
     SELECT event, substring(detail->>'method' FROM ?) AS method, substring(detail->>'reason' FROM ?) AS reason,
            count(*) AS count, max(seq) AS last
       FROM fresh GROUP BY 1, 2, 3`,
    [after, settled, LABEL, LABEL],
  );
  const last = rows.reduce((newest, row) => (BigInt(row.last) > newest ? BigInt(row.last) : newest), BigInt(after));
  return {
    counts: rows.map(({ event, method, reason, count }) => ({
      event,
      method: method ?? '',
      reason: reason ?? '',
      count: Number(count),
    })),
    last: String(last),
  };
};

/** Whether the role that this service works with could change what is recorded: as owner, superuser or by a right. */
export const mayChangeAudit = async (ctx: Context): Promise<boolean> => {
  const { rows } = await ctx.db.raw(
    `SELECT bool_or(pg_has_role(c.relowner, 'USAGE') OR has_table_privilege(c.oid, 'UPDATE, DELETE, TRUNCATE')) AS may
     FROM pg_class c WHERE c.oid IN ('audit'::regclass, 'audit_chain'::regclass)`,
  );
  return rows[0].may;
};
