/** The sandbox as people start it: a process of its own, with its own folder and ports. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../infra/sandbox/main.ts', import.meta.url));
const PORTS = 11;

export type SandboxProcess = {
  readonly port: number;
  readonly folder: string;
  /** What it has written so far. */
  output(): string;
  /** Settles once it is ready, with what it wrote by then; rejects if it ends before. */
  ready(): Promise<string>;
  /** Settles with its exit code. */
  readonly ended: Promise<number | null>;
  kill(signal: NodeJS.Signals): void;
};

export const newFolder = (): string => mkdtempSync(join(tmpdir(), 'sandbox-'));

const isFree = async (port: number): Promise<boolean> => {
  const server = createServer().listen(port, '127.0.0.1');
  const free = await once(server, 'listening').then(
    () => true,
    () => false,
  );
  server.close();
  return free;
};

/** The first of as many free ports in a row as a sandbox takes. */
export const freePorts = async (): Promise<number> => {
  for (;;) {
    const first = 20_000 + Math.floor(Math.random() * 10_000);
    const free = await Promise.all(Array.from({ length: PORTS }, (_, index) => isFree(first + index)));
    if (free.every(Boolean)) return first;
  }
};

export const startSandboxProcess = (
  settings: { port: number; folder: string; env?: Record<string, string> },
  ...args: string[]
): SandboxProcess => {
  const { port, folder, env = {} } = settings;
  const child = spawn(process.execPath, [MAIN, ...args], {
    env: { PATH: process.env['PATH'], PORT: String(port), SANDBOX_DIR: folder, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  // However the tests end, it must not stay behind; its Postgres notices and ends as well.
  const killed = (): boolean => child.kill('SIGKILL');
  process.once('exit', killed);
  child.once('close', () => process.off('exit', killed));
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      child.emit('written');
    });
  }
  const ended = once(child, 'close').then(([code]) => code as number | null);
  return {
    port,
    folder,
    output: () => output,
    ended,
    kill: (signal) => child.kill(signal),
    ready: () =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (output.includes('--fresh starts anew')) resolve(output);
        };
        child.on('written', look);
        look();
        ended.then(() => reject(new Error(`the sandbox ended:\n${output}`)), reject);
      }),
  };
};
