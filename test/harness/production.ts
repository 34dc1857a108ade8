/** `provider/main.ts` as it runs in production, on a database of its own, for tests of whole processes. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import * as clients from '../../accounts/clients.ts';
import type { Context } from '../../accounts/context.ts';
import type { Registration } from '../../accounts/town.ts';
import { newKeyRing, parseKeyRing } from '../../keys/key-ring.ts';
import { createKeys } from '../../keys/keys.ts';
import { freePort } from './free-port.ts';
import { testDatabase } from './postgres.ts';

const MAIN = fileURLToPath(new URL('../../provider/main.ts', import.meta.url));
const TOWN_FILE = fileURLToPath(new URL('../../infra/towns/guetersloh/town.yaml', import.meta.url));
export const PRODUCTION_HOST = 'id.bench.example';

/** One process, with its workers if it has any. */
export type Node = {
  readonly port: number;
  readonly pid: number;
  /** What was written to standard output and error so far. */
  readonly output: () => string;
  signal(name: NodeJS.Signals): void;
  /** Waits until the text is written, so many times. */
  wrote(text: string, times?: number): Promise<void>;
  /** The exit code. */
  ended: Promise<number | null>;
  stop(): Promise<void>;
};

export type Production = Node & {
  readonly context: Context;
  readonly databaseUrl: string;
  readonly secretOf: (clientId: string) => string;
  /** Its settings, for a second node beside it. */
  readonly settings: Readonly<Record<string, string>>;
};

const SHIFTED_CLOCK = fileURLToPath(new URL('shifted-clock.ts', import.meta.url));

/**
 * Starts a process with these settings, on a free port unless they name one, and waits until it answers; its clock may be
 * wrong by some seconds, and it may be of another version.
 */
export const startNode = async (
  settings: Readonly<Record<string, string>>,
  { clockSeconds = 0, main = MAIN }: { clockSeconds?: number; main?: string } = {},
): Promise<Node> => {
  const port = Number(settings['PORT'] ?? (await freePort()));
  const shift = clockSeconds === 0 ? [] : ['--import', SHIFTED_CLOCK];
  const child = spawn(process.execPath, [...shift, main], {
    env: { ...settings, PORT: String(port), PATH: process.env['PATH'], TEST_CLOCK_SECONDS: String(clockSeconds) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  }
  const ended = once(child, 'exit').then(([code]) => code as number | null);
  const wrote = async (wanted: string, times = 1): Promise<void> => {
    const deadline = Date.now() + 180_000;
    while (output.split(wanted).length <= times) {
      if (child.exitCode !== null || Date.now() > deadline) throw new Error(`“${wanted}” was not written:\n${output}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  await wrote('listening');
  return {
    port,
    pid: child.pid ?? 0,
    output: () => output,
    signal: (name) => void child.kill(name),
    wrote,
    ended,
    async stop() {
      child.kill('SIGTERM');
      const late = setTimeout(() => child.kill('SIGKILL'), 30_000);
      await ended;
      clearTimeout(late);
    },
  };
};

/** Starts it with these services registered, and waits until it answers. */
export const startProduction = async (
  registrations: readonly Registration[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Production> => {
  const database = await testDatabase();
  const folder = mkdtempSync(path.join(tmpdir(), 'stadtschluessel-production-'));
  const text = newKeyRing();
  const ring = parseKeyRing(text);
  if ('faults' in ring) throw new Error(ring.faults.join('\n'));
  const ringFile = path.join(folder, 'keyring.json');
  writeFileSync(ringFile, text, { mode: 0o600 });
  const keys = createKeys(ring);
  const context: Context = {
    db: database.knex,
    now: () => new Date(),
    keys,
    actor: { kind: 'system', part: 'test' },
  };
  const registered = registrations.map((registration) => ({ registration, secret: clients.newClientSecret() }));
  await clients.apply(context, registered);
  const settings = {
    ISSUER: `https://${PRODUCTION_HOST}`,
    DATABASE_URL: database.url,
    SMTP_URL: 'smtp://127.0.0.1:9',
    TOWN_FILE,
    TRUSTED_PROXIES: '127.0.0.1/32',
    KEYRING_FILE: ringFile,
    ...environment,
  };
  const node = await startNode(settings);
  return {
    ...node,
    context,
    databaseUrl: database.url,
    settings,
    secretOf: (id) => registered.find(({ registration }) => registration.clientId === id)?.secret.reveal() ?? '',
    async stop() {
      await node.stop();
      await database.drop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
};
