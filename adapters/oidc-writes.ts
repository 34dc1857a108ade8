import { setTimeout } from 'node:timers/promises';
import type { AdapterPayload } from 'oidc-provider';
import type { Pool } from 'pg';
import type { Keys } from '../keys/keys.ts';
import { createJointWrites } from './oidc-joint-writes.ts';
import type { ArtifactTable, Reads } from './oidc-reads.ts';
import {
  type Batch,
  type Insert,
  keyOf,
  type RequestScope,
  type SessionRow,
  type SessionWrite,
} from './oidc-request-scope.ts';
import { grantsOf, mergeSessions, type StoredSession } from './oidc-session-merge.ts';
import type { Shelf } from './oidc-shelf-redis.ts';
import { changedMeanwhile, grantGone, SESSION_SAVE_SECONDS, sessionGone, spent } from './oidc-store.ts';
import { ADD_FREE, type BatchResult, batchStatement } from './oidc-store-sql.ts';
import { perTurn } from './per-turn.ts';
import { run } from './prepared.ts';

/** Each round of saving has a winner, so that the last of so many parallel requests is through after as many rounds. */
export const MERGE_ATTEMPTS = 50;
/** After a few rounds the losers step back for a random moment, and do not all come again at once. */
const EAGER_ATTEMPTS = 3;
const STEP_BACK_MS = 20;
const FOREIGN_KEY_VIOLATION = '23503';
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** A session on its way into the database. */
export type SessionSave = {
  readonly uid: Buffer;
  readonly stored: StoredSession;
  readonly expiresAt: Date;
  /** The version this request had read. */
  readonly base: SessionRow | undefined;
  /** The cookie's new id, and the one given up for it. */
  readonly bind: Buffer | undefined;
  readonly unbind: Buffer | undefined;
};

/** The account of a session or grant, as the column wants it. Throws for what is no account id: that would be a bug. */
export const accountOf = (accountId: string | undefined): string | null => {
  if (accountId === undefined) return null;
  if (!UUID.test(accountId)) throw new TypeError('an account id must be a lower-case UUID');
  return accountId;
};

const isEmpty = ({ batch, endedSession }: RequestScope): boolean =>
  batch.inserts.length === 0 &&
  batch.consume === undefined &&
  batch.grant === undefined &&
  batch.guard === undefined &&
  endedSession === undefined;

/** Sends batches; see `batchStatement` for what one does. */
export const createWrites = (
  { pool, keys, now }: { pool: Pool; keys: Keys; now: () => Date },
  reads: Reads,
  handle: (kind: string, id: string) => Buffer,
  shelf: Shelf | undefined,
) => {
  const names = new Map<string, string>();
  /** The few shapes that batches take are prepared once for each connection. */
  const nameOf = (text: string): string => {
    const name = names.get(text) ?? `oidc_batch_${names.size}`;
    names.set(text, name);
    return name;
  };

  const send = async (batch: Batch): Promise<BatchResult> => {
    try {
      const { text, values } = batchStatement(batch, now());
      const [result] = await run<BatchResult>(pool, nameOf(text), text, values);
      return result ?? {};
    } catch (error) {
      if ((error as { code?: unknown }).code === FOREIGN_KEY_VIOLATION) throw grantGone();
      throw error;
    }
  };

  /** Artifacts that hang on nothing: those of one turn go out together. True for each that was stored. */
  const addFree = perTurn(async (inserts: readonly Insert[]): Promise<boolean[]> => {
    // One statement touches a row once. The same artifact twice in one turn is two changes of it.
    if (new Set(inserts.map(({ id }) => keyOf(id))).size < inserts.length) {
      const one = async (insert: Insert): Promise<boolean> => (await send({ inserts: [insert] })).inserted === 1;
      const results: boolean[] = [];
      for (const insert of inserts) results.push(await one(insert));
      return results;
    }
    const rows = await run<{ id: Buffer }>(pool, 'oidc_add_free', ADD_FREE, [
      inserts.map(({ id }) => id),
      inserts.map(({ model }) => model),
      inserts.map(({ sealed }) => sealed),
      inserts.map(({ expiresAt }) => expiresAt),
    ]);
    const stored = new Set(rows.map(({ id }) => keyOf(id)));
    return inserts.map(({ id }) => stored.has(keyOf(id)));
  });

  const joint = createJointWrites({ pool, now }, send);

  const isFree = ({ table, grantId, sessionUid }: Insert): boolean =>
    table === 'oidc_lasting' && grantId === null && sessionUid === null;

  const check = (batch: Batch, result: BatchResult): void => {
    if (result.session === 0) throw sessionGone();
    if (result.grant === 0) throw grantGone();
    if (result.consumed === 0 && batch.consume !== undefined) throw spent(batch.consume.model);
    if (batch.inserts.length > (result.inserted ?? 0)) throw changedMeanwhile();
  };

  const sessionWrite = (save: SessionSave, stored: StoredSession, version: number | undefined): SessionWrite => ({
    uid: save.uid,
    accountId: accountOf(stored.payload.accountId),
    grants: grantsOf(stored).map((grantId) => handle('Grant', grantId)),
    sealed: keys.sealShared('oidc:Session', save.uid, JSON.stringify(stored)),
    expiresAt: save.expiresAt,
    ...(version !== undefined && { version }),
    ...(save.bind !== undefined && { bind: save.bind }),
    ...(save.unbind !== undefined && { unbind: save.unbind }),
  });

  /** Saves a session, joining it with what parallel requests saved meanwhile, and the batch with it. */
  const sendSession = async (scope: RequestScope, batch: Batch, save: SessionSave): Promise<void> => {
    let stored = save.stored;
    let version = save.base?.version;
    for (let attempt = 0; attempt < MERGE_ATTEMPTS; attempt += 1) {
      const session = sessionWrite(save, stored, version);
      const attempted: Batch = { ...batch, session };
      const result = await send(attempted);
      if (result.session !== 0) {
        const { sealed } = session;
        const saved = { uid: save.uid, sealed, version: (version ?? 0) + 1, savedAt: now(), opened: stored };
        scope.sessions.set(keyOf(save.uid), saved);
        if (save.bind !== undefined) scope.sessionIds.set(keyOf(save.bind), save.uid);
        return check(attempted, result);
      }
      const current = await reads.sessionByUid(scope, save.uid, true);
      // A session that was ended meanwhile must not come back to life.
      if (current === undefined && save.base !== undefined) throw sessionGone();
      if (current === undefined) continue;
      // Outside of a request nobody knows whether this id was given up for another: it must not be let in again.
      if (save.base === undefined && save.bind !== undefined) throw sessionGone();
      const base = save.base === undefined ? undefined : reads.openSession(save.base);
      const merged = mergeSessions(base, save.stored, reads.openSession(current), save.bind !== undefined);
      if (merged === undefined) throw sessionGone();
      stored = merged;
      version = current.version;
      if (attempt >= EAGER_ATTEMPTS) await setTimeout(Math.random() * STEP_BACK_MS);
    }
    throw new Error(`a session was changed ${MERGE_ATTEMPTS} times while it was being saved`);
  };

  /** Ends the session that an id points to. */
  const endSession = async (id: Buffer): Promise<void> => {
    await pool.query({
      name: 'oidc_end_session',
      text: 'DELETE FROM oidc_sessions WHERE uid = (SELECT uid FROM oidc_session_ids WHERE id = $1)',
      values: [id],
    });
  };

  /** Puts artifacts on the shelf, after all that could refuse the request has taken place. */
  const shelve = async (
    scope: RequestScope,
    inserts: readonly Insert[],
    guard: Buffer | undefined,
    on: Shelf,
  ): Promise<void> => {
    for (const insert of inserts) {
      const { id, model, sealed, grantId, sessionUid, base, userCode, expiresAt } = insert;
      const family = grantId === null ? 0 : await reads.family(scope, grantId);
      if (family === undefined) throw grantGone();
      // Nothing locks the session here: it is looked at once more when the code is redeemed.
      const guarded = model === 'AuthorizationCode' && guard !== undefined;
      const bound = guarded ? guard : sessionUid;
      const shelved = {
        id,
        model,
        sealed,
        grantId,
        family,
        sessionUid: bound,
        guarded,
        expiresAt,
      };
      if (!(await on.put(shelved, base, userCode))) throw changedMeanwhile();
    }
  };

  /** Takes out of a batch what goes on the shelf; a grant or session that nothing else hangs on need not be locked. */
  const withoutShelved = (batch: Batch): Batch => {
    const inserts = batch.inserts.filter(({ table }) => table === 'oidc_lasting');
    const { consume, grant, guard } = batch;
    const needed = consume !== undefined || inserts.length > 0;
    return {
      inserts,
      ...(consume !== undefined && { consume }),
      ...(needed && grant !== undefined && { grant }),
      ...(needed && guard !== undefined && { guard }),
    };
  };

  const sendWaiting = async (scope: RequestScope, save?: SessionSave): Promise<void> => {
    if (shelf === undefined) return sendBatch(scope, scope.batch, save);
    const { guard } = scope.batch;
    const shelved = scope.batch.inserts.filter(({ table }) => table === 'oidc_fleeting');
    await sendBatch(scope, withoutShelved(scope.batch), save);
    await shelve(scope, shelved, guard, shelf);
  };

  const sendBatch = async (scope: RequestScope, batch: Batch, save?: SessionSave): Promise<void> => {
    const { endedSession } = scope;
    scope.batch = { inserts: [] };
    scope.endedSession = undefined;
    if (endedSession !== undefined && save === undefined) await endSession(endedSession);
    if (save !== undefined) return sendSession(scope, batch, save);
    const [first, ...others] = batch.inserts;
    const bound = batch.consume ?? batch.grant ?? batch.guard;
    if (bound === undefined && first !== undefined && others.length === 0 && isFree(first)) {
      if (!(await addFree(first))) throw changedMeanwhile();
      return;
    }
    if (batch.consume === undefined && first === undefined) return;
    check(batch, await joint(batch));
  };

  return {
    endSession,

    /** Sends what waits in the scope, with a session if one is given; calls go out one after another. */
    flush(scope: RequestScope, save?: SessionSave): Promise<void> {
      if (scope.underWay === 0 && save === undefined && isEmpty(scope)) return scope.flushing;
      scope.underWay += 1;
      const sent = scope.flushing.then(() => sendWaiting(scope, save));
      const answered = (): void => {
        scope.underWay -= 1;
      };
      scope.flushing = sent.then(answered, answered);
      return sent;
    },

    /** After a failure: what was spent stays spent, nothing new comes into being. */
    settle(scope: RequestScope): Promise<void> {
      const { consume, grant } = scope.batch;
      scope.batch = { inserts: [] };
      if (consume !== undefined && consume.model !== 'RefreshToken') {
        scope.batch = { consume, inserts: [], ...(grant !== undefined && { grant }) };
      }
      return this.flush(scope);
    },

    insert(model: string, table: ArtifactTable, id: Buffer, payload: AdapterPayload, rest: Partial<Insert>): Insert {
      return {
        table,
        model,
        id,
        sealed: keys.sealShared(`oidc:${model}`, id, JSON.stringify(payload)),
        grantId: null,
        sessionUid: null,
        userCode: null,
        base: null,
        expiresAt: now(),
        ...rest,
      };
    },

    /** Whether a session that has not changed may stay as it is. */
    isFresh: (row: SessionRow): boolean => now().getTime() - row.savedAt.getTime() < SESSION_SAVE_SECONDS * 1000,
  };
};
