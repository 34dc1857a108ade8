/** What came of asking a source that may be down. */
export type Answered<T> = { readonly outcome: 'answered'; readonly value: T } | { readonly outcome: 'down' };

/** Keeps a source that does not answer from making everybody wait for its time-outs. */
export type Circuit = {
  /** Runs the work, unless the source is known to be down. What the work throws counts as an outage and is passed on. */
  run<T>(work: () => Promise<T>): Promise<Answered<T>>;
  /** Whether a citizen may be offered the source now. */
  up(): boolean;
};

const FAILURES_TO_OPEN = 5;
const OPEN_MILLISECONDS = 30_000;

/**
 * A breaker of one source in one process: after five outages in a row it answers `down` at once for half a minute, then
 * lets a single request try.
 */
export const createCircuit = (now: () => number = Date.now): Circuit => {
  let failures = 0;
  let closedAgainAt = 0;
  let trying = false;
  const open = (): boolean => failures >= FAILURES_TO_OPEN && (trying || now() < closedAgainAt);
  return {
    up: () => failures < FAILURES_TO_OPEN || now() >= closedAgainAt,
    async run(work) {
      if (open()) return { outcome: 'down' };
      trying = failures >= FAILURES_TO_OPEN;
      try {
        const value = await work();
        failures = 0;
        return { outcome: 'answered', value };
      } catch (error) {
        failures += 1;
        closedAgainAt = now() + OPEN_MILLISECONDS;
        throw error;
      } finally {
        trying = false;
      }
    },
  };
};
