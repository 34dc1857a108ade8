import type { AdapterPayload } from 'oidc-provider';
import type { Pool } from 'pg';
import type { Keys } from '../keys/keys.ts';
import { type ArtifactRow, keyOf, type RequestScope, type SessionRow } from './oidc-request-scope.ts';
import { type StoredSession, withGrantOf } from './oidc-session-merge.ts';
import type { Shelf, Shelved } from './oidc-shelf-redis.ts';
import { type AccountPart, type AccountReader, type BoundToken, graceOf } from './oidc-store.ts';
import { readingStatements } from './oidc-store-sql.ts';
import { perTurn } from './per-turn.ts';
import { run, type Value } from './prepared.ts';

export type ArtifactTable = 'oidc_lasting' | 'oidc_fleeting';
/** Where an artifact is read, with what it hangs on; an interaction hangs on nothing. */
export type ArtifactSource = ArtifactTable | 'interaction';

/** `key`: the handle that it was asked for by. */
type Row = Record<string, unknown> & { key: Buffer; account_id: string | null; account?: unknown };
type SealedSession = { uid: Buffer; sealed: Buffer; version: number; saved_at: Date };

const HANDLE_BYTES = 32;
const FAMILY_BYTES = 4;

/** A copy that oidc-provider may change. Payloads are JSON, and this takes a quarter of the time of structuredClone. */
export const copyOf = (payload: AdapterPayload): AdapterPayload =>
  JSON.parse(JSON.stringify(payload)) as AdapterPayload;

const inOrder = (handles: readonly Buffer[], rows: readonly Row[]): (Row | undefined)[] => {
  const byKey = new Map(rows.map((row) => [keyOf(row.key), row]));
  return handles.map((handle) => byKey.get(keyOf(handle)));
};

/** Reads with everything that the request is going to ask for next, and remembers it for this request. */
export const createReads = (
  { pool, keys, now }: { pool: Pool; keys: Keys; now: () => Date },
  reader: AccountReader | undefined,
  shelf: Shelf | undefined,
) => {
  const query = (name: string, text: string, ...values: Value[]): Promise<Row[]> =>
    run<Row>(pool, name, text, [now(), ...values]);

  const readsOf = (part: AccountPart) => {
    const statements = readingStatements(reader, part);
    const byHandle = (name: ArtifactSource | 'sessionById' | 'sessionByUid' | 'grant') =>
      perTurn(async (handles: readonly Buffer[]): Promise<(Row | undefined)[]> => {
        const rows = await query(`oidc_${name}_${part}`, statements[name], handles);
        return inOrder(handles, rows);
      });
    const context = perTurn(async (shelved: readonly Shelved[]): Promise<(Row | undefined)[]> => {
      const ids = shelved.map(({ id }) => id);
      const rows = await query(
        `oidc_context_${part}`,
        statements.context,
        ids,
        shelved.map(({ grantId }) => grantId),
        shelved.map(({ sessionUid }) => sessionUid),
      );
      return inOrder(ids, rows);
    });
    return {
      context,
      oidc_lasting: byHandle('oidc_lasting'),
      oidc_fleeting: byHandle('oidc_fleeting'),
      interaction: byHandle('interaction'),
      sessionById: byHandle('sessionById'),
      sessionByUid: byHandle('sessionByUid'),
      grant: byHandle('grant'),
      byUserCode: async (handle: Buffer): Promise<Row | undefined> =>
        (await query(`oidc_user_code_${part}`, statements.byUserCode, handle))[0],
    };
  };
  const reads = { whole: readsOf('whole'), status: readsOf('status') };

  const noteAccount = (scope: RequestScope, { account_id: id, account }: Row): void => {
    if (reader !== undefined && id !== null) scope.accounts.set(id, account ?? null);
  };

  const noteSession = (scope: RequestScope, row: SealedSession): SessionRow => {
    const { uid, sealed, version, saved_at: savedAt } = row;
    const session: SessionRow = { uid, sealed, version, savedAt };
    scope.sessions.set(keyOf(uid), session);
    return session;
  };

  const artifactIn = (row: Row): ArtifactRow => ({
    id: row.key,
    model: row['model'] as string,
    sealed: row['sealed'] as Buffer,
    grantId: row['grant_id'] as Buffer | null,
    sessionUid: row['session_uid'] as Buffer | null,
    version: row['version'] as number,
    consumedAt: row['consumed_at'] as Date | null,
    expiresAt: row['expires_at'] as Date,
  });

  /** Remembers what came along with a token or code. */
  const noteArtifact = (scope: RequestScope, row: Row): ArtifactRow => {
    const artifact = artifactIn(row);
    const { grantId, sessionUid } = artifact;
    if (grantId !== null) {
      scope.grants.set(keyOf(grantId), row['grant_sealed'] as Buffer | null);
      if (row['family'] !== null) scope.families.set(keyOf(grantId), row['family'] as number);
    }
    if (sessionUid !== null && !scope.sessions.has(keyOf(sessionUid))) {
      const sealed = row['session_sealed'] as Buffer | null;
      if (sealed === null) scope.sessions.set(keyOf(sessionUid), null);
      else {
        const version = row['session_version'] as number;
        noteSession(scope, { uid: sessionUid, sealed, version, saved_at: row['session_saved_at'] as Date });
      }
    }
    noteAccount(scope, row);
    return artifact;
  };

  /** What a shelved artifact hangs on is read in Postgres; without it the artifact does not count. */
  const fromShelf = async (scope: RequestScope, shelved: Shelved | undefined): Promise<ArtifactRow | null> => {
    if (shelved === undefined) return null;
    const { id, model, sealed, version, grantId, family, sessionUid, guarded, expiresAt } = shelved;
    // A note of a sign-in under way hangs on nothing: what it needs besides is read when it is asked for.
    if (model === 'Interaction') {
      return expiresAt > now() ? { ...shelved, sessionUid: null, consumedAt: null } : null;
    }
    const context = await reads[scope.part].context(shelved);
    if (context === undefined) return null;
    if (grantId !== null && context['family'] !== family) return null;
    if (guarded && context['session_sealed'] === null) return null;
    if (expiresAt <= now() && context['consumed_at'] === null) return null;
    const columns = {
      key: id,
      model,
      sealed,
      version,
      grant_id: grantId,
      session_uid: sessionUid,
      expires_at: expiresAt,
    };
    return noteArtifact(scope, { ...context, ...columns });
  };

  const artifactOf = async (
    scope: RequestScope,
    source: ArtifactSource,
    handle: Buffer,
  ): Promise<ArtifactRow | null> => {
    if (shelf !== undefined && source !== 'oidc_lasting') return fromShelf(scope, await shelf.get(handle));
    const row = await reads[scope.part][source](handle);
    if (row === undefined) return null;
    return source === 'interaction' ? artifactIn(row) : noteArtifact(scope, row);
  };

  const artifact = (scope: RequestScope, source: ArtifactSource, handle: Buffer): Promise<ArtifactRow | null> => {
    const key = keyOf(handle);
    const known = scope.artifacts.get(key);
    if (known !== undefined) return known;
    const result = artifactOf(scope, source, handle);
    scope.artifacts.set(key, result);
    result.catch(() => scope.artifacts.delete(key));
    return result;
  };

  /** The payload as oidc-provider is to see it; a consumed one is flagged once the time of double clicks is over. */
  const openArtifact = (scope: RequestScope, row: ArtifactRow): AdapterPayload => {
    const payload = JSON.parse(keys.openShared(`oidc:${row.model}`, row.id, row.sealed)) as AdapterPayload;
    if (row.consumedAt !== null) {
      const seconds = (now().getTime() - row.consumedAt.getTime()) / 1000;
      if (seconds >= graceOf(row.model)) {
        payload.consumed = Math.floor(row.consumedAt.getTime() / 1000);
        // oidc-provider looks at the end first, and would not get as far as to the replay.
        const second = Math.floor(now().getTime() / 1000);
        if (payload.exp !== undefined && payload.exp <= second) payload.exp = second + 1;
      }
    }
    if (row.sessionUid !== null) scope.tokens.push(payload);
    return payload;
  };

  const openSession = (row: SessionRow): StoredSession => {
    row.opened ??= JSON.parse(keys.openShared('oidc:Session', row.uid, row.sealed)) as StoredSession;
    return row.opened;
  };

  const session = async (
    scope: RequestScope,
    statement: 'sessionById' | 'sessionByUid',
    handle: Buffer,
  ): Promise<SessionRow | undefined> => {
    const row = await reads[scope.part][statement](handle);
    if (row === undefined) return undefined;
    noteAccount(scope, row);
    for (const grant of row['grants'] as Buffer[]) {
      const key = keyOf(grant.subarray(0, HANDLE_BYTES));
      scope.grants.set(key, grant.subarray(HANDLE_BYTES + FAMILY_BYTES));
      scope.families.set(key, grant.readInt32BE(HANDLE_BYTES));
    }
    return noteSession(scope, row as Row & SealedSession);
  };

  return {
    artifact,
    openArtifact,
    openSession,

    async byUserCode(scope: RequestScope, handle: Buffer): Promise<ArtifactRow | undefined> {
      let found: ArtifactRow | null;
      if (shelf === undefined) {
        const row = await reads[scope.part].byUserCode(handle);
        found = row === undefined ? null : noteArtifact(scope, row);
      } else found = await fromShelf(scope, await shelf.byUserCode(handle));
      if (found === null) return undefined;
      scope.artifacts.set(keyOf(found.id), Promise.resolve(found));
      return found;
    },

    /** The grant as sealed, or null. */
    async grant(scope: RequestScope, handle: Buffer): Promise<Buffer | null> {
      const known = scope.grants.get(keyOf(handle));
      if (known !== undefined) return known;
      const row = await reads[scope.part].grant(handle);
      const sealed = (row?.['sealed'] as Buffer | undefined) ?? null;
      scope.grants.set(keyOf(handle), sealed);
      if (row !== undefined) {
        scope.families.set(keyOf(handle), row['family'] as number);
        noteAccount(scope, row);
      }
      return sealed;
    },

    /** The family that new artifacts of a grant belong to; undefined if the grant is gone. */
    async family(scope: RequestScope, handle: Buffer): Promise<number | undefined> {
      const known = scope.families.get(keyOf(handle));
      if (known !== undefined) return known;
      const row = await reads[scope.part].grant(handle);
      return row?.['family'] as number | undefined;
    },

    async sessionById(scope: RequestScope, handle: Buffer): Promise<SessionRow | undefined> {
      const uid = scope.sessionIds.get(keyOf(handle));
      const known = uid === undefined ? undefined : scope.sessions.get(keyOf(uid));
      if (known !== undefined && known !== null) return known;
      const row = await session(scope, 'sessionById', handle);
      if (row !== undefined) scope.sessionIds.set(keyOf(handle), row.uid);
      return row;
    },

    /** `afresh`: as it is now, whatever this request has seen before. */
    async sessionByUid(scope: RequestScope, handle: Buffer, afresh = false): Promise<SessionRow | undefined> {
      const known = afresh ? undefined : scope.sessions.get(keyOf(handle));
      if (known !== undefined) return known ?? undefined;
      const row = await session(scope, 'sessionByUid', handle);
      if (row === undefined) scope.sessions.set(keyOf(handle), null);
      return row;
    },

    /** Whether a session is as the token needs it; see `withGrantOf` for tokens of parallel sign-ins. */
    holds(row: SessionRow, { accountId, clientId = '', grantId }: BoundToken): boolean {
      const payload = withGrantOf(openSession(row), { clientId, ...(grantId !== undefined && { grantId }) });
      if (payload.accountId !== accountId || (payload.exp ?? 0) <= now().getTime() / 1000) return false;
      return grantId !== undefined && payload.authorizations?.[clientId]?.grantId === grantId;
    },

    /** The session as the token that this request has just read must see it. */
    sessionForToken(scope: RequestScope, row: SessionRow, uid: string): AdapterPayload {
      const token = scope.tokens.findLast(({ sessionUid }) => sessionUid === uid);
      const stored = openSession(row);
      return copyOf(token === undefined ? stored.payload : withGrantOf(stored, token));
    },
  };
};

export type Reads = ReturnType<typeof createReads>;
