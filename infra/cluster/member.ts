import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** A program of the cluster: what is run, as whom, and how one sees that it works. */
export type MemberPlan = {
  readonly name: string;
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined;
  readonly logFile: string;
  readonly ready: () => Promise<boolean>;
  readonly readySeconds: number;
};

// The shell becomes the program; its watcher ends it when the cluster's own process is gone, however it ended.
const WATCHED = 'exec 3<&0; (cat <&3 >/dev/null; kill -TERM $$ 2>/dev/null) & exec "$@" </dev/null 3<&-';
const STOP_SECONDS = 30;
const LOOK_MS = 100;
const LAST_LINES = 12;

/** A running program of the cluster, in a process group of its own, so that Ctrl-C ends them in order. */
export class Member {
  readonly plan: MemberPlan;
  #child: ChildProcess | undefined;

  constructor(plan: MemberPlan) {
    this.plan = plan;
  }

  get name(): string {
    return this.plan.name;
  }

  get running(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Starts the program and waits until it works; throws with the place of its log if it does not. */
  async start(): Promise<void> {
    const { command, env, owner, logFile, name } = this.plan;
    const log = openSync(logFile, 'a');
    const child = spawn('/bin/sh', ['-c', WATCHED, name, ...command], {
      ...owner,
      cwd: '/',
      detached: true,
      env: { PATH: process.env['PATH'], LC_ALL: 'C.UTF-8', TZ: 'UTC', ...env },
      stdio: ['pipe', log, log],
    });
    closeSync(log);
    this.#child = child;
    child.once('error', () => {});
    child.once('exit', () => child.stdin?.destroy());
    await this.#untilReady();
  }

  /** Asks the program to end; kills it if it does not. */
  async stop(): Promise<void> {
    await this.#end('SIGTERM');
  }

  /** Ends the program without a chance to tidy up. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  async #untilReady(): Promise<void> {
    const deadline = Date.now() + this.plan.readySeconds * 1000;
    while (this.running && Date.now() < deadline) {
      if (await this.plan.ready().catch(() => false)) return;
      await sleep(LOOK_MS);
    }
    throw new Error(`${this.name} does not get ready; its log ends with:\n${lastLines(this.plan.logFile)}`);
  }

  async #end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const child = this.#child;
    if (child === undefined || !this.running) return;
    const gone = once(child, 'exit');
    child.kill(signal);
    const late = setTimeout(() => child.kill('SIGKILL'), STOP_SECONDS * 1000);
    await gone;
    clearTimeout(late);
  }
}

const lastLines = (file: string): string =>
  readFileSync(file, 'utf8').trimEnd().split('\n').slice(-LAST_LINES).join('\n');
