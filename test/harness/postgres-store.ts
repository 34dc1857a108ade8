/** The store on a Postgres database of its own, as the contract suite wants it. */
import pg from 'pg';
import { createPostgresStore } from '../../adapters/oidc-store-postgres.ts';
import { newKeyRing, parseKeyRing } from '../../keys/key-ring.ts';
import { createKeys, type Keys } from '../../keys/keys.ts';
import { testDatabase } from './postgres.ts';
import type { StoreFixture } from './store.ts';

/** Fresh keys. */
export const testKeys = (): Keys => {
  const ring = parseKeyRing(newKeyRing());
  if ('faults' in ring) throw new Error(ring.faults.join('\n'));
  return createKeys(ring);
};

export const openPostgresStore = async (): Promise<StoreFixture> => {
  const database = await testDatabase({ max: 16 });
  const keys = testKeys();
  const clock = { now: new Date() };
  const now = (): Date => clock.now;
  let pool = new pg.Pool({ connectionString: database.url, max: 16 });
  return {
    store: createPostgresStore({ pool, keys, now }),
    clock,
    purgedKinds: 4,
    guardsLate: false,
    async restart() {
      await pool.end();
      pool = new pg.Pool({ connectionString: database.url, max: 16 });
      return createPostgresStore({ pool, keys, now });
    },
    async dump() {
      const { rows: tables } = await database.pool.query<{ tablename: string }>(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public'",
      );
      const contents = tables.map(({ tablename }) =>
        database.pool.query(`SELECT t::text AS row FROM "${tablename}" t`),
      );
      return (await Promise.all(contents)).flatMap(({ rows }) => rows.map(({ row }) => row)).join('\n');
    },
    async close() {
      await pool.end();
      await database.drop();
    },
  };
};
