import { type Adapter, type AdapterPayload, errors } from 'oidc-provider';
import type { Pool } from 'pg';
import type { Keys } from '../keys/keys.ts';
import { createPostgresFleeting } from './fleeting-postgres.ts';
import { type ArtifactTable, copyOf, createReads } from './oidc-reads.ts';
import { createReplayMarks } from './oidc-replay-marks.ts';
import { type Insert, keyOf, RequestScope, requestScope } from './oidc-request-scope.ts';
import { createRevocations } from './oidc-revocations.ts';
import { othersOf, sessionFingerprint } from './oidc-session-merge.ts';
import type { Shelf } from './oidc-shelf-redis.ts';
import {
  type AccountReader,
  type FleetingStore,
  HAS_GRANT,
  interactionGone,
  kindOf,
  type OidcStore,
  spent,
} from './oidc-store.ts';
import { createWrites } from './oidc-writes.ts';
import { run } from './prepared.ts';
import { withInContext } from './request-context.ts';

const HOUR_SECONDS = 3600;
const DAY_SECONDS = 24 * HOUR_SECONDS;
/** What lives longer is still there when somebody gets hold of a backup. */
const LASTS_SECONDS = 6 * HOUR_SECONDS;
/** For artifacts without an end (initial access tokens), and for the absurd ones of hostile clients. */
const LONGEST_SECONDS = 100 * 365 * 86_400;

/** What a second, faster and more forgetful store takes over. */
export type Beside = {
  readonly shelf: Shelf;
  readonly fleeting: FleetingStore;
  readonly marks: Adapter;
  tend(): Promise<void>;
};

export type StoreDeps = { pool: Pool; keys: Keys; now?: () => Date; account?: AccountReader };
type Handle = (kind: string, id: string) => Buffer;

/** Keyed hashes of ids: what stands in the store. */
export const handlesOf =
  (keys: Keys): Handle =>
  (kind, id) =>
    keys.index(`oidc:${kind}`, id);

/**
 * The store on Postgres. Ids are kept as keyed hashes, payloads sealed. `account` lets findAccount do without a
 * statement of its own: what it reads is there as `accountRow` once a session, token or grant was read.
 */
export const createPostgresStore = (
  { pool, keys, now = () => new Date(), account }: StoreDeps,
  beside?: Beside,
): OidcStore => {
  const base = { pool, keys, now };
  const handle = handlesOf(keys);
  const reads = createReads(base, account, beside?.shelf);
  const writes = createWrites(base, reads, handle, beside?.shelf);
  const revocations = createRevocations(base, reads, handle);

  const expiry = (seconds: number | undefined): Date => {
    const known = seconds === undefined || Number.isNaN(seconds) ? LONGEST_SECONDS : seconds;
    return new Date(now().getTime() + Math.min(known, LONGEST_SECONDS) * 1000);
  };
  /**
   * The end of what lasts stands in its row no finer than an hour, of what lasts for weeks no finer than a day: a service
   * knows the second in which it got a token, and two such times beside one account would tie two pseudonyms together.
   * The exact end is in the sealed payload (`exp`), and oidc-provider keeps to it.
   */
  const coarseExpiry = (seconds: number | undefined): Date => {
    const exact = expiry(seconds);
    if (seconds === undefined || !(seconds > LASTS_SECONDS)) return exact;
    const grain = seconds > DAY_SECONDS ? DAY_SECONDS : HOUR_SECONDS;
    return new Date(Math.ceil(exact.getTime() / (grain * 1000)) * grain * 1000);
  };

  /** Work inside the request; outside of one, each call is a request of its own. */
  const scoped = async <T>(work: (scope: RequestScope) => Promise<T>): Promise<T> => {
    const scope = requestScope();
    if (scope !== undefined) return work(scope);
    const own = new RequestScope();
    const result = await work(own);
    await writes.flush(own);
    return result;
  };

  /** Anything but the writes that wait for one another goes out at once, and after those. */
  const atOnce = (work: (scope: RequestScope) => Promise<void>): Promise<void> =>
    scoped(async (scope) => {
      await writes.flush(scope);
      await work(scope);
    });

  const unsupported = (): Promise<never> => Promise.reject(new TypeError('not a method of this model'));
  const nothing = { findByUid: unsupported, findByUserCode: unsupported, revokeByGrantId: unsupported };

  const artifactAdapter = (model: string, table: ArtifactTable): Adapter => {
    const shelf = table === 'oidc_fleeting' ? beside?.shelf : undefined;
    const source = model === 'Interaction' ? 'interaction' : table;
    /** Whether an insert may wait for the ones that are known to follow; a lone one would wait for nothing. */
    const mayWait = (scope: RequestScope): boolean =>
      model === 'AuthorizationCode' ||
      (scope.batch.consume !== undefined && (model === 'AccessToken' || model === 'RefreshToken'));
    /** oidc-provider stores an access token after a rotated refresh token, and a first refresh token last of all. */
    const isLast = (scope: RequestScope): boolean => {
      const spentModel = scope.batch.consume?.model;
      if (model === 'AccessToken') return spentModel === 'RefreshToken';
      return model === 'RefreshToken' && spentModel !== 'RefreshToken';
    };

    return {
      ...nothing,
      find: (id) =>
        scoped(async (scope) => {
          const row = await reads.artifact(scope, source, handle(model, id));
          return row === null || row.model !== model ? undefined : reads.openArtifact(scope, row);
        }),
      findByUserCode: (userCode) =>
        scoped(async (scope) => {
          const row = await reads.byUserCode(scope, handle('DeviceCode:user', userCode));
          return row === undefined || row.model !== model ? undefined : reads.openArtifact(scope, row);
        }),
      upsert: (id, payload, seconds) =>
        scoped(async (scope) => {
          const artifact = handle(model, id);
          const grant = HAS_GRANT.has(model) && payload.grantId ? handle('Grant', payload.grantId) : null;
          const boundTo = model === 'Interaction' ? interactionSession(payload) : boundSession(payload);
          const session = boundTo === undefined ? null : handle('Session:uid', boundTo);
          const code = payload.userCode === undefined ? null : handle('DeviceCode:user', payload.userCode);
          const known = model === 'DeviceCode' ? await scope.artifacts.get(keyOf(artifact)) : undefined;
          const waiting = scope.batch.grant;
          if (!mayWait(scope) || (grant !== null && waiting !== undefined && !grant.equals(waiting))) {
            await writes.flush(scope);
          }
          const rest: Partial<Insert> = { grantId: grant, sessionUid: session, userCode: code };
          const version = known?.version ?? null;
          scope.batch.inserts.push(
            writes.insert(model, table, artifact, payload, {
              ...rest,
              base: version,
              expiresAt: coarseExpiry(seconds),
            }),
          );
          if (grant !== null) scope.batch.grant = grant;
          const uid = payload.sessionUid === undefined ? undefined : handle('Session:uid', payload.sessionUid);
          if (model === 'AuthorizationCode' && uid !== undefined && scope.sessions.has(keyOf(uid))) {
            // A code must not outlive a session that is ended at this very moment.
            scope.batch.guard = uid;
          }
          scope.artifacts.delete(keyOf(artifact));
          if (!mayWait(scope) || isLast(scope)) await writes.flush(scope);
        }),
      consume: (id) =>
        scoped(async (scope) => {
          await writes.flush(scope);
          const artifact = handle(model, id);
          const known = scope.artifacts.get(keyOf(artifact));
          const row = await (shelf === undefined ? known : (known ?? reads.artifact(scope, source, artifact)));
          if (shelf === undefined) scope.batch.consume = { table, model, id: artifact };
          else {
            if (row?.model !== model || row.consumedAt !== null) throw spent(model);
            scope.batch.consume = { table: 'oidc_spent', model, id: artifact, expiresAt: spentUntil(row.expiresAt) };
          }
          if (row?.grantId) scope.batch.grant = row.grantId;
          scope.artifacts.delete(keyOf(artifact));
        }),
      destroy: (id) =>
        atOnce(async (scope) => {
          const artifact = handle(model, id);
          const statement = `DELETE FROM ${table} WHERE id = $1 RETURNING 1`;
          const removed =
            shelf === undefined
              ? (await run(pool, `${table}_destroy`, statement, [artifact])).length === 1
              : await shelf.remove(artifact);
          scope.artifacts.delete(keyOf(artifact));
          // It is ended by whoever goes on with it: of two who do so at once, one does.
          if (model === 'Interaction' && !removed) throw interactionGone();
        }),
      revokeByGrantId: (grantId) => atOnce((scope) => revocations.byGrant(scope, handle('Grant', grantId))),
    };
  };

  const grantAdapter: Adapter = {
    ...nothing,
    consume: unsupported,
    find: (id) =>
      scoped(async (scope) => {
        const grant = handle('Grant', id);
        const sealed = await reads.grant(scope, grant);
        return sealed === null
          ? undefined
          : (JSON.parse(keys.openShared('oidc:Grant', grant, sealed)) as AdapterPayload);
      }),
    upsert: (id, payload, seconds) =>
      atOnce((scope) => revocations.saveGrant(scope, handle('Grant', id), payload, coarseExpiry(seconds))),
    destroy: (id) => atOnce((scope) => revocations.destroyGrant(scope, handle('Grant', id))),
  };

  const sessionAdapter: Adapter = {
    ...nothing,
    consume: unsupported,
    find: (id) =>
      scoped(async (scope) => {
        const row = await reads.sessionById(scope, handle('Session', id));
        if (row === undefined) return undefined;
        // Parallel sign-ins leave a session with several ids: each sees its own.
        return { ...copyOf(reads.openSession(row).payload), jti: id };
      }),
    findByUid: (uid) =>
      scoped(async (scope) => {
        const row = await reads.sessionByUid(scope, handle('Session:uid', uid));
        return row === undefined ? undefined : reads.sessionForToken(scope, row, uid);
      }),
    upsert: async (id, payload, seconds) => {
      const scope = requestScope() ?? new RequestScope();
      const sessionId = handle('Session', id);
      const uid = handle('Session:uid', payload.uid ?? '');
      // Outside of a request this request's view is empty: look up whether the id is one of the session's.
      if (requestScope() === undefined) await reads.sessionById(scope, sessionId);
      const known = scope.sessionIds.get(keyOf(sessionId))?.equals(uid) === true;
      const read = requestScope() === undefined ? undefined : (scope.sessions.get(keyOf(uid)) ?? undefined);
      const before = read === undefined ? undefined : reads.openSession(read);
      const unchanged = before !== undefined && sessionFingerprint(before.payload) === sessionFingerprint(payload);
      if (unchanged && known && read !== undefined && writes.isFresh(read)) return writes.flush(scope);
      await writes.flush(scope, {
        uid,
        stored: { payload, others: othersOf(before?.others ?? {}, payload) },
        expiresAt: expiry(seconds),
        base: read,
        bind: known ? undefined : sessionId,
        unbind: scope.endedSession,
      });
    },
    destroy: async (id) => {
      const scope = requestScope();
      const sessionId = handle('Session', id);
      if (scope === undefined) return writes.endSession(sessionId);
      // `session.save()` destroys the old id just before it saves under the new one; a sign-out only destroys.
      scope.endedSession = sessionId;
      scope.sessionIds.delete(keyOf(sessionId));
    },
  };

  const adapterFor = (model: string): Adapter => {
    const kind = kindOf(model);
    switch (kind) {
      case 'lasting':
        return artifactAdapter(model, 'oidc_lasting');
      case 'fleeting':
        return artifactAdapter(model, 'oidc_fleeting');
      case 'grant':
        return grantAdapter;
      case 'session':
        return sessionAdapter;
      case 'mark':
        return beside?.marks ?? createReplayMarks(base, handle, expiry);
    }
  };

  return {
    adapterFor,
    inRequest: async (work, failed = () => false, part = 'whole') => {
      if (requestScope() !== undefined) return work();
      const scope = new RequestScope(part);
      const settle = (): Promise<void> =>
        writes.settle(scope).catch((error: unknown) => {
          // The request has failed already; that its code was spent by another changes nothing.
          if (!(error instanceof errors.OIDCProviderError)) throw error;
        });
      return withInContext('scope', scope, async () => {
        try {
          const result = await work().catch(async (error: unknown) => {
            await settle();
            throw error;
          });
          if (failed()) await settle();
          else await writes.flush(scope);
          return result;
        } finally {
          scope.ended = true;
        }
      });
    },
    sessionHolds: (token) =>
      scoped(async (scope) => {
        const row = await reads.sessionByUid(scope, handle('Session:uid', token.sessionUid ?? ''));
        return row !== undefined && reads.holds(row, token);
      }),
    flush: async () => {
      const scope = requestScope();
      if (scope !== undefined) await writes.flush(scope);
    },
    accountRow: (id, part) => {
      const scope = requestScope();
      return scope?.part === part || scope?.part === 'whole' ? scope.accounts.get(id) : undefined;
    },
    noteAccountRow: (id, row) => void requestScope()?.accounts.set(id, row),
    sessionsOf: (id) => revocations.sessionsOf(id),
    endSessions: (id, except) => revocations.endSessions(id, except),
    endGrants: (id, except) => revocations.endGrants(id, except),
    revokeService: (id, clientId) => revocations.revokeService(id, clientId),
    revokeAccount: (id) => revocations.revokeAccount(id),
    fleeting: beside?.fleeting ?? createPostgresFleeting(base),
    noteProof: (issuedAt) => {
      const scope = requestScope();
      if (scope !== undefined)
        scope.proofIssuedAt = Math.min(issuedAt ?? 0, scope.proofIssuedAt ?? Number.POSITIVE_INFINITY);
    },
    tend: () => beside?.tend() ?? Promise.resolve(),
    purgeExpired: (limit) => revocations.purgeExpired(limit),
  };
};

/** The mark of a spent artifact outlives it, so that its replay is recognised. */
const spentUntil = (end: Date): Date => new Date(end.getTime() + 15 * 60 * 1000);

/** A token that ends with its session; others do not need it read along. */
const boundSession = (payload: AdapterPayload): string | undefined =>
  payload.expiresWithSession === true ? payload.sessionUid : undefined;

/** The session that the interaction started from: oidc-provider checks it with every page. */
const interactionSession = (payload: AdapterPayload): string | undefined =>
  (payload.session as { uid?: string } | undefined)?.uid;
