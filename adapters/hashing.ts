import { type ChildProcess, fork } from 'node:child_process';
import { availableParallelism, setPriority } from 'node:os';
import type { PasswordHashing } from '../accounts/passwords.ts';
import type { Secret } from '../accounts/secret.ts';
import { beginPart } from './tracing.ts';

export type HashingSettings = {
  readonly processes: number;
  /** Jobs that may wait; more are refused at once, as nobody waits that long for a sign-in. */
  readonly queue: number;
  readonly memoryKiB: number;
  readonly passes: number;
};

/** OWASP's and RFC 9106's lower bound for argon2id is 19 MiB with 2 passes: about 20 a second on two cores. */
const DEFAULTS: HashingSettings = {
  processes: Math.max(1, availableParallelism() - 1),
  queue: 40,
  memoryKiB: 19 * 1024,
  passes: 2,
};

type HashingStats = {
  /** Process ids of those that are up. */
  readonly processes: readonly number[];
  readonly running: number;
  readonly waiting: number;
  /** Since the start. */
  readonly done: number;
  readonly refused: number;
};

export type Hashing = PasswordHashing & { close(): Promise<void>; stats(): HashingStats };

type Work =
  | { kind: 'hash'; password: string; pepper: Uint8Array; memoryKiB: number; passes: number }
  | { kind: 'verify'; phc: string; password: string; pepper: Uint8Array };
/** What goes to a hashing process. */
export type HashingJob = Work & { id: number };
/** What comes back from it. */
export type HashingAnswer = { id: number } & ({ phc: string } | { matches: boolean } | { error: string });

type Waiting = {
  readonly work: Work;
  resolve(answer: HashingAnswer): void;
  reject(error: Error): void;
  /** A process may die of something else; a job that kills two is not tried a third time. */
  deaths: number;
};

/** `jobs`: the one that is being worked on, and the one that is next. The process does them in this order. */
type Slot = { readonly child: ChildProcess; readonly jobs: Waiting[]; deadline: NodeJS.Timeout | undefined };

const WORKER = new URL('./hashing-worker.ts', import.meta.url);
const NICENESS = 10;
const JOB_DEADLINE_MS = 10_000;
/** A process that has its next job at hand need not wait, at low priority, until a busy server hands it over. */
const JOBS_AT_HAND = 2;
const RESTART_DELAY_MS = 250;

const busy = (): Error =>
  Object.assign(new Error('too many passwords are waiting to be hashed'), {
    name: 'HashingBusy',
    code: 'HASHING_BUSY',
  });

/**
 * Passwords are hashed in processes of their own, at low priority and behind a short queue: in the server's own thread
 * pool a hundred of them would hold up every signature and file access for seconds. A process that dies is replaced, its
 * job tried once more.
 */
class HashingProcesses {
  readonly #settings: HashingSettings;
  readonly #slots = new Set<Slot>();
  readonly #waiting: Waiting[] = [];
  #nextId = 1;
  #closed = false;
  #done = 0;
  #refused = 0;

  constructor(settings: HashingSettings) {
    this.#settings = settings;
    for (let started = 0; started < settings.processes; started += 1) this.#start();
  }

  stats(): HashingStats {
    const slots = [...this.#slots];
    const running = slots.filter(({ jobs }) => jobs.length > 0).length;
    return {
      processes: slots.flatMap(({ child }) => child.pid ?? []),
      running,
      waiting: this.#waiting.length + slots.reduce((sum, { jobs }) => sum + Math.max(0, jobs.length - 1), 0),
      done: this.#done,
      refused: this.#refused,
    };
  }

  run(work: Work): Promise<HashingAnswer> {
    if (this.#closed) return Promise.reject(new Error('hashing is closed'));
    const { running, waiting } = this.stats();
    if (running + waiting >= this.#settings.processes + this.#settings.queue) {
      this.#refused += 1;
      return Promise.reject(busy());
    }
    const end = beginPart('hashing');
    return new Promise<HashingAnswer>((resolve, reject) => {
      this.#waiting.push({ work, resolve, reject, deaths: 0 });
      this.#dispatch();
    }).finally(() => end?.(false));
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const { reject } of this.#waiting.splice(0)) reject(new Error('hashing is closed'));
    await Promise.all(
      [...this.#slots].map(
        ({ child }) =>
          new Promise<void>((resolve) => {
            if (child.exitCode !== null || child.signalCode !== null) return resolve();
            child.ref();
            child.once('exit', () => resolve());
            child.kill('SIGKILL');
          }),
      ),
    );
  }

  #start(): void {
    // No inherited environment or flags: the process needs none, and the environment may hold secrets.
    const child = fork(WORKER, { execArgv: [], env: { UV_THREADPOOL_SIZE: '1' }, serialization: 'advanced' });
    const slot: Slot = { child, jobs: [], deadline: undefined };
    this.#slots.add(slot);
    // Idle processes keep nobody alive; `#dispatch` holds on to the channel while a job is under way.
    child.unref();
    child.channel?.unref();
    child.on('message', (answer: HashingAnswer) => this.#answered(slot, answer));
    child.once('error', () => this.#lost(slot));
    child.once('exit', () => this.#lost(slot));
    try {
      if (child.pid !== undefined) setPriority(child.pid, NICENESS);
    } catch {
      // It has just exited, or the platform does not allow it: slower for others, but not wrong.
    }
    this.#dispatch();
  }

  #dispatch(): void {
    for (const slot of this.#slots) if (slot.jobs.length === 0) this.#hand(slot);
    // Only when there is one for each: a job must not wait behind another while a process has nothing to do.
    if (this.#waiting.length < this.#slots.size) return;
    for (const slot of this.#slots) if (slot.jobs.length < JOBS_AT_HAND) this.#hand(slot);
  }

  #hand(slot: Slot): void {
    if (!slot.child.connected) return;
    const job = this.#waiting.shift();
    if (job === undefined) return;
    slot.jobs.push(job);
    if (slot.jobs.length === 1) {
      slot.child.channel?.ref();
      this.#setDeadline(slot);
    }
    // A failed sending means that the process is gone; its `exit` puts the job back.
    slot.child.send({ ...job.work, id: this.#nextId } satisfies HashingJob, () => {});
    this.#nextId += 1;
  }

  #setDeadline(slot: Slot): void {
    clearTimeout(slot.deadline);
    slot.deadline = setTimeout(() => slot.child.kill('SIGKILL'), JOB_DEADLINE_MS);
  }

  #release(slot: Slot): void {
    clearTimeout(slot.deadline);
    slot.child.channel?.unref();
  }

  #answered(slot: Slot, answer: HashingAnswer): void {
    const job = slot.jobs.shift();
    if (slot.jobs.length === 0) this.#release(slot);
    else this.#setDeadline(slot);
    this.#done += 1;
    if ('error' in answer) job?.reject(new Error(`hashing failed: ${answer.error}`));
    else job?.resolve(answer);
    this.#dispatch();
  }

  #lost(slot: Slot): void {
    if (!this.#slots.delete(slot)) return;
    this.#release(slot);
    const [running, next] = slot.jobs.splice(0);
    const ended = (): Error => new Error('the hashing process ended');
    if (next !== undefined) {
      if (this.#closed) next.reject(ended());
      else this.#waiting.unshift(next);
    }
    if (running !== undefined) {
      running.deaths += 1;
      if (this.#closed || running.deaths > 1) running.reject(ended());
      else this.#waiting.unshift(running);
    }
    if (this.#closed) return;
    // The delay keeps a process that cannot even start from being started a thousand times a second.
    setTimeout(() => {
      if (!this.#closed) this.#start();
    }, RESTART_DELAY_MS);
  }
}

/**
 * Starts the hashing processes. `hash` gives a PHC string (`$argon2id$v=19$m=…,t=…,p=1$…`); the pepper goes in as argon2's
 * secret and is not part of it. Both functions reject with `HashingBusy` when the queue is full.
 */
export const createHashing = (settings: Partial<HashingSettings> = {}): Hashing => {
  const { processes, queue, memoryKiB, passes } = { ...DEFAULTS, ...settings };
  const pool = new HashingProcesses({ processes, queue, memoryKiB, passes });
  return {
    async hash(password: Secret, pepper: Buffer) {
      const answer = await pool.run({ kind: 'hash', password: password.reveal(), pepper, memoryKiB, passes });
      if (!('phc' in answer)) throw new Error('a hashing process answered something else');
      return answer.phc;
    },
    async verify(phc: string, password: Secret, pepper: Buffer) {
      const answer = await pool.run({ kind: 'verify', phc, password: password.reveal(), pepper });
      if (!('matches' in answer)) throw new Error('a hashing process answered something else');
      return answer.matches;
    },
    close: () => pool.close(),
    stats: () => pool.stats(),
  };
};
