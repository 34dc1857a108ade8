import type { AdapterPayload } from 'oidc-provider';
import type { Pool, PoolClient } from 'pg';
import type { Keys } from '../keys/keys.ts';
import type { Reads } from './oidc-reads.ts';
import { keyOf, type RequestScope } from './oidc-request-scope.ts';
import { grantGone, PURGE_MARGIN_SECONDS } from './oidc-store.ts';
import { NOT_WAITING_FOR_DISK } from './oidc-store-sql.ts';
import { accountOf, MERGE_ATTEMPTS } from './oidc-writes.ts';
import { run } from './prepared.ts';

const LISTED_AT_ONCE = 1000;
/** A spent artifact is recognised for ten minutes after its end (REPLAY_KNOWN in the reading statements). */
const NOT_NEEDED = `AND (consumed_at IS NULL OR expires_at <= $1 - interval '10 minutes')`;
const PURGED = [
  ['oidc_lasting', 'id', NOT_NEEDED],
  ['oidc_fleeting', 'id', NOT_NEEDED],
  ['oidc_sessions', 'uid'],
  ['oidc_grants', 'id'],
  ['oidc_spent', 'id'],
  ['fleeting_notes', 'id'],
  ['replay_marks', 'id'],
] as const;

/** Families of one id begin anywhere, so that what lies elsewhere of an ended grant is never taken for this one's. */
const NEW_GRANT = `INSERT INTO oidc_grants (id, account_id, sealed, expires_at, family)
  VALUES ($1, $2, $3, $4, floor(random() * 1000000000)::int) ON CONFLICT (id) DO NOTHING RETURNING ${NOT_WAITING_FOR_DISK}`;

type Granted = { scope?: string; claims?: string[] };

const joinedWords = (one = '', other = ''): string =>
  [...new Set([...one.split(' '), ...other.split(' ')])].filter((word) => word !== '').join(' ');

/** What both of two grants to one service allow; ours never reject anything. */
const joinGrants = (stored: AdapterPayload, ours: AdapterPayload): AdapterPayload => {
  const [one, other] = [(stored['openid'] ?? {}) as Granted, (ours['openid'] ?? {}) as Granted];
  const [some, more] = [stored, ours].map((grant) => (grant['resources'] ?? {}) as Record<string, string>);
  const scope = joinedWords(one.scope, other.scope);
  const claims = [...new Set([...(one.claims ?? []), ...(other.claims ?? [])])];
  const resources = Object.fromEntries(
    Object.keys({ ...some, ...more }).map((api) => [api, joinedWords(some?.[api], more?.[api])]),
  );
  return {
    ...ours,
    exp: Math.max(stored.exp ?? 0, ours.exp ?? 0),
    ...((scope !== '' || claims.length > 0) && {
      openid: { ...(scope !== '' && { scope }), ...(claims.length > 0 && { claims }) },
    }),
    ...(Object.keys(resources).length > 0 && { resources }),
  };
};

/** Grants and whole accounts: what ends many artifacts at once. */
export const createRevocations = (
  { pool, keys, now }: { pool: Pool; keys: Keys; now: () => Date },
  reads: Reads,
  handle: (kind: string, id: string) => Buffer,
) => {
  const inTransaction = async (work: (client: PoolClient) => Promise<void>): Promise<void> => {
    const client = await pool.connect();
    try {
      await client.query('BEGIN');
      await work(client);
      await client.query('COMMIT');
      client.release();
    } catch (error) {
      // A broken connection cannot be told to roll back; closing it does.
      client.release(true);
      throw error;
    }
  };

  /**
   * Ends everything that hangs on a grant, but not the grant. The lock waits for inserts under way and refuses new ones
   * until the deletion, a statement of its own, has seen those.
   */
  const endFamily = (grant: Buffer): Promise<void> =>
    inTransaction(async (client) => {
      await client.query('SELECT 1 FROM oidc_grants WHERE id = $1 FOR UPDATE', [grant]);
      // What lies elsewhere of the old family counts no more.
      await client.query('UPDATE oidc_grants SET family = family + 1 WHERE id = $1', [grant]);
      await client.query('DELETE FROM oidc_lasting WHERE grant_id = $1', [grant]);
      await client.query('DELETE FROM oidc_fleeting WHERE grant_id = $1', [grant]);
    });

  const forget = (scope: RequestScope, grant: Buffer): void => {
    scope.grants.delete(keyOf(grant));
    scope.families.delete(keyOf(grant));
    scope.artifacts.clear();
  };

  return {
    /** oidc-provider asks once for each model; all of them are ended by the first call. */
    async byGrant(scope: RequestScope, grant: Buffer): Promise<void> {
      const key = keyOf(grant);
      const running = scope.revocations.get(key) ?? endFamily(grant);
      scope.revocations.set(key, running);
      try {
        await running;
      } finally {
        scope.revocations.delete(key);
        forget(scope, grant);
      }
    },

    /**
     * Saves a grant, joined with what a parallel request made of it. One that this request has read is only changed: if it
     * was revoked meanwhile, it must not come back.
     */
    async saveGrant(scope: RequestScope, grant: Buffer, payload: AdapterPayload, expiresAt: Date): Promise<void> {
      const seal = (content: AdapterPayload): Buffer => keys.sealShared('oidc:Grant', grant, JSON.stringify(content));
      const account = accountOf(payload.accountId);
      const known = scope.grants.get(keyOf(grant));
      scope.grants.delete(keyOf(grant));
      let before = Buffer.isBuffer(known) ? known : undefined;
      let joined = payload;
      if (before === undefined) {
        // Whatever is given out by a grant is stored after it, and waits for the disk for both of them.
        const stored = await run(pool, 'oidc_grant_new', NEW_GRANT, [grant, account, seal(joined), expiresAt]);
        if (stored.length === 1) return;
      }
      for (let attempt = 0; attempt < MERGE_ATTEMPTS; attempt += 1) {
        if (before !== undefined) {
          const { rowCount } = await pool.query({
            name: 'oidc_grant_change',
            text: `UPDATE oidc_grants SET account_id = $2, sealed = $3, expires_at = greatest(expires_at, $4)
              WHERE id = $1 AND sealed = $5`,
            values: [grant, account, seal(joined), expiresAt, before],
          });
          if (rowCount === 1) return;
        }
        const { rows } = await pool.query('SELECT sealed FROM oidc_grants WHERE id = $1', [grant]);
        before = rows[0]?.sealed as Buffer | undefined;
        if (before === undefined) throw grantGone();
        joined = joinGrants(JSON.parse(keys.openShared('oidc:Grant', grant, before)) as AdapterPayload, payload);
      }
      throw new Error(`a grant was changed ${MERGE_ATTEMPTS} times while it was being saved`);
    },

    /** The foreign keys take the grant's tokens and codes with it. */
    async destroyGrant(scope: RequestScope, grant: Buffer): Promise<void> {
      await pool.query({ name: 'oidc_grant_end', text: 'DELETE FROM oidc_grants WHERE id = $1', values: [grant] });
      forget(scope, grant);
    },

    async sessionsOf(account: string): Promise<AdapterPayload[]> {
      const found: AdapterPayload[] = [];
      let after = Buffer.alloc(0);
      for (;;) {
        const { rows } = await pool.query({
          name: 'oidc_sessions_of',
          text: `SELECT uid, sealed, version, saved_at FROM oidc_sessions
            WHERE account_id = $1 AND expires_at > $2 AND uid > $3 ORDER BY uid LIMIT $4`,
          values: [accountOf(account), now(), after, LISTED_AT_ONCE],
        });
        for (const { uid, sealed, version, saved_at: savedAt } of rows) {
          found.push(reads.openSession({ uid, sealed, version, savedAt }).payload);
          after = uid;
        }
        if (rows.length < LISTED_AT_ONCE) return found;
      }
    },

    async endSessions(account: string, except?: string): Promise<void> {
      const kept = except === undefined ? Buffer.alloc(0) : handle('Session:uid', except);
      await pool.query('DELETE FROM oidc_sessions WHERE account_id = $1 AND uid <> $2', [accountOf(account), kept]);
    },

    async endGrants(account: string, except: readonly string[]): Promise<void> {
      const kept = except.map((id) => handle('Grant', id));
      await pool.query('DELETE FROM oidc_grants WHERE account_id = $1 AND id <> ALL ($2::bytea[])', [
        accountOf(account),
        kept,
      ]);
    },

    /** The grants of an account are few; which service one is for stands only in its sealed content. */
    async revokeService(account: string, clientId: string): Promise<void> {
      const { rows } = await pool.query('SELECT id, sealed FROM oidc_grants WHERE account_id = $1', [
        accountOf(account),
      ]);
      const ended = rows.filter(
        ({ id, sealed }) => JSON.parse(keys.openShared('oidc:Grant', id, sealed)).clientId === clientId,
      );
      await pool.query('DELETE FROM oidc_grants WHERE id = ANY ($1::bytea[])', [ended.map(({ id }) => id)]);
    },

    /** Sessions first: a sign-in under way then finds its session gone, or has its grant deleted by the second statement. */
    revokeAccount: (account: string): Promise<void> =>
      inTransaction(async (client) => {
        await client.query('DELETE FROM oidc_sessions WHERE account_id = $1', [accountOf(account)]);
        await client.query('DELETE FROM oidc_grants WHERE account_id = $1', [accountOf(account)]);
      }),

    async purgeExpired(limit: number): Promise<number> {
      const before = new Date(now().getTime() - PURGE_MARGIN_SECONDS * 1000);
      let removed = 0;
      for (const [table, key, condition = ''] of PURGED as readonly (readonly [string, string, string?])[]) {
        const { rowCount } = await pool.query(
          `DELETE FROM ${table} WHERE ${key} IN (SELECT ${key} FROM ${table} WHERE expires_at <= $1 ${condition}
            ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED)`,
          [before, limit],
        );
        removed += rowCount ?? 0;
      }
      return removed;
    },
  };
};
