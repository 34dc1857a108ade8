import { outsideRequests, requestContext, withInContext } from './request-context.ts';

/** A person waits no longer for bad news than three seconds; of these the database gets that much. */
const BUDGET_MS = 1_900;
/** What each wait may take without being counted: a machine that is short of CPU is slow, but not away. */
const USUAL_MS = 150;
/** What was answered with bad news begins nothing new; after this nothing of it is left. */
const AFTERMATH_MS = 10_000;
/** How often those who wait are looked at: a timer for each wait would cost more than most waits. */
const LOOK_MS = 50;

const waiting = new Set<Patience>();
let looking: NodeJS.Timeout | undefined;
let busy = false;

const look = (): void => {
  for (const patience of waiting) patience.look();
  if (busy) {
    busy = false;
    return;
  }
  if (waiting.size > 0) return;
  clearInterval(looking);
  looking = undefined;
};

/** How long one request has waited for the database, over all of its statements. */
export class Patience {
  readonly #exhausted: (error: Error) => void;
  #spent = 0;
  #waits = 0;
  #finished = false;
  #since = 0;
  #overAt: number | undefined;

  /** `exhausted` is called if the request has waited too long. */
  constructor(exhausted: (error: Error) => void) {
    this.#exhausted = exhausted;
  }

  get over(): boolean {
    return this.#overAt !== undefined && performance.now() - this.#overAt < AFTERMATH_MS;
  }

  begin(): void {
    this.#waits += 1;
    if (this.#waits > 1 || this.#finished || this.#overAt !== undefined) return;
    this.#since = performance.now();
    waiting.add(this);
    busy = true;
    looking ??= outsideRequests(() => setInterval(look, LOOK_MS).unref());
  }

  end(): void {
    this.#waits -= 1;
    if (this.#waits > 0) return;
    if (waiting.delete(this)) this.#spent += this.#counted;
  }

  /** The answer is out: whatever goes on is no longer the caller's to wait for. */
  finish(): void {
    waiting.delete(this);
    this.#finished = true;
  }

  look(): void {
    // An answer that has come while this process was busy is read first: it was not the database that took so long.
    if (this.#isExhausted) setImmediate(() => this.#exhaust());
  }

  /** What counts of the wait that is under way. */
  get #counted(): number {
    return Math.max(0, performance.now() - this.#since - USUAL_MS);
  }

  get #isExhausted(): boolean {
    return this.#spent + this.#counted >= BUDGET_MS;
  }

  #exhaust(): void {
    if (!waiting.has(this) || !this.#isExhausted) return;
    waiting.delete(this);
    this.#overAt = performance.now();
    this.#exhausted(tooSlow());
  }
}

/** An outage, as the code says to `meansUnavailable`. */
const tooSlow = (): Error =>
  Object.assign(new Error('the database is too slow for this request'), { code: 'ETIMEDOUT' });

/**
 * Runs the work of one request, and rejects as soon as it has waited too long for the database: one slow statement is
 * given up by the server, many that are a little slow are given up here. What the work begins afterwards is refused, so
 * that it ends; a transaction under way may be committed or rolled back, as if the answer had been lost on its way.
 */
export const withPatience = <T>(work: () => Promise<T>): Promise<T> => {
  // The patience of a request is one, however many parts of it ask for it.
  if (requestContext()?.patience !== undefined) return work();
  return new Promise((resolve, reject) => {
    const patience = new Patience(reject);
    withInContext('patience', patience, work).then(
      (result) => {
        patience.finish();
        resolve(result);
      },
      (error: unknown) => {
        patience.finish();
        reject(error);
      },
    );
  });
};

/** Notes that a request waits for the database, until the end of what it gives. Throws if it may not. */
export const beginWait = (ending = false): Patience | undefined => {
  const patience = requestContext()?.patience;
  if (patience === undefined) return undefined;
  if (patience.over && !ending) throw tooSlow();
  patience.begin();
  return patience;
};
