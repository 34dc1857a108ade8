/** A real redis-server of its own, for tests that lose it. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Redis } from 'ioredis';
import { freePort } from './free-port.ts';

export type TestRedis = {
  readonly url: string;
  /** For the test's own questions. */
  readonly client: Redis;
  /** As a crash: what was not written to disk is gone, and nothing is written here. */
  kill(): Promise<void>;
  start(): Promise<void>;
  freeze(): void;
  thaw(): void;
  end(): Promise<void>;
};

/** Whether the machine has a redis-server; in CI its absence is a failure of the tests, elsewhere they are left out. */
export const hasRedis = (): boolean => {
  try {
    execFileSync('redis-server', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    if (process.env['CI'] !== undefined) throw new Error('redis-server is missing: install the package redis-server');
    console.log('redis-server is not installed: the tests of Redis are left out.');
    return false;
  }
};

/** Starts a server on a free port; it ends with `end`, and with this process at the latest. */
export const startRedis = async (): Promise<TestRedis> => {
  const folder = mkdtempSync(path.join(tmpdir(), 'stadtschluessel-redis-'));
  const port = await freePort();
  let server: ChildProcess | undefined;
  const client = new Redis({ host: '127.0.0.1', port, lazyConnect: true, retryStrategy: () => 50 });
  client.on('error', () => {}); // the tests break it on purpose
  const start = async (): Promise<void> => {
    server = spawn('redis-server', ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', folder], {
      stdio: 'ignore',
    });
    if (client.status === 'wait') await client.connect().catch(() => {});
    for (let tries = 0; tries < 200; tries += 1) {
      if ((await client.ping().catch(() => '')) === 'PONG') return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error('redis-server did not start');
  };
  const kill = async (): Promise<void> => {
    const one = server;
    if (one === undefined || one.exitCode !== null || one.signalCode !== null) return;
    const gone = new Promise((resolve) => one.once('exit', resolve));
    one.kill('SIGCONT');
    one.kill('SIGKILL');
    await gone;
  };
  const atExit = (): void => void server?.kill('SIGKILL');
  process.once('exit', atExit);
  await start();
  return {
    url: `redis://127.0.0.1:${port}`,
    client,
    kill,
    start,
    freeze: () => void server?.kill('SIGSTOP'),
    thaw: () => void server?.kill('SIGCONT'),
    async end() {
      process.off('exit', atExit);
      client.disconnect();
      await kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
};
