import { type Adapter, errors } from 'oidc-provider';
import type { Pool } from 'pg';
import { MARK_SECONDS } from './oidc-store.ts';

type Base = { pool: Pool; now: () => Date };

/**
 * Which JWTs (client assertions, DPoP proofs) have been seen. oidc-provider asks `find`, then `upsert`s: between the two
 * a second use would pass. So `find` sets the mark itself, in one statement that only one caller can win; all others
 * find it, and oidc-provider answers them with the error that fits the place (400 or 401). `upsert` then only has to
 * prolong the caller's own mark where it is wanted for long.
 */
export const createReplayMarks = (
  { pool, now }: Base,
  handle: (kind: string, id: string) => Buffer,
  expiry: (seconds: number | undefined) => Date,
): Adapter => {
  /** Ids whose mark was set by a `find` of this process that waits for its `upsert`. */
  const reserved = new Set<string>();
  const unsupported = (): Promise<never> => Promise.reject(new TypeError('not a method of ReplayDetection'));

  const set = async (id: string, expiresAt: Date): Promise<boolean> => {
    const { rowCount } = await pool.query({
      name: 'oidc_mark',
      text: `INSERT INTO replay_marks AS m (id, expires_at) VALUES ($2, $3)
        ON CONFLICT (id) DO UPDATE SET expires_at = excluded.expires_at WHERE m.expires_at <= $1`,
      values: [now(), handle('ReplayDetection', id), expiresAt],
    });
    return rowCount === 1;
  };

  return {
    find: async (id) => {
      if (!(await set(id, expiry(MARK_SECONDS)))) return { jti: id, kind: 'ReplayDetection' };
      reserved.add(id);
      return undefined;
    },
    upsert: async (id, _payload, seconds) => {
      const expiresAt = expiry(Math.max(seconds ?? MARK_SECONDS, MARK_SECONDS));
      if (!reserved.delete(id)) {
        if (!(await set(id, expiresAt))) throw new errors.InvalidGrant('token was already used');
      } else if (seconds !== undefined && seconds > MARK_SECONDS) {
        await pool.query({
          name: 'oidc_mark_longer',
          text: 'UPDATE replay_marks SET expires_at = greatest(expires_at, $2) WHERE id = $1',
          values: [handle('ReplayDetection', id), expiresAt],
        });
      }
    },
    destroy: unsupported,
    consume: unsupported,
    findByUid: unsupported,
    findByUserCode: unsupported,
    revokeByGrantId: unsupported,
  };
};
