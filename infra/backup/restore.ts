import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream, existsSync, readFileSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream as WebStream } from 'node:stream/web';
import { Decrypter } from 'age-encryption';
import pg from 'pg';
import * as audit from '../../accounts/audit.ts';
import * as chain from '../../accounts/audit-chain.ts';
import { type Context, inTransaction } from '../../accounts/context.ts';
import * as deletion from '../../accounts/deletion.ts';
import { connect } from '../../adapters/postgres.ts';
import { parseKeyRing } from '../../keys/key-ring.ts';
import { createKeys, type Keys } from '../../keys/keys.ts';
import { type Manifest, TOMBSTONES } from './backup.ts';
import { differences, digests } from './digests.ts';
import { type Environment, forPrograms, Hindrance, needed, postgresProgram, secretFile } from './settings.ts';

export type Restored = {
  readonly takenAt: string;
  readonly rows: number;
  /** Sessions, grants, tokens and codes that are worth nothing any more. */
  readonly revoked: number;
  readonly forgotten: number;
  /** Accounts whose data key was opened with the key ring, to see that the keys fit. */
  readonly opened: number;
  /** What `audit verify` says of the restored audit, against the checkpoints that were kept elsewhere until the backup. */
  readonly audit: { readonly links: number; readonly checkpoints: number; readonly faults: number };
};

/**
 * What was in use at the moment of the backup and must not be any more: a session or token that was revoked since then
 * would come back to life, a mail that has been sent would be sent again. Order of deletion follows the foreign keys.
 */
const REVOKED = [
  'oidc_fleeting',
  'oidc_lasting',
  'oidc_session_ids',
  'oidc_sessions',
  'oidc_grants',
  'fleeting_notes',
  'sessions',
  'email_codes',
  'letter_codes',
] as const;
const OUTBOXES = ['notices', 'logout_notices', 'security_events'] as const;
const SAMPLE = 100;

/** The secret half of the backups' key, as three people's parts have given it. */
export const identityFrom = (env: Environment): string => {
  const what = 'the file that "npm run backup:keys -- join" has written';
  const text = secretFile(env, 'BACKUP_IDENTITY_FILE', 'backup-identity', what);
  const identity = /AGE-SECRET-KEY-[A-Z0-9-]+/.exec(text)?.[0];
  if (identity !== undefined) return identity;
  throw new Hindrance('BACKUP_IDENTITY_FILE holds no identity: it is a line that begins with AGE-SECRET-KEY-.');
};

/**
 * Puts a backup into an empty database, compares every table with its checksum, and then lets nothing live that may have
 * ended since: sessions, codes and tokens are revoked, accounts that were deleted are deleted again.
 */
export const restore = async (env: Environment, backup: Manifest & { readonly folder: string }): Promise<Restored> => {
  const databaseUrl = needed(env, 'DATABASE_URL', 'the address of an empty database');
  const identity = identityFrom(env);
  const ring = parseKeyRing(secretFile(env, 'KEYRING_FILE', 'keyring', 'the path of the key ring'));
  if ('faults' in ring) throw new Hindrance(`KEYRING_FILE: ${ring.faults.join('; ')}.`);

  await checkFile(join(backup.folder, backup.file), backup.sha256);
  const client = new pg.Client({ connectionString: databaseUrl, application_name: 'stadtschluessel restore' });
  await client.connect();
  try {
    const { rows: there } = await client.query<{ count: string }>(
      "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'",
    );
    if (there[0]?.count !== '0')
      throw new Hindrance('The database is not empty: create a new one and restore into it; nothing was changed.');
    await load(env, databaseUrl, identity, join(backup.folder, backup.file));
    await compare(client, backup);
    const keys = createKeys(ring);
    const opened = await openSome(client, keys);
    const revived = await revive(databaseUrl, keys, tombstonesFor(env, backup.folder), checkpointsFor(env), backup);
    const rows = Object.values(backup.digests).reduce((sum, table) => sum + table.rows, 0);
    return { takenAt: backup.takenAt, rows, opened, ...revived };
  } finally {
    await client.end();
  }
};

const checkFile = async (path: string, sha256: string): Promise<void> => {
  if (!existsSync(path)) throw new Hindrance(`There is no file ${path}.`);
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  if (hash.digest('hex') !== sha256)
    throw new Hindrance(`${path} is damaged: its checksum is another one. Take the backup before it.`);
};

/** The file, through age, into pg_restore: plain data never touches a disk. All of it or nothing. */
const load = async (env: Environment, databaseUrl: string, identity: string, path: string): Promise<void> => {
  const decrypter = new Decrypter();
  decrypter.addIdentity(identity);
  const sealed = Readable.toWeb(createReadStream(path)) as ReadableStream<Uint8Array>;
  const plain = await decrypter.decrypt(sealed).catch(() => {
    throw new Hindrance('The identity does not open this backup: it belongs to another recipient.');
  });
  const { url, env: password } = forPrograms(databaseUrl);
  const args = ['--single-transaction', '--exit-on-error', '--no-owner', '--no-privileges', `--dbname=${url}`];
  const child = spawn(postgresProgram(env, 'pg_restore'), args, {
    env: { PATH: env['PATH'], LC_ALL: 'C', ...password },
    stdio: ['pipe', 'ignore', 'pipe'],
  });
  let complaint = '';
  child.stderr.on('data', (chunk: Buffer) => {
    complaint = (complaint + chunk.toString()).slice(-2000);
  });
  const ended = once(child, 'close');
  await pipeline(Readable.fromWeb(plain as WebStream), child.stdin).catch((error: NodeJS.ErrnoException) => {
    // pg_restore has ended before its input: its own words say why.
    if (error.code !== 'EPIPE') throw error;
  });
  const [code] = (await ended) as [number | null];
  if (code !== 0) throw new Hindrance(`pg_restore ended with ${code}: ${complaint.trim().split('\n').at(-1)}`);
};

const compare = async (client: pg.Client, backup: Manifest): Promise<void> => {
  await client.query('BEGIN');
  const different = differences(backup.digests, await digests(client), backup.unlogged);
  await client.query('COMMIT');
  if (different.length > 0)
    throw new Hindrance(`The restored data is not what was backed up: ${different.join('; ')}.`);
};

/** Whether the key ring belongs to the data: a key that is missing shows now and not at the first sign-in. */
const openSome = async (client: pg.Client, keys: Keys): Promise<number> => {
  const { rows } = await client.query<{ id: string; data_key: Buffer; version: number; email: Buffer | null }>(
    `SELECT id, data_key, data_key_version AS version, email_sealed AS email FROM accounts
      WHERE data_key IS NOT NULL ORDER BY random() LIMIT ${SAMPLE}`,
  );
  for (const { id, data_key: wrapped, version, email } of rows) {
    try {
      const key = keys.openDataKey(id, wrapped, version);
      if (email !== null) keys.open(key, id, 'accounts.email', email);
    } catch {
      throw new Hindrance(
        'The key ring does not open the accounts: it is not the one of this backup. Nothing was put in service.',
      );
    }
  }
  return rows.length;
};

/** The newest list of accounts that are gone: the one that is given, or the one beside the backups. */
const tombstonesFor = (env: Environment, folder: string): string => {
  const path = env['TOMBSTONES_FILE'] ?? join(folder, TOMBSTONES);
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
};

/** The checkpoints that were kept outside of the database, if they are a file. */
const checkpointsFor = (env: Environment): chain.Checkpoint[] => {
  const path = env['AUDIT_CHECKPOINTS'];
  if (path === undefined || !isAbsolute(path)) return [];
  if (!existsSync(path)) throw new Hindrance(`AUDIT_CHECKPOINTS: there is no file ${path}.`);
  return readFileSync(path, 'utf8')
    .split('\n')
    .map(chain.parseCheckpoint)
    .filter((one) => one !== undefined);
};

const revive = async (
  databaseUrl: string,
  keys: Keys,
  gone: string,
  checkpoints: readonly chain.Checkpoint[],
  backup: Manifest,
): Promise<Pick<Restored, 'revoked' | 'forgotten' | 'audit'>> => {
  const postgres = connect(databaseUrl, { applicationName: 'stadtschluessel restore', max: 2 });
  const ctx: Context = { db: postgres.knex, now: () => new Date(), keys, actor: { kind: 'system', part: 'restore' } };
  try {
    const revoked = await inTransaction(ctx, async (tx) => {
      let rows = 0;
      await tx.db.raw('SET LOCAL statement_timeout = 0');
      for (const table of REVOKED) rows += table in backup.digests ? await tx.db(table).delete() : 0;
      for (const table of OUTBOXES) if (table in backup.digests) await tx.db(table).delete();
      return rows;
    });
    // Sessions and tokens are gone already, and services were told at the time.
    const forgotten = await deletion.replayTombstones(ctx, gone, {
      service: () => undefined,
      api: () => undefined,
      revoke: async () => {},
    });
    await audit.record(ctx, 'backup-restored', { detail: { taken: backup.takenAt, revoked, forgotten } });
    await chain.advance(ctx);
    // What was recorded after the backup is lost with it: later checkpoints vouch for rows that nobody has any more.
    const until = checkpoints.filter(({ at }) => at <= backup.takenAt);
    const { links, faults } = await chain.verify(ctx, until);
    return { revoked, forgotten, audit: { links, checkpoints: until.length, faults: faults.length } };
  } finally {
    await postgres.close();
  }
};
