/** A person at a terminal: the command line in a process of its own, with a home of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { RunningTown } from './town.ts';

export type Ran = { readonly code: number; readonly stdout: string; readonly stderr: string };

const MAIN = fileURLToPath(new URL('../../admin-cli/main.ts', import.meta.url));
const HOSTS = new URL('example-hosts.ts', import.meta.url).href;

export class Terminal {
  readonly home: string;
  readonly #env: Record<string, string>;

  constructor(town: RunningTown, extra: Record<string, string> = {}) {
    this.home = mkdtempSync(path.join(tmpdir(), 'terminal-'));
    const authority = path.join(this.home, 'authority.pem');
    writeFileSync(authority, town.front.authority);
    mkdirSync(path.join(this.home, 'work'));
    this.#env = {
      PATH: process.env['PATH'] ?? '',
      HOME: this.home,
      LANG: 'de_DE.UTF-8',
      NODE_EXTRA_CA_CERTS: authority,
      SCHLUESSEL_DIR: path.join(this.home, 'config'),
      ...extra,
    };
  }

  /** Signs in without a browser: with a session as the command line would have kept it. */
  keep(session: string): void {
    const folder = path.join(this.home, 'config');
    mkdirSync(folder, { recursive: true });
    writeFileSync(path.join(folder, 'session.json'), session, { mode: 0o600 });
  }

  get work(): string {
    return path.join(this.home, 'work');
  }

  start(...args: string[]): ChildProcess {
    return spawn(process.execPath, ['--import', HOSTS, MAIN, ...args], {
      cwd: this.work,
      env: this.#env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }

  async run(...args: string[]): Promise<Ran> {
    return finish(this.start(...args));
  }

  /** Starts a sign-in; the address for the browser, and the end of the command. */
  async login(...args: string[]): Promise<{ address: string; said: () => string; done: Promise<Ran> }> {
    const child = this.start('login', ...args);
    let said = '';
    child.stderr?.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    const done = finish(child);
    const deadline = Date.now() + 20_000;
    for (;;) {
      const address = /^ {2}(https?:\S+)$/m.exec(said)?.[1];
      if (address !== undefined) return { address, said: () => said, done };
      if (Date.now() > deadline) throw new Error(`no address: ${said}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  close(): void {
    rmSync(this.home, { recursive: true, force: true });
  }
}

/** Runs a command that needs no server. */
export const runCommand = (args: readonly string[], env: Record<string, string> = {}): Promise<Ran> =>
  finish(
    spawn(process.execPath, [MAIN, ...args], {
      env: { PATH: process.env['PATH'] ?? '', LANG: 'de_DE.UTF-8', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    }),
  );

const finish = async (child: ChildProcess): Promise<Ran> => {
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout?.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr?.on('data', (chunk: Buffer) => err.push(chunk));
  const [code] = await once(child, 'close');
  return { code: code ?? -1, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() };
};
