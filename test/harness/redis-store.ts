/** The store on a database of its own with Redis beside it, as the contract suite wants it. */
import type { Redis } from 'ioredis';
import pg from 'pg';
import { createRedisStore } from '../../adapters/oidc-store-redis.ts';
import { connectRedis } from '../../adapters/redis.ts';
import { testDatabase } from './postgres.ts';
import { testKeys } from './postgres-store.ts';
import type { StoreFixture } from './store.ts';

const HOUR_MS = 3_600_000;

/** A Redis of whatever form: its address, and all that is stored in it. */
export type RedisPlace = { readonly url: string; contents(): Promise<string[]> };

/** Keys and values of one server. */
export const contentsOf = async (client: Redis): Promise<string[]> => {
  const texts: string[] = [];
  for (const key of await client.keys('*')) texts.push(key, String(await client.dumpBuffer(key)));
  return texts;
};

export const openRedisStore = async (server: RedisPlace): Promise<StoreFixture> => {
  const database = await testDatabase({ max: 16 });
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
  // On a busy machine a connection may take its time.
  for (let tries = 1; ; tries += 1) {
    try {
      await opened.store.tend();
      break;
    } catch (error) {
      if (tries === 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
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
      const texts = await server.contents();
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
      await database.drop();
    },
  };
};
