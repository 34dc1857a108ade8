import { randomInt } from 'node:crypto';
import type { Pool } from 'pg';
import type { Keys } from '../keys/keys.ts';
import type { FleetingStore } from './oidc-store.ts';
import { run } from './prepared.ts';

/** Versions start anywhere, so that a note made again after it was taken is never taken for the old one. */
const FIRST_VERSION_BELOW = 2 ** 47;

const PUT = `INSERT INTO fleeting_notes AS n (id, sealed, version, expires_at) VALUES ($1, $2, $3, $4)
  ON CONFLICT (id) DO UPDATE SET sealed = excluded.sealed, version = n.version + 1, expires_at = excluded.expires_at`;
const GET = 'SELECT sealed, version FROM fleeting_notes WHERE id = $1 AND expires_at > $2';
const REPLACE = `UPDATE fleeting_notes SET sealed = $2, version = version + 1, expires_at = $3
  WHERE id = $1 AND version = $4 AND expires_at > $5 RETURNING id`;
const TAKE = 'DELETE FROM fleeting_notes WHERE id = $1 AND expires_at > $2 RETURNING sealed';

/** Notes of the pages in Postgres. */
export const createPostgresFleeting = ({
  pool,
  keys,
  now,
}: {
  pool: Pool;
  keys: Keys;
  now: () => Date;
}): FleetingStore => {
  const handleOf = (kind: string, id: string): Buffer => keys.index(`note:${kind}`, id);
  const seal = (kind: string, handle: Buffer, value: unknown): Buffer =>
    keys.sealShared(`note:${kind}`, handle, JSON.stringify({ value }));
  const open = <T>(kind: string, handle: Buffer, sealed: Buffer): T =>
    (JSON.parse(keys.openShared(`note:${kind}`, handle, sealed)) as { value: T }).value;
  const expiry = (seconds: number): Date => new Date(now().getTime() + seconds * 1000);

  return {
    async put(kind, id, value, ttlSeconds) {
      const handle = handleOf(kind, id);
      const version = randomInt(1, FIRST_VERSION_BELOW);
      await run(pool, 'note_put', PUT, [handle, seal(kind, handle, value), version, expiry(ttlSeconds)]);
    },

    async get<T>(kind: string, id: string) {
      const handle = handleOf(kind, id);
      const [row] = await run<{ sealed: Buffer; version: string }>(pool, 'note_get', GET, [handle, now()]);
      if (row === undefined) return undefined;
      return { value: open<T>(kind, handle, row.sealed), version: Number(row.version) };
    },

    async replace(kind, id, value, version, ttlSeconds) {
      const handle = handleOf(kind, id);
      const values = [handle, seal(kind, handle, value), expiry(ttlSeconds), version, now()];
      return (await run(pool, 'note_replace', REPLACE, values)).length === 1;
    },

    async take<T>(kind: string, id: string) {
      const handle = handleOf(kind, id);
      const [row] = await run<{ sealed: Buffer }>(pool, 'note_take', TAKE, [handle, now()]);
      return row === undefined ? undefined : open<T>(kind, handle, row.sealed);
    },
  };
};
