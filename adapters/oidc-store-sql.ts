import type { Batch, Insert, SessionWrite } from './oidc-request-scope.ts';
import type { AccountPart, AccountReader } from './oidc-store.ts';
import type { Value } from './prepared.ts';

/** For so long after its end a spent artifact is recognised: its replay must end what it gave (RFC 6749 §4.1.2). */
const REPLAY_KNOWN = `interval '10 minutes'`;

/**
 * The one row of a table under a key, for the row before it. A plain join leaves it to the planner's guess of sizes to
 * read a whole table for one row, and the guess is kept for as long as the statement is prepared; a LIMIT keeps it out.
 */
const oneOf = (table: string, alias: string, condition: string): string =>
  `LATERAL (SELECT * FROM ${table} ${alias} WHERE ${condition} LIMIT 1) ${alias}`;

/** The reading statements: each brings along what oidc-provider is going to ask for next. `$1` is the time. */
export const readingStatements = (reader: AccountReader | undefined, part: AccountPart) => {
  const account = (column: string): string =>
    reader === undefined ? '' : `, (${reader(column, part)})::text AS account`;
  const grantAndSession = (of: string): string => `
    LEFT JOIN ${oneOf('oidc_grants', 'g', `g.id = ${of}.grant_id AND g.expires_at > $1`)} ON true
    LEFT JOIN ${oneOf('oidc_sessions', 's', `s.uid = ${of}.session_uid AND s.expires_at > $1`)} ON true`;
  const artifact = (table: string, source: string, condition: string): string => `
    SELECT t.id AS key, t.model, t.sealed, t.grant_id, t.session_uid, t.version, t.consumed_at, t.expires_at,
      g.sealed AS grant_sealed, g.family, g.account_id,
      s.sealed AS session_sealed, s.version AS session_version, s.saved_at AS session_saved_at
      ${account('g.account_id')}
    FROM ${source}, ${oneOf(table, 't', condition)}
    ${grantAndSession('t')}
    WHERE t.expires_at > $1 OR t.consumed_at IS NOT NULL AND t.expires_at > $1 - ${REPLAY_KNOWN}`;
  const wanted = 'unnest($2::bytea[]) AS w (id)';
  const session = (source: string): string => `
    SELECT w.id AS key, s.uid, s.sealed, s.version, s.saved_at, s.account_id,
      ARRAY(SELECT g.id || int4send(g.family) || g.sealed
        FROM unnest(s.grants) AS u (id), ${oneOf('oidc_grants', 'g', 'g.id = u.id AND g.expires_at > $1')}) AS grants
      ${account('s.account_id')}
    FROM ${wanted}, ${source} WHERE s.expires_at > $1`;
  // What shelved artifacts (ids in $2) hang on: their grants ($3) and sessions ($4), and whether they were spent.
  const context = `
    SELECT w.id AS key, p.at AS consumed_at, g.sealed AS grant_sealed, g.family, g.account_id,
      s.sealed AS session_sealed, s.version AS session_version, s.saved_at AS session_saved_at
      ${account('g.account_id')}
    FROM unnest($2::bytea[], $3::bytea[], $4::bytea[]) AS w (id, grant_id, session_uid)
    LEFT JOIN ${oneOf('oidc_spent', 'p', 'p.id = w.id')} ON true
    ${grantAndSession('w')}`;
  return {
    context,
    oidc_lasting: artifact('oidc_lasting', wanted, 't.id = w.id'),
    oidc_fleeting: artifact('oidc_fleeting', wanted, 't.id = w.id'),
    // A sign-in under way hangs on nothing that would be asked for by way of it.
    interaction: `SELECT t.id AS key, t.model, t.sealed, t.grant_id, t.session_uid, t.version, t.consumed_at, t.expires_at
      FROM ${wanted}, ${oneOf('oidc_fleeting', 't', 't.id = w.id AND t.expires_at > $1')}`,
    byUserCode: artifact('oidc_fleeting', '(VALUES ($2::bytea)) AS w (code)', 't.user_code = w.code'),
    sessionById: session(
      `${oneOf('oidc_session_ids', 'i', 'i.id = w.id')}, ${oneOf('oidc_sessions', 's', 's.uid = i.uid')}`,
    ),
    sessionByUid: session(oneOf('oidc_sessions', 's', 's.uid = w.id')),
    grant: `SELECT g.id AS key, g.sealed, g.family, g.account_id ${account('g.account_id')}
      FROM ${wanted}, ${oneOf('oidc_grants', 'g', 'g.id = w.id AND g.expires_at > $1')}`,
  };
};

/** Artifacts of `oidc_lasting` that hang on nothing (client credentials), many at once. */
export const ADD_FREE = `
  INSERT INTO oidc_lasting AS t (id, model, sealed, expires_at)
    SELECT * FROM unnest($1::bytea[], $2::text[], $3::bytea[], $4::timestamptz[])
  ON CONFLICT (id) DO UPDATE SET grant_id = NULL, session_uid = NULL, sealed = excluded.sealed,
    expires_at = excluded.expires_at, version = t.version + 1 WHERE t.consumed_at IS NULL
  RETURNING id`;

/**
 * For a statement that stores nothing but what a crash takes away anyhow (unlogged tables): nobody need wait until the
 * disk has the locks that it took. It holds for the statement's own transaction.
 */
export const NOT_WAITING_FOR_DISK = `set_config('synchronous_commit', 'off', true) AS unwaited`;

/** How much of a batch took place; undefined for what it did not contain. */
export type BatchResult = { session?: number; grant?: number; consumed?: number; inserted?: number };

type Parts = { ctes: string[]; param: (value: Value, type?: string) => string };

const writeSession = (write: SessionWrite, { ctes, param }: Parts): void => {
  const uid = param(write.uid, 'bytea');
  const account = param(write.accountId, 'uuid');
  const grants = param(write.grants, 'bytea[]');
  const sealed = param(write.sealed, 'bytea');
  const expires = param(write.expiresAt, 'timestamptz');
  ctes.push(
    write.version === undefined
      ? `session AS (INSERT INTO oidc_sessions (uid, account_id, grants, sealed, saved_at, expires_at)
          VALUES (${uid}, ${account}, ${grants}, ${sealed}, $1, ${expires}) ON CONFLICT (uid) DO NOTHING RETURNING uid)`
      : `session AS (UPDATE oidc_sessions SET account_id = ${account}, grants = ${grants}, sealed = ${sealed},
          version = version + 1, saved_at = $1, expires_at = ${expires}
          WHERE uid = ${uid} AND version = ${param(write.version, 'int')} RETURNING uid)`,
  );
  if (write.unbind !== undefined) {
    ctes.push(`unbound AS (DELETE FROM oidc_session_ids
      WHERE id = ${param(write.unbind, 'bytea')} AND EXISTS (SELECT FROM session))`);
  }
  if (write.bind !== undefined) {
    ctes.push(`bound AS (INSERT INTO oidc_session_ids (id, uid)
      SELECT ${param(write.bind, 'bytea')}, uid FROM session ON CONFLICT (id) DO NOTHING)`);
  }
};

const writeArtifacts = (inserts: readonly Insert[], held: readonly string[], { ctes, param }: Parts): string[] => {
  const names: string[] = [];
  for (const table of ['oidc_lasting', 'oidc_fleeting'] as const) {
    const rows = inserts.filter((insert) => insert.table === table);
    if (rows.length === 0) continue;
    const fleeting = table === 'oidc_fleeting';
    const tuples = rows.map((row) =>
      [
        param(row.id, 'bytea'),
        param(row.model, 'text'),
        param(row.grantId, 'bytea'),
        param(row.sessionUid, 'bytea'),
        param(row.sealed, 'bytea'),
        param(row.expiresAt, 'timestamptz'),
        ...(fleeting ? [param(row.userCode, 'bytea'), param(row.base, 'int')] : []),
      ].join(', '),
    );
    const columns = `id, model, grant_id, session_uid, sealed, expires_at${fleeting ? ', user_code' : ''}`;
    // A change of what this request had read is refused if another changed it first; only device codes ask for it.
    const base = fleeting && rows.length === 1 ? rows[0]?.base : null;
    const unchanged = base === null || base === undefined ? '' : `AND ${table}.version = ${param(base, 'int')}`;
    const name = `inserted_${table}`;
    ctes.push(`${name} AS (INSERT INTO ${table} (${columns})
      SELECT ${columns} FROM (VALUES (${tuples.join('), (')}))
        AS v (${columns}${fleeting ? ', base' : ''}) ${held.length > 0 ? `WHERE ${held.join(' AND ')}` : ''}
      ON CONFLICT (id) DO UPDATE SET grant_id = excluded.grant_id, session_uid = excluded.session_uid,
        sealed = excluded.sealed, expires_at = excluded.expires_at, version = ${table}.version + 1
        WHERE ${table}.consumed_at IS NULL ${unchanged} RETURNING 1)`);
    names.push(name);
  }
  return names;
};

/**
 * One statement for a whole batch. Each step takes place only if the steps before did, in the lock order: the session
 * is saved or still there, the grant is there (and stays so: it is locked), the artifact is spent now and by nobody
 * else, the new ones are stored. The `EXISTS` of a step is evaluated before its own row is touched, which makes the order.
 */
export const batchStatement = (batch: Batch, now: Date): { text: string; values: Value[] } => {
  const timed = batch.session ?? batch.guard ?? batch.grant ?? batch.consume;
  const values: Value[] = timed === undefined ? [] : [now];
  const param = (value: Value, type?: string): string => {
    values.push(value);
    return type === undefined ? `$${values.length}` : `$${values.length}::${type}`;
  };
  const parts: Parts = { ctes: [], param };
  const held: string[] = [];
  const counts: string[] = [];
  const step = (name: string): void => {
    held.push(`EXISTS (SELECT FROM ${name})`);
    counts.push(`(SELECT count(*)::int FROM ${name}) AS ${name}`);
  };
  const andHeld = (): string => held.map((condition) => ` AND ${condition}`).join('');

  if (batch.session !== undefined) writeSession(batch.session, parts);
  else if (batch.guard !== undefined) {
    parts.ctes.push(`session AS (SELECT uid FROM oidc_sessions
      WHERE uid = ${param(batch.guard, 'bytea')} AND expires_at > $1 FOR KEY SHARE)`);
  }
  if (parts.ctes.length > 0) step('session');
  if (batch.grant !== undefined) {
    parts.ctes.push(`"grant" AS (SELECT id FROM oidc_grants
      WHERE id = ${param(batch.grant, 'bytea')} AND expires_at > $1${andHeld()} FOR KEY SHARE)`);
    held.push('EXISTS (SELECT FROM "grant")');
    counts.push('(SELECT count(*)::int FROM "grant") AS "grant"');
  }
  if (batch.consume !== undefined) {
    const { table, expiresAt } = batch.consume;
    if (table === 'oidc_spent') {
      parts.ctes.push(`consumed AS (INSERT INTO oidc_spent (id, at, expires_at)
        SELECT ${param(batch.consume.id, 'bytea')}, $1, ${param(expiresAt, 'timestamptz')}
        ${held.length > 0 ? `WHERE ${held.join(' AND ')}` : ''} ON CONFLICT (id) DO NOTHING RETURNING 1)`);
    } else {
      parts.ctes.push(`consumed AS (UPDATE ${table} SET consumed_at = $1
      WHERE id = ${param(batch.consume.id, 'bytea')} AND consumed_at IS NULL AND expires_at > $1${andHeld()} RETURNING 1)`);
    }
    step('consumed');
  }
  const inserted = writeArtifacts(batch.inserts, held, parts);
  if (inserted.length > 0) {
    counts.push(`(${inserted.map((name) => `(SELECT count(*) FROM ${name})`).join(' + ')})::int AS inserted`);
  }
  const { consume, session, inserts } = batch;
  const kept = session !== undefined || (consume !== undefined && consume.table !== 'oidc_fleeting');
  if (!kept && inserts.every(({ table }) => table === 'oidc_fleeting')) counts.push(NOT_WAITING_FOR_DISK);
  const text = `WITH ${parts.ctes.join(',\n')} SELECT ${counts.join(', ')}`;
  return { text, values };
};
