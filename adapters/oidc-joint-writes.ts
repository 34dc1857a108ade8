import type { Pool } from 'pg';
import type { Batch, Insert } from './oidc-request-scope.ts';
import { type BatchResult, NOT_WAITING_FOR_DISK } from './oidc-store-sql.ts';
import { perTurn } from './per-turn.ts';
import { run } from './prepared.ts';

type Table = 'oidc_lasting' | 'oidc_fleeting';

/** What several requests may do in one statement: the same steps, each with its own session, grant and artifacts. */
type Shape = { readonly guard: boolean; readonly spent: Table | undefined; readonly into: Table };

/** A batch of one shape; what it spends and what it hangs on are there. */
type Joinable = Batch & { readonly grant: Buffer };

const nameOf = ({ guard, spent, into }: Shape): string =>
  `oidc_joint_${guard ? 'guarded_' : ''}${spent ?? 'new'}_${into}`;

/** The shape of what may go out together with others; undefined for what goes out alone. */
const shapeOf = ({ consume, grant, guard, session, inserts }: Batch): Shape | undefined => {
  const into = inserts[0]?.table;
  if (session !== undefined || grant === undefined || into === undefined) return undefined;
  if (consume?.table === 'oidc_spent') return undefined;
  const plain = inserts.every(({ table, base, userCode }) => table === into && base === null && userCode === null);
  return plain ? { guard: guard !== undefined, spent: consume?.table, into } : undefined;
};

/** Locks the row of a table for the row before it, unless another transaction holds it. A LATERAL with a lock is never a join. */
const lockedOne = (table: string, condition: string, lock: 'KEY SHARE' | 'UPDATE'): string =>
  `LATERAL (SELECT FROM ${table} WHERE ${condition} FOR ${lock} SKIP LOCKED)`;

/**
 * One statement for many batches. It waits for nobody: sessions, grants and artifacts that another transaction holds are
 * skipped, so that two such statements, or one and a revocation, never wait for each other. Whoever was skipped, or finds
 * something spent or gone, is not among the numbers that come back, and is sent once more alone. Of two that spend the
 * same, the first is.
 *
 * $1 time; per batch $2 guards, $3 grants, $4 what is spent; per artifact $5 number of its batch, $6 id, $7 model,
 * $8 grant, $9 session, $10 sealed, $11 end.
 */
const statementOf = ({ guard, spent, into }: Shape): string => `
  WITH asked AS (
    SELECT * FROM unnest($2::bytea[], $3::bytea[], $4::bytea[]) WITH ORDINALITY AS a (guard, grant_id, spent, n)
  ), held AS (
    SELECT n, spent FROM asked a
      ${guard ? `, ${lockedOne('oidc_sessions', 'uid = a.guard AND expires_at > $1', 'KEY SHARE')} s` : ''}
      , ${lockedOne('oidc_grants', 'id = a.grant_id AND expires_at > $1', 'KEY SHARE')} g
      ${spent === undefined ? '' : `, ${lockedOne(spent, 'id = a.spent AND consumed_at IS NULL AND expires_at > $1', 'UPDATE')} u`}
  ),${
    spent === undefined
      ? ' done AS (SELECT n FROM held'
      : ` marked AS (
    UPDATE ${spent} SET consumed_at = $1 WHERE id = ANY (ARRAY(SELECT spent FROM held)) AND consumed_at IS NULL RETURNING id
  ), done AS (SELECT min(h.n) AS n FROM held h JOIN marked m ON m.id = h.spent GROUP BY h.spent`
  }
  ), stored AS (
    INSERT INTO ${into} (id, model, grant_id, session_uid, sealed, expires_at)
      SELECT i.id, i.model, i.grant_id, i.session_uid, i.sealed, i.expires_at
      FROM unnest($5::int[], $6::bytea[], $7::text[], $8::bytea[], $9::bytea[], $10::bytea[], $11::timestamptz[])
        AS i (n, id, model, grant_id, session_uid, sealed, expires_at)
      JOIN done ON done.n = i.n
  )
  SELECT n::int AS n${into === 'oidc_fleeting' && spent !== 'oidc_lasting' ? `, ${NOT_WAITING_FOR_DISK}` : ''} FROM done`;

/** Integrity of a row, and transactions that were in one another's way. */
const CONCERNS_ONE = /^(?:23|40)/;

/** All took place: what `batchStatement` would have counted. */
const whole = ({ guard, consume, inserts }: Batch): BatchResult => ({
  grant: 1,
  ...(guard !== undefined && { session: 1 }),
  ...(consume !== undefined && { consumed: 1 }),
  inserted: inserts.length,
});

/**
 * Sends batches of several requests together: under load a commit, with all that it costs, serves several of them. A
 * batch that is alone in its turn goes out by `alone`, and so does each that was not done with the others.
 */
export const createJointWrites = (
  { pool, now }: { pool: Pool; now: () => Date },
  alone: (batch: Batch) => Promise<BatchResult>,
): ((batch: Batch) => Promise<BatchResult>) => {
  const send = async (shape: Shape, batches: readonly Joinable[]): Promise<ReadonlySet<number>> => {
    const inserts = batches.flatMap((batch, index) =>
      batch.inserts.map((insert): [number, Insert] => [index + 1, insert]),
    );
    const column = <V>(of: (insert: Insert) => V): V[] => inserts.map(([, insert]) => of(insert));
    const rows = await run<{ n: number }>(pool, nameOf(shape), statementOf(shape), [
      now(),
      batches.map(({ guard }) => guard ?? null),
      batches.map(({ grant }) => grant),
      batches.map(({ consume }) => consume?.id ?? null),
      inserts.map(([number]) => number),
      column(({ id }) => id),
      column(({ model }) => model),
      column(({ grantId }) => grantId),
      column(({ sessionUid }) => sessionUid),
      column(({ sealed }) => sealed),
      column(({ expiresAt }) => expiresAt),
    ]);
    return new Set(rows.map(({ n }) => n));
  };

  const ofShape = (shape: Shape) =>
    perTurn(async (batches: readonly Joinable[]): Promise<(BatchResult | undefined)[]> => {
      const [only, ...others] = batches;
      if (only !== undefined && others.length === 0) return [await alone(only)];
      const done = await send(shape, batches).catch((error: unknown) => {
        // What one of them violates is not the others' fault: each is sent alone, and told its own error.
        if (CONCERNS_ONE.test(String((error as { code?: unknown }).code))) return new Set<number>();
        throw error;
      });
      return batches.map((batch, index) => (done.has(index + 1) ? whole(batch) : undefined));
    });

  const turns = new Map<string, ReturnType<typeof ofShape>>();
  return async (batch) => {
    const shape = shapeOf(batch);
    if (shape === undefined) return alone(batch);
    const name = nameOf(shape);
    const turn = turns.get(name) ?? ofShape(shape);
    turns.set(name, turn);
    return (await turn(batch as Joinable)) ?? alone(batch);
  };
};
