/**
 * Real Postgres for tests: one cluster per ava run (or the server named by TEST_DATABASE_URL), in it one template
 * database with every migration applied, and for each caller a copy of that template.
 */
import { createHash, randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import knexOf, { type Knex } from 'knex';
import pg from 'pg';
import { migrate } from '../../adapters/postgres.ts';
import { startCluster } from './cluster.ts';

/** A database of one's own, all migrations applied and empty otherwise. */
export type TestDatabase = {
  readonly url: string;
  readonly knex: Knex;
  readonly pool: pg.Pool;
  /** Closes the connections and removes the database. */
  drop(): Promise<void>;
};

/** The folder of the product's migrations. */
export const MIGRATIONS = fileURLToPath(new URL('../../infra/migrations', import.meta.url));
/** Any fixed number: guards the making of the template against parallel test processes. */
const TEMPLATE_LOCK = 734_001;

// A shared worker can only be registered while ava loads the test file; outside of ava the process has its own cluster.
const sharedWorker =
  process.env['TEST_DATABASE_URL'] === undefined && process.argv[1]?.includes('/ava/')
    ? (await import('ava/plugin')).registerSharedWorker({
        filename: new URL('shared-cluster.ts', import.meta.url),
        supportedProtocols: ['ava-4'],
      })
    : undefined;

const serverUrl = async (): Promise<string> => {
  const given = process.env['TEST_DATABASE_URL'];
  if (given !== undefined) return given;
  if (sharedWorker === undefined) return (await startCluster()).url;
  await sharedWorker.available;
  for await (const { data } of sharedWorker.publish('url').replies()) {
    const { url, fault } = data as { url?: string; fault?: string };
    if (url !== undefined) return url;
    throw new Error(fault);
  }
  throw new Error('The shared cluster did not answer.');
};

let server: Promise<string> | undefined;

const onServer = async <T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> => {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {}); // the query under way reports the same loss
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
};

const withDatabase = (url: string, database: string): string => {
  const result = new URL(url);
  result.pathname = `/${database}`;
  return result.href;
};

const templateName = (): string => {
  const hash = createHash('sha256');
  for (const file of readdirSync(MIGRATIONS).sort()) hash.update(file).update(readFileSync(`${MIGRATIONS}/${file}`));
  return `template_${hash.digest('hex').slice(0, 16)}`;
};

/** Makes the template under a name that changes with the migrations; a half-made one has the name with `_raw`. */
const ensureTemplate = (url: string): Promise<string> =>
  onServer(url, async (client) => {
    const name = templateName();
    await client.query('SELECT pg_advisory_lock($1)', [TEMPLATE_LOCK]);
    const { rowCount } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [name]);
    if (rowCount === 0) {
      await client.query(`DROP DATABASE IF EXISTS ${name}_raw`);
      await client.query(`CREATE DATABASE ${name}_raw TEMPLATE template0`);
      await migrate(withDatabase(url, `${name}_raw`), MIGRATIONS);
      await client.query(`ALTER DATABASE ${name}_raw RENAME TO ${name}`);
    }
    return name;
  });

/**
 * Removes a database once its last session has gone. Not by force: that would break connections which somebody still
 * holds, and an idle connection's error ends the process. What is left then goes away with the cluster.
 */
const dropQuietly = async (url: string, name: string): Promise<void> => {
  for (let attempt = 0; attempt < 10; attempt += 1) {
    try {
      await onServer(url, (client) => client.query(`DROP DATABASE IF EXISTS ${name}`));
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
};

/** Copies the template on the given server (default: the shared one). `max` bounds each of the two connection pools. */
export const testDatabase = async (options: { server?: string; max?: number } = {}): Promise<TestDatabase> => {
  server ??= serverUrl();
  const admin = options.server ?? (await server);
  const template = await ensureTemplate(admin);
  const name = `test_${randomBytes(8).toString('hex')}`;
  await onServer(admin, (client) => client.query(`CREATE DATABASE ${name} TEMPLATE ${template}`));
  const url = withDatabase(admin, name);
  const max = options.max ?? 10;
  const knex = knexOf({ client: 'pg', connection: url, pool: { min: 0, max, idleTimeoutMillis: 1000 } });
  const pool = new pg.Pool({ connectionString: url, max, allowExitOnIdle: true });
  pool.on('error', () => {}); // a test that stops the server breaks idle connections on purpose
  return {
    url,
    knex,
    pool,
    drop: async () => {
      await Promise.all([knex.destroy(), pool.end()]);
      await dropQuietly(admin, name);
    },
  };
};
