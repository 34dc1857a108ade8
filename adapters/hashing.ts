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

/** What goes to a hashing process, in groups. */
export type HashingJob =
  | { kind: 'hash'; password: string; pepper: Uint8Array; memoryKiB: number; passes: number }
  | { kind: 'verify'; phc: string; password: string; pepper: Uint8Array };
/** What comes back from it, for the jobs of a group in their order. */
export type HashingAnswer = { phc: string } | { matches: boolean } | { error: string };

type Waiting = {
  readonly work: HashingJob;
  resolve(answer: HashingAnswer): void;
  reject(error: Error): void;
  /** A process may die of something else; a job that kills two is not tried a third time. */
  deaths: number;
};

/** `groups`: the one that is being worked on, and the one that is next. The process does them in this order. */
type Slot = { readonly child: ChildProcess; readonly groups: Waiting[][]; deadline: NodeJS.Timeout | undefined };

const WORKER = new URL('./hashing-worker.ts', import.meta.url);
const NICENESS = 10;
const JOB_DEADLINE_MS = 10_000;
/** A process that has its next group at hand need not wait, at low priority, until a busy server hands it over. */
const GROUPS_AT_HAND = 2;
/**
 * Where several wait, they are hashed before the server is told of the first: what it does for them it then does in one
 * go, which takes half the time of doing it one by one between two hashes that empty the caches.
 */
const LARGEST_GROUP = 12;
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
  #closed = false;
  #done = 0;
  #refused = 0;

  constructor(settings: HashingSettings) {
    this.#settings = settings;
    for (let started = 0; started < settings.processes; started += 1) this.#start();
  }

  stats(): HashingStats {
    const slots = [...this.#slots];
    const running = slots.filter(({ groups }) => groups.length > 0).length;
    const handed = slots.reduce((sum, { groups }) => sum + groups.flat().length, 0);
    return {
      processes: slots.flatMap(({ child }) => child.pid ?? []),
      running,
      waiting: this.#waiting.length + handed - running,
      done: this.#done,
      refused: this.#refused,
    };
  }

  run(work: HashingJob): Promise<HashingAnswer> {
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
    const slot: Slot = { child, groups: [], deadline: undefined };
    this.#slots.add(slot);
    // Idle processes keep nobody alive; `#dispatch` holds on to the channel while a job is under way.
    child.unref();
    child.channel?.unref();
    child.on('message', (answers: readonly HashingAnswer[]) => this.#answered(slot, answers));
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
    for (const slot of this.#slots) if (slot.groups.length === 0) this.#hand(slot);
    // Only when there is one for each: a job must not wait behind another while a process has nothing to do.
    if (this.#waiting.length < this.#slots.size) return;
    for (const slot of this.#slots) if (slot.groups.length < GROUPS_AT_HAND) this.#hand(slot);
  }

  /** Takes the next jobs out of the queue. One that a process has died of is tried by itself. */
  #nextGroup(): Waiting[] {
    const size = Math.min(LARGEST_GROUP, Math.floor(this.#waiting.length / this.#slots.size));
    const group = this.#waiting.splice(0, 1);
    while (group.length < size && group[0]?.deaths === 0 && this.#waiting[0]?.deaths === 0)
      group.push(...this.#waiting.splice(0, 1));
    return group;
  }

  #hand(slot: Slot): void {
    if (!slot.child.connected) return;
    const group = this.#nextGroup();
    if (group.length === 0) return;
    slot.groups.push(group);
    if (slot.groups.length === 1) {
      slot.child.channel?.ref();
      this.#setDeadline(slot);
    }
    // A failed sending means that the process is gone; its `exit` puts the jobs back.
    slot.child.send(
      group.map(({ work }) => work),
      () => {},
    );
  }

  #setDeadline(slot: Slot): void {
    clearTimeout(slot.deadline);
    const jobs = slot.groups[0]?.length ?? 1;
    slot.deadline = setTimeout(() => slot.child.kill('SIGKILL'), JOB_DEADLINE_MS * jobs);
  }

  #release(slot: Slot): void {
    clearTimeout(slot.deadline);
    slot.child.channel?.unref();
  }

  #answered(slot: Slot, answers: readonly HashingAnswer[]): void {
    const group = slot.groups.shift() ?? [];
    if (slot.groups.length === 0) this.#release(slot);
    else this.#setDeadline(slot);
    this.#done += group.length;
    for (const [index, job] of group.entries()) {
      const answer = answers[index] ?? { error: 'no answer' };
      if ('error' in answer) job.reject(new Error(`hashing failed: ${answer.error}`));
      else job.resolve(answer);
    }
    this.#dispatch();
  }

  #lost(slot: Slot): void {
    if (!this.#slots.delete(slot)) return;
    this.#release(slot);
    const [running = [], ...next] = slot.groups.splice(0);
    for (const job of running) job.deaths += 1;
    const lost = [...running, ...next.flat()];
    const over = lost.filter(({ deaths }) => this.#closed || deaths > 1);
    for (const { reject } of over) reject(new Error('the hashing process ended'));
    this.#waiting.unshift(...lost.filter((job) => !over.includes(job)));
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
