import { AsyncLocalStorage } from 'node:async_hooks';

/** A person waits no longer for bad news than three seconds; of these the database gets that much. */
const BUDGET_MS = 1_900;
/** What each wait may take without being counted: a machine that is short of CPU is slow, but not away. */
const USUAL_MS = 150;
/** What was answered with bad news begins nothing new; after this nothing of it is left. */
const AFTERMATH_MS = 10_000;

/** How long one request has waited for the database, over all of its statements. */
class Patience {
  readonly exhausted: Promise<never>;
  #reject: (error: Error) => void = () => {};
  #spent = 0;
  #waiting = 0;
  #finished = false;
  #since = 0;
  #overAt: number | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor() {
    this.exhausted = new Promise((_, reject) => {
      this.#reject = reject;
    });
    this.exhausted.catch(() => {}); // it may be exhausted when the answer is out
  }

  get over(): boolean {
    return this.#overAt !== undefined && performance.now() - this.#overAt < AFTERMATH_MS;
  }

  begin(): void {
    this.#waiting += 1;
    if (this.#waiting > 1 || this.#finished || this.#overAt !== undefined) return;
    this.#since = performance.now();
    this.#arm();
  }

  end(): void {
    this.#waiting -= 1;
    if (this.#waiting > 0) return;
    this.#spent += this.#counted;
    clearTimeout(this.#timer);
  }

  /** The answer is out: whatever goes on is no longer the caller's to wait for. */
  finish(): void {
    clearTimeout(this.#timer);
    this.#finished = true;
  }

  /** What counts of the wait that is under way. */
  get #counted(): number {
    return Math.max(0, performance.now() - this.#since - USUAL_MS);
  }

  #arm(): void {
    // An answer that has come while this process was busy is read first: it was not the database that took so long.
    const look = (): void => void setImmediate(() => this.#exhaust());
    this.#timer = setTimeout(look, USUAL_MS + Math.max(0, BUDGET_MS - this.#spent));
  }

  #exhaust(): void {
    if (this.#waiting === 0 || this.#finished) return;
    if (this.#spent + this.#counted < BUDGET_MS - 1) {
      this.#arm();
      return;
    }
    this.#overAt = performance.now();
    this.#reject(tooSlow());
  }
}

const current = new AsyncLocalStorage<Patience>();

/** An outage, as the code says to `meansUnavailable`. */
const tooSlow = (): Error =>
  Object.assign(new Error('the database is too slow for this request'), { code: 'ETIMEDOUT' });

/**
 * Runs the work of one request, and rejects as soon as it has waited too long for the database: one slow statement is
 * given up by the server, many that are a little slow are given up here. What the work begins afterwards is refused, so
 * that it ends; a transaction under way may be committed or rolled back, as if the answer had been lost on its way.
 */
export const withPatience = async <T>(work: () => Promise<T>): Promise<T> => {
  const patience = new Patience();
  const working = current.run(patience, work);
  working.catch(() => {}); // its error has no reader any more once the patience is exhausted
  try {
    return await Promise.race([working, patience.exhausted]);
  } finally {
    patience.finish();
  }
};

/** Runs what several requests wait for: none of them may end it. */
export const withoutPatience = <T>(work: () => T): T => current.exit(work);

/** Notes that a request waits for the database, until the function that it gives is called. Throws if it may not. */
export const beginWait = (ending = false): (() => void) => {
  const patience = current.getStore();
  if (patience === undefined) return () => {};
  if (patience.over && !ending) throw tooSlow();
  patience.begin();
  return () => patience.end();
};
