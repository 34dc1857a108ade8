import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import createKnex, { type Knex } from 'knex';
import pg from 'pg';
import { beginWait, type Patience } from './patience.ts';
import { run, type Value } from './prepared.ts';
import { asIn, requestContext } from './request-context.ts';
import { beginPart } from './tracing.ts';

/** One pool of connections, seen by Knex and as it is. */
export type Postgres = { readonly knex: Knex; readonly pool: pg.Pool; close(): Promise<void> };

/** The server gives up on a statement before the client does, so that a slow one costs no connection. */
const STATEMENT_TIMEOUT_MS = 2_500;
/** After this much silence the server is taken for dead and the connection is cut. */
const SILENCE_TIMEOUT_MS = 3_000;
/** For a new connection, and for a free one. */
const CONNECT_TIMEOUT_MS = 3_000;
/** Frees the locks of a process that died or froze within a transaction. */
const IDLE_IN_TRANSACTION_TIMEOUT_MS = 5_000;

/** A request that gave up still ends its transaction: otherwise the connection would go back with it. */
const ENDS_TRANSACTION = /^\s*(commit|rollback)/i;

/**
 * A client that cuts its connection when the server stays silent. `pg`'s own `query_timeout` only stops waiting: the
 * connection would go back to the pool with the old query still in it, and hold up all who get it next.
 */
class ImpatientClient extends pg.Client {
  // biome-ignore lint/suspicious/noExplicitAny: the overloads of `query` cannot be restated, arguments pass unchanged
  override query(...args: any[]): any {
    const callback = args.at(-1);
    let waited: Patience | undefined;
    try {
      waited = beginWait(ENDS_TRANSACTION.test(String(args[0]?.text ?? args[0])));
    } catch (error) {
      if (typeof callback !== 'function') return Promise.reject(error);
      process.nextTick(callback, error);
      return undefined;
    }
    const timer = setTimeout(() => this.connection.stream.destroy(), SILENCE_TIMEOUT_MS);
    const end = beginPart('database');
    const done = (failed: boolean): void => {
      clearTimeout(timer);
      waited?.end();
      end?.(failed);
    };
    if (typeof callback === 'function') {
      args[args.length - 1] = (...result: unknown[]): void => {
        done(result[0] != null);
        callback(...result);
      };
      return super.query(...(args as Parameters<pg.Client['query']>));
    }
    const result: unknown = super.query(...(args as Parameters<pg.Client['query']>));
    if (result instanceof Promise)
      result.then(
        () => done(false),
        () => done(true),
      );
    else done(false);
    return result;
  }

  /** Runs a prepared statement within whatever this connection is in; what `accounts/` runs often goes out here. */
  prepared(name: string, text: string, values: readonly Value[]): Promise<unknown[]> {
    return run(this, name, text, values);
  }
}

/** A pool in which a request waits no longer for a connection than it may. */
class ImpatientPool extends pg.Pool {
  // biome-ignore lint/suspicious/noExplicitAny: the overloads of `connect` cannot be restated, arguments pass unchanged
  override connect(callback?: any): any {
    let waited: Patience | undefined;
    try {
      waited = beginWait();
    } catch (error) {
      if (callback === undefined) return Promise.reject(error);
      process.nextTick(callback, error);
      return undefined;
    }
    if (callback === undefined) return super.connect().finally(() => waited?.end());
    const context = requestContext();
    return super.connect((...result) => {
      waited?.end();
      // Called by whoever gives a connection back: what follows belongs to the one who has waited for it.
      if (requestContext() === context) callback(...result);
      else asIn(context, () => callback(...result));
    });
  }
}

/** Opens a pool of at most `max` connections; nothing connects before the first query. */
export const connect = (url: string, options: { applicationName: string; max: number }): Postgres => {
  const pool = new ImpatientPool({
    Client: ImpatientClient,
    connectionString: url,
    application_name: options.applicationName,
    max: options.max,
    // Whatever was opened stays open: a new connection costs a process, a password check and every statement planned anew,
    // more than thousands of requests, and would come when many ask at once.
    min: options.max,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    // Bytes are read as hexadecimal digits, whatever database or role say.
    options: '-c plan_cache_mode=force_generic_plan -c bytea_output=hex',
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_TIMEOUT_MS,
    keepAlive: true,
  });
  // An error without a listener ends the process. Whoever waits for the connection is told by the query's own error.
  pool.on('error', () => {});
  pool.on('connect', (client) => {
    client.on('error', (error) => Object.assign(client, { __knex__disposed: error }));
  });
  const knex = createKnex({
    client: 'pg',
    connectionPool: pool,
    // Messages of errors reach the log: they may quote the statement, never the values that went into it.
    compileSqlOnError: false,
    // What Knex would print beside the log is thrown to the caller as well.
    log: { debug() {}, warn() {}, error() {}, deprecate() {} },
  });
  return {
    knex,
    pool,
    async close() {
      await knex.destroy();
      await pool.end();
    },
  };
};

/** Why the database cannot be migrated, for an operator: one clear sentence. */
export class MigrationFault extends Error {
  override readonly name = 'MigrationFault';
}

const MIGRATION_FILE = /^\d{4}-[a-z0-9-]+\.sql$/;
/** Any fixed number: nodes that start together migrate one after the other. */
const MIGRATION_LOCK = 7_214_906_113;
/** A migration that waits for a lock holds up everybody behind it: better to give up and to start again. */
const MIGRATION_LOCK_TIMEOUT = '5s';

type MigrationFile = { name: string; sql: string; checksum: string };

const readMigrations = async (directory: string): Promise<MigrationFile[]> => {
  const names = (await readdir(directory)).filter((name) => name.endsWith('.sql')).sort();
  const misnamed = names.find((name) => !MIGRATION_FILE.test(name));
  if (misnamed !== undefined) throw new MigrationFault(`${misnamed}: a migration is named like 0001-what-it-does.sql`);
  return Promise.all(
    names.map(async (name) => {
      const sql = await readFile(path.join(directory, name), 'utf8');
      return { name, sql, checksum: createHash('sha256').update(sql).digest('hex') };
    }),
  );
};

/** The files still to be applied. Applied ones that are not there any more are fine: an older node starts again. */
const pendingMigrations = (files: MigrationFile[], applied: ReadonlyMap<string, string>): MigrationFile[] => {
  const last = [...applied.keys()].sort().at(-1) ?? '';
  for (const { name, checksum } of files) {
    const before = applied.get(name);
    if (before !== undefined && before !== checksum) {
      throw new MigrationFault(`${name} was changed after it had been applied; restore it and add a new migration`);
    }
    if (before === undefined && name < last) {
      throw new MigrationFault(`${name} comes before ${last}, which has been applied; give it a later number`);
    }
  }
  return files.filter(({ name }) => !applied.has(name));
};

/**
 * Applies the migrations of a directory that are not applied yet, each in its own transaction, forward only.
 * @returns the names of those applied now
 * @throws MigrationFault if an applied file was changed, or a file comes before an applied one
 */
export const migrate = async (url: string, directory: string): Promise<string[]> => {
  const files = await readMigrations(directory);
  const client = new pg.Client({
    connectionString: url,
    application_name: 'stadtschluessel migrations',
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
  });
  // The statement under way reports the same loss; without a listener the process would end before.
  client.on('error', () => {});
  await client.connect();
  try {
    await client.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK]);
    // Not `IF NOT EXISTS`, which needs the right to make tables also where there is nothing to make.
    const { rows: standing } = await client.query<{ exists: boolean; owner: boolean | null }>(
      `SELECT to_regclass('migrations') IS NOT NULL AS exists,
         (SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = to_regclass('migrations')) AS owner`,
    );
    if (standing[0]?.exists !== true) {
      await client.query(
        'CREATE TABLE migrations (name text PRIMARY KEY, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())',
      );
    }
    const { rows } = await client.query<{ name: string; checksum: string }>('SELECT name, checksum FROM migrations');
    const pending = pendingMigrations(files, new Map(rows.map(({ name, checksum }) => [name, checksum])));
    if (pending.length > 0 && standing[0]?.owner === false) {
      const names = pending.map(({ name }) => name).join(', ');
      throw new MigrationFault(`${names} must be applied by the owner of the database first: npm run migrate`);
    }
    for (const { name, sql, checksum } of pending) {
      try {
        await client.query('BEGIN');
        await client.query(`SET LOCAL lock_timeout = '${MIGRATION_LOCK_TIMEOUT}'`);
        await client.query(sql);
        await client.query('INSERT INTO migrations (name, checksum) VALUES ($1, $2)', [name, checksum]);
        await client.query('COMMIT');
      } catch (error) {
        throw new MigrationFault(`${name}: ${(error as Error).message}`, { cause: error });
      }
    }
    return pending.map(({ name }) => name);
  } finally {
    // Ends an open transaction and frees the lock, too.
    await client.end();
  }
};

export type Listening = { close(): Promise<void> };

const CHANNEL = /^[a-z_]{1,63}$/;
const FIRST_RECONNECT_MS = 200;
const LONGEST_RECONNECT_MS = 10_000;
const HEARTBEAT_MS = 15_000;

/**
 * Listens to channels on a connection of its own, and connects again whenever it is lost. What was notified meanwhile is
 * lost too: after each reconnection `onNotify` is called for every channel.
 * @returns once listening for the first time; rejects if that fails
 */
export const listen = async (
  url: string,
  channels: readonly string[],
  onNotify: (channel: string, payload: string) => void,
): Promise<Listening> => {
  for (const channel of channels) if (!CHANNEL.test(channel)) throw new Error(`not a channel: ${channel}`);
  let closed = false;
  let client: pg.Client | undefined;
  let reconnect: NodeJS.Timeout | undefined;

  const open = async (): Promise<void> => {
    const opening = new ImpatientClient({
      connectionString: url,
      application_name: 'stadtschluessel listener',
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      keepAlive: true,
    });
    opening.on('error', () => {});
    try {
      await opening.connect();
      for (const channel of channels) await opening.query(`LISTEN ${channel}`);
    } catch (error) {
      await opening.end().catch(() => {});
      throw error;
    }
    if (closed) return opening.end();
    client = opening;
    opening.on('notification', ({ channel, payload }) => onNotify(channel, payload ?? ''));
    // A peer that vanished without a word is noticed by the query that is not answered.
    const heartbeat = setInterval(() => opening.query('SELECT 1').catch(() => {}), HEARTBEAT_MS);
    heartbeat.unref();
    opening.once('end', () => {
      clearInterval(heartbeat);
      client = undefined;
      if (!closed) tryAgain(FIRST_RECONNECT_MS);
    });
  };

  const tryAgain = (delay: number): void => {
    reconnect = setTimeout(() => {
      open().then(
        () => {
          if (!closed) for (const channel of channels) onNotify(channel, '');
        },
        () => {
          if (!closed) tryAgain(Math.min(delay * 2, LONGEST_RECONNECT_MS));
        },
      );
    }, delay);
    reconnect.unref();
  };

  await open();
  return {
    async close() {
      closed = true;
      clearTimeout(reconnect);
      await client?.end();
    },
  };
};
