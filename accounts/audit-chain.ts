import { createHash } from 'node:crypto';
import { AUDIT_DAYS } from './audit.ts';
import { type Context, inTransaction } from './context.ts';

/** The end of the chain: how many links it has, and the hash of the last. */
export type Head = { readonly position: number; readonly hash: Buffer };

/** What a checkpoint says, signed and kept outside of the database. `hash` and `signature` are base64url. */
export type Checkpoint = {
  readonly at: string;
  readonly position: number;
  readonly hash: string;
  readonly key: number;
  readonly signature: string;
};

export type AuditFault = {
  readonly kind: 'altered' | 'missing' | 'reordered' | 'inserted' | 'truncated' | 'unchained' | 'checkpoint';
  readonly position?: number;
  readonly seq?: number;
};

export type Verification = {
  readonly links: number;
  readonly checkpoints: number;
  /** The last link that a checkpoint vouches for. */
  readonly upTo: number;
  readonly faults: readonly AuditFault[];
};

/** An audit row as it is hashed: every column as Postgres writes it. */
type AuditRow = { seq: string; at: string; event: string; actor: string; account_id: string | null; detail: string };
type Link = { position: string; seq: string; at: string; row_hash: Buffer; hash: Buffer };

const GENESIS: Head = { position: 0, hash: Buffer.alloc(32) };
const BATCH = 1000;
/** Rows wait this long at most before the sequencer has taken them; an older one has been kept from it. */
const PENDING_SECONDS = 300;
const MAX_FAULTS = 1000;
const DAY_MS = 24 * 3600 * 1000;

/** Microseconds, as JavaScript's dates would round what a forger changes. */
const AT = (column: string): string => `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US')`;
const COLUMNS = `a.seq::text, ${AT('a.at')} AS at, a.event, a.actor::text, a.account_id::text, a.detail::text`;

const hashOfRow = (row: AuditRow | undefined): Buffer =>
  createHash('sha256')
    .update(
      row === undefined
        ? 'no such row'
        : JSON.stringify([row.seq, row.at, row.event, row.actor, row.account_id, row.detail]),
    )
    .digest();

const hashOfLink = (before: Buffer, link: { position: number; seq: string; at: string; rowHash: Buffer }): Buffer =>
  createHash('sha256')
    .update(before)
    .update(JSON.stringify([link.position, link.seq, link.at, link.rowHash.toString('hex')]))
    .digest();

const headOf = async (ctx: Context): Promise<Head> => {
  const [row] = await ctx.db('audit_chain').orderBy('position', 'desc').limit(1).select('position', 'hash');
  return row === undefined ? GENESIS : { position: Number(row.position), hash: row.hash };
};

const chainBatch = (ctx: Context): Promise<{ head: Head; more: boolean }> =>
  inTransaction(ctx, async (tx) => {
    // One sequencer at a time, on whatever node.
    await tx.db.raw("SELECT pg_advisory_xact_lock(hashtext('audit chain'))");
    const { rows: taken } = await tx.db.raw(
      'DELETE FROM audit_pending WHERE seq = ANY(ARRAY(SELECT seq FROM audit_pending ORDER BY seq LIMIT ?)) RETURNING seq::text',
      [BATCH],
    );
    const seqs = taken.map(({ seq }: { seq: string }) => seq).sort((a: string, b: string) => Number(a) - Number(b));
    let head = await headOf(tx);
    if (seqs.length === 0) return { head, more: false };
    const { rows } = await tx.db.raw(`SELECT ${COLUMNS} FROM audit a WHERE a.seq = ANY(?::bigint[])`, [seqs]);
    const bySeq = new Map<string, AuditRow>(rows.map((row: AuditRow) => [row.seq, row]));
    const links = seqs.map((seq: string) => {
      const row = bySeq.get(seq);
      // A row that was deleted before it was chained leaves a link that fits no row: `verify` finds it.
      const at = row?.at ?? tx.now().toISOString().replace('Z', '000');
      const rowHash = hashOfRow(row);
      const position = head.position + 1;
      head = { position, hash: hashOfLink(head.hash, { position, seq, at, rowHash }) };
      return { position, seq, at: `${at}Z`, row_hash: rowHash, hash: head.hash };
    });
    await tx.db('audit_chain').insert(links);
    return { head, more: seqs.length === BATCH };
  });

/** Chains whatever waits, in batches. Any process may call it at any time; the head when nothing was left. */
export const advance = async (ctx: Context): Promise<Head> => {
  for (;;) {
    const { head, more } = await chainBatch(ctx);
    if (!more) return head;
  }
};

const signedText = (at: string, position: number, hash: string): string =>
  JSON.stringify(['stadtschluessel audit checkpoint', at, position, hash]);

/** Signs the head of the chain; the caller writes it to where nobody with the database can change it. */
export const checkpoint = (ctx: Context, head: Head): Checkpoint => {
  const at = ctx.now().toISOString();
  const hash = head.hash.toString('base64url');
  const { version, signature } = ctx.keys.signCheckpoint(signedText(at, head.position, hash));
  return { at, position: head.position, hash, key: version, signature };
};

/** Reads a line of a checkpoint file; undefined if it is none. Whether it is genuine says `verify`. */
export const parseCheckpoint = (line: string): Checkpoint | undefined => {
  try {
    const value = JSON.parse(line) as Partial<Record<keyof Checkpoint, unknown>>;
    const { at, position, hash, key, signature } = value;
    if (typeof at !== 'string' || typeof hash !== 'string' || typeof signature !== 'string') return undefined;
    if (!Number.isSafeInteger(position) || !Number.isSafeInteger(key)) return undefined;
    return { at, position: position as number, hash, key: key as number, signature };
  } catch {
    return undefined;
  }
};

const isGenuine = (ctx: Context, { at, position, hash, key, signature }: Checkpoint): boolean =>
  ctx.keys.checkCheckpoint(key, signedText(at, position, hash), signature);

/** Whether a row may be gone: retention removes what has reached its age, and nothing younger. */
const pastRetention = (ctx: Context, at: string): boolean =>
  new Date(`${at.slice(0, 23)}Z`).getTime() <= ctx.now().getTime() - AUDIT_DAYS * DAY_MS;

/**
 * Checks every link against the one before it and against its row, rows against links, and the chain against the
 * checkpoints. Finds any alteration, deletion, reordering, insertion or truncation up to the last checkpoint, whoever
 * made it: the checkpoints are where the database's superuser cannot reach, and their key is not in the database.
 */
export const verify = (ctx: Context, checkpoints: readonly Checkpoint[]): Promise<Verification> =>
  ctx.db.transaction(
    async (db) => {
      const faults: AuditFault[] = [];
      const fault = (found: AuditFault): void => {
        if (faults.length < MAX_FAULTS) faults.push(found);
      };
      const expected = new Map<number, Set<string>>();
      let upTo = 0;
      for (const one of checkpoints) {
        if (!isGenuine(ctx, one)) {
          fault({ kind: 'checkpoint', position: one.position });
          continue;
        }
        expected.set(one.position, (expected.get(one.position) ?? new Set()).add(one.hash));
        upTo = Math.max(upTo, one.position);
      }

      let head = GENESIS;
      let links = 0;
      for (;;) {
        const { rows } = await db.raw(
          `SELECT c.position::text AS link_position, c.seq::text AS link_seq, ${AT('c.at')} AS link_at, c.row_hash, c.hash, ${COLUMNS}
           FROM audit_chain c LEFT JOIN audit a ON a.seq = c.seq
           WHERE c.position > ? ORDER BY c.position LIMIT ?`,
          [head.position, BATCH],
        );
        for (const row of rows) {
          const link: Link = { ...row, position: row.link_position, seq: row.link_seq, at: row.link_at };
          const position = Number(link.position);
          const seq = Number(link.seq);
          if (position !== head.position + 1) fault({ kind: 'missing', position: head.position + 1 });
          const hash = hashOfLink(head.hash, { position, seq: link.seq, at: link.at, rowHash: link.row_hash });
          if (!hash.equals(link.hash)) fault({ kind: 'reordered', position, seq });
          const audited: AuditRow | undefined = row.event === null ? undefined : row;
          if (audited === undefined) {
            if (!pastRetention(ctx, link.at)) fault({ kind: 'missing', position, seq });
          } else if (!hashOfRow(audited).equals(link.row_hash)) fault({ kind: 'altered', position, seq });
          const vouched = expected.get(position);
          if (vouched !== undefined && [...vouched].some((one) => one !== link.hash.toString('base64url')))
            fault({ kind: 'altered', position, seq });
          head = { position, hash: link.hash };
          links += 1;
        }
        if (rows.length < BATCH) break;
      }
      if (head.position < upTo) fault({ kind: 'truncated', position: head.position + 1 });
      await findUnchained(db, fault);
      return { links, checkpoints: checkpoints.length, upTo, faults };
    },
    { isolationLevel: 'repeatable read', readOnly: true },
  );

const findUnchained = async (db: Context['db'], fault: (found: AuditFault) => void): Promise<void> => {
  const { rows } = await db.raw(
    `SELECT a.seq::text, p.seq IS NOT NULL AS pending FROM audit a
     LEFT JOIN audit_chain c ON c.seq = a.seq LEFT JOIN audit_pending p ON p.seq = a.seq
     WHERE c.seq IS NULL AND (p.seq IS NULL OR p.since < now() - ? * interval '1 second') ORDER BY a.seq LIMIT ?`,
    [PENDING_SECONDS, MAX_FAULTS],
  );
  for (const { seq, pending } of rows) fault({ kind: pending ? 'unchained' : 'inserted', seq: Number(seq) });
};
