import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createWriteStream, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough, Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream as WebStream } from 'node:stream/web';
import { Encrypter } from 'age-encryption';
import pg from 'pg';
import { type Digests, digests } from './digests.ts';
import { type Environment, forPrograms, Hindrance, needed, postgresProgram } from './settings.ts';

/** What is known about a backup without opening it. */
export type Manifest = {
  readonly file: string;
  /** The moment whose data it holds. */
  readonly takenAt: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly postgres: string;
  readonly migrations: readonly string[];
  readonly digests: Digests;
  /** Tables that hold nothing after a restore, as they hold nothing after a crash. */
  readonly unlogged: readonly string[];
};

const MANIFEST = /^schluessel-\d{8}T\d{6}Z\.json$/;
/** GDPR 17: erased data leaves the backups within a month. */
const KEEP_DAYS = 30;
const DAY_MS = 86_400_000;
export const TOMBSTONES = 'tombstones.jsonl';

/** Backups in a folder, the newest first. */
export const backupsIn = (folder: string): Manifest[] =>
  readdirSync(folder)
    .filter((name) => MANIFEST.test(name))
    .sort()
    .reverse()
    .map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as Manifest);

/** Writes a file whole or not at all. */
export const writeWhole = (path: string, text: string, mode = 0o600): void => {
  const next = `${path}.new`;
  rmSync(next, { force: true });
  writeFileSync(next, text, { mode, flush: true });
  renameSync(next, path);
};

/**
 * Takes a backup: one consistent moment of the whole database, sealed for the backup's recipients before it touches a
 * disk. The machine that takes it cannot open it.
 */
export const takeBackup = async (env: Environment, now: () => Date = () => new Date()): Promise<Manifest> => {
  const databaseUrl = needed(env, 'DATABASE_URL', 'the address of the database');
  const folder = needed(env, 'BACKUP_FOLDER', 'the folder for backups, best on another machine');
  const recipients = needed(
    env,
    'BACKUP_RECIPIENT',
    'the public key that "npm run backup:keys -- new" has printed',
  ).split(/[\s,]+/);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const encrypter = new Encrypter();
  for (const recipient of recipients) {
    if (!/^age1/.test(recipient)) throw new Hindrance('BACKUP_RECIPIENT is no public key: it begins with age1.');
    encrypter.addRecipient(recipient);
  }

  const client = new pg.Client({ connectionString: databaseUrl, application_name: 'stadtschluessel backup' });
  await client.connect().catch((error: Error) => {
    throw new Hindrance(`DATABASE_URL: no connection (${(error as NodeJS.ErrnoException).code ?? error.message}).`);
  });
  try {
    // The dump and the checksums see the same moment.
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    const { rows } = await client.query<{
      snapshot: string;
      version: string;
      at: Date;
      unlogged: string[] | null;
      migrations: string[];
    }>(
      `SELECT pg_export_snapshot() AS snapshot, current_setting('server_version') AS version, clock_timestamp() AS at,
              (SELECT array_agg(relname::text) FROM pg_class WHERE relpersistence = 'u' AND relkind = 'r') AS unlogged,
              (SELECT array_agg(name ORDER BY name) FROM migrations) AS migrations`,
    );
    const [moment] = rows;
    if (moment === undefined) throw new Error('the database gave no answer');
    const name = `schluessel-${moment.at.toISOString().replaceAll(/[-:]|\.\d+/g, '')}`;
    const file = `${name}.dump.age`;
    const dumping = dump(env, databaseUrl, moment.snapshot, encrypter, join(folder, file));
    const sealed = await dumping;
    const manifest: Manifest = {
      file,
      takenAt: moment.at.toISOString(),
      ...sealed,
      postgres: moment.version,
      migrations: moment.migrations,
      digests: await digests(client),
      unlogged: moment.unlogged ?? [],
    };
    writeWhole(join(folder, TOMBSTONES), await tombstones(client));
    writeWhole(join(folder, `${name}.json`), `${JSON.stringify(manifest, null, 2)}\n`);
    forget(folder, now());
    return manifest;
  } finally {
    await client.end();
  }
};

/** pg_dump, through age, into a file. */
const dump = async (
  env: Environment,
  databaseUrl: string,
  snapshot: string,
  encrypter: Encrypter,
  path: string,
): Promise<{ bytes: number; sha256: string }> => {
  const { url, env: password } = forPrograms(databaseUrl);
  const program = postgresProgram(env, 'pg_dump');
  const args = [
    '--format=custom',
    '--compress=6',
    '--no-owner',
    '--no-privileges',
    '--no-unlogged-table-data',
    '--lock-wait-timeout=10s',
    `--snapshot=${snapshot}`,
    url,
  ];
  const child = spawn(program, args, {
    env: { PATH: env['PATH'], LC_ALL: 'C', ...password },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let complaint = '';
  child.stderr.on('data', (chunk: Buffer) => {
    complaint = (complaint + chunk.toString()).slice(-2000);
  });
  const ended = once(child, 'close').then(
    ([code]) => code as number | null,
    (error: Error) => {
      complaint = error.message;
      return -1;
    },
  );
  const hash = createHash('sha256');
  let bytes = 0;
  const count = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      bytes += chunk.length;
      done(null, chunk);
    },
  });
  const next = `${path}.new`;
  try {
    const plain = Readable.toWeb(child.stdout.pipe(new PassThrough())) as ReadableStream<Uint8Array>;
    const sealed = await encrypter.encrypt(plain);
    await pipeline(Readable.fromWeb(sealed as WebStream), count, createWriteStream(next, { mode: 0o600, flush: true }));
    // A dump that broke off ends its stream like one that is complete: its exit code tells.
    const code = await ended;
    if (code !== 0) throw new Hindrance(`pg_dump ended with ${code}: ${complaint.trim().split('\n').at(-1)}`);
    renameSync(next, path);
  } catch (error) {
    child.kill();
    rmSync(next, { force: true });
    throw error;
  }
  return { bytes, sha256: hash.digest('hex') };
};

/** One line of JSON for each account that is gone, as accounts/deletion.ts reads them; in the backup's own snapshot. */
const tombstones = async (client: pg.ClientBase): Promise<string> => {
  const { rows } = await client.query<{ account: string; gone_on: string }>(
    "SELECT account_id AS account, to_char(gone_on, 'YYYY-MM-DD') AS gone_on FROM tombstones ORDER BY gone_on, account_id",
  );
  return rows.map((row) => `${JSON.stringify(row)}\n`).join('');
};

/** Writes the tombstones of this moment; to be done far more often than a backup. */
export const exportTombstones = async (env: Environment): Promise<number> => {
  const folder = needed(env, 'BACKUP_FOLDER', 'the folder for backups');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const client = new pg.Client({ connectionString: needed(env, 'DATABASE_URL', 'the address of the database') });
  await client.connect();
  try {
    const lines = await tombstones(client);
    writeWhole(join(folder, TOMBSTONES), lines);
    return lines.split('\n').length - 1;
  } finally {
    await client.end();
  }
};

/** Removes backups that are too old; the newest always stays. */
const forget = (folder: string, now: Date): void => {
  for (const { file, takenAt } of backupsIn(folder).slice(1)) {
    if (now.getTime() - Date.parse(takenAt) < KEEP_DAYS * DAY_MS) continue;
    rmSync(join(folder, file), { force: true });
    rmSync(join(folder, file.replace(/\.dump\.age$/, '.json')), { force: true });
  }
};
