/** Processes of a bench run: started on their core, their CPU time read from the kernel. */
import { type ChildProcess, execFileSync, fork } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';

const TICKS_PER_SECOND = 100;

const hasTaskset = (): boolean => {
  try {
    execFileSync('taskset', ['--version'], { stdio: 'ignore' });
    return availableParallelism() > 1 || readFileSync('/proc/cpuinfo', 'utf8').split('processor').length > 2;
  } catch {
    return false;
  }
};

/** Whether the server can have a core of its own; without, figures of one run still compare with each other. */
export const pinned = hasTaskset();
export const SERVER_CORE = '0';
const OTHER_CORES = '1-1023';
export const ALL_CORES = '0-1023';

/** Confines a process, its threads and whatever it starts. */
export const confine = (pid: number, cores: string): void => {
  if (pinned) execFileSync('taskset', ['-apc', cores, String(pid)], { stdio: 'ignore' });
};

/** This process and its children leave the first core to the server. */
export const leaveServerCore = (): void => confine(process.pid, OTHER_CORES);

export type Child = {
  readonly pid: number;
  /** Asks the child and waits for its answer. */
  ask<T>(question: object): Promise<T>;
  stop(): Promise<void>;
};

/** Starts a file of this folder on the server's core; it says by its first message that it is ready. */
export const start = async <T>(file: string, settings: object): Promise<Child & { ready: T }> => {
  const path = fileURLToPath(new URL(file, import.meta.url));
  const options = { env: { ...process.env, NODE_ENV: 'production' }, execArgv: process.execArgv };
  const child: ChildProcess = pinned
    ? fork(path, [], {
        ...options,
        execPath: 'taskset',
        execArgv: ['-c', SERVER_CORE, process.execPath],
      })
    : fork(path, [], options);
  const answer = <A>(): Promise<A> =>
    new Promise((resolve, reject) => {
      const ended = (code: number | null): void => reject(new Error(`${file} ended with ${code}`));
      child.once('exit', ended);
      child.once('message', (message) => {
        child.off('exit', ended);
        resolve(message as A);
      });
    });
  const ready = answer<T>();
  child.send(settings);
  return {
    pid: child.pid ?? 0,
    ready: await ready,
    ask: (question) => {
      const answered = answer<never>();
      child.send(question);
      return answered;
    },
    stop: () =>
      new Promise((resolve) => {
        child.once('exit', () => resolve());
        child.disconnect();
      }),
  };
};

type Stat = { parent: number; ms: number };

const statOf = (pid: string): Stat | undefined => {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    // Its own time, and that of children that have ended: otherwise a connection that closes would give time back.
    const ticks = [11, 12, 13, 14].reduce((sum, field) => sum + Number(fields[field]), 0);
    return { parent: Number(fields[1]), ms: (ticks * 1000) / TICKS_PER_SECOND };
  } catch {
    return undefined;
  }
};

/** CPU milliseconds that a process and its descendants have used. */
export const cpuOf = (root: number): number => {
  const stats = new Map<number, Stat>();
  for (const name of readdirSync('/proc')) {
    const stat = /^\d+$/.test(name) ? statOf(name) : undefined;
    if (stat !== undefined) stats.set(Number(name), stat);
  }
  let total = 0;
  for (const [pid, { ms }] of stats) {
    for (let one = pid; one > 1; one = stats.get(one)?.parent ?? 0) {
      if (one !== root) continue;
      total += ms;
      break;
    }
  }
  return total;
};

/** Process ids of the children of a process. */
export const childrenOf = (parent: number): number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && statOf(name)?.parent === parent)
    .map(Number);
