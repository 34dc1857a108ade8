/** The store on a database of its own with Redis beside it, as the contract suite wants it. */
import pg from 'pg';
import { createRedisStore } from '../../adapters/oidc-store-redis.ts';
import { connectRedis } from '../../adapters/redis.ts';
import { testDatabase } from './postgres.ts';
import { testKeys } from './postgres-store.ts';
import { startRedis } from './redis.ts';
import type { StoreFixture } from './store.ts';

const HOUR_MS = 3_600_000;

export const openRedisStore = async (): Promise<StoreFixture> => {
  const database = await testDatabase({ max: 16 });
  const server = await startRedis();
  const keys = testKeys();
  // The marks have been complete for an hour.
  const clock = { now: new Date(Date.now() - HOUR_MS) };
  const now = (): Date => clock.now;
  const open = async () => {
    const pool = new pg.Pool({ connectionString: database.url, max: 16 });
    const redis = await connectRedis(server.url);
    const store = createRedisStore({ pool, keys, now }, redis);
    const close = async (): Promise<void> => {
      await pool.end();
      await redis.close();
    };
    return { store, close };
  };
  let opened = await open();
  await opened.store.tend();
  clock.now = new Date();
  return {
    store: opened.store,
    clock,
    purgedKinds: 2,
    guardsLate: true,
    async restart() {
      await opened.close();
      opened = await open();
      return opened.store;
    },
    async dump() {
      const texts: string[] = [];
      for (const key of await server.client.keys('*')) {
        texts.push(key, String(await server.client.dumpBuffer(key)));
      }
      const { rows: tables } = await database.pool.query<{ tablename: string }>(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public'",
      );
      for (const { tablename } of tables) {
        const { rows } = await database.pool.query(`SELECT t::text AS row FROM "${tablename}" t`);
        texts.push(...rows.map(({ row }) => row));
      }
      return texts.join('\n');
    },
    async close() {
      await opened.close();
      await server.end();
      await database.drop();
    },
  };
};
