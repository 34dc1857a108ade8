/** More than this in one statement would let one request wait for too many others. */
const MOST = 64;

/**
 * Gathers what is asked for in one turn of the event loop, by whatever requests, and asks for it at once: under load a
 * round trip to the database serves several requests; without load nothing waits, as the turn is over at once.
 * @param work answers many keys, in their order
 */
export const perTurn = <K, R>(work: (keys: readonly K[]) => Promise<readonly R[]>): ((key: K) => Promise<R>) => {
  type Waiting = { key: K; resolve: (result: R) => void; reject: (reason: unknown) => void };
  let waiting: Waiting[] = [];
  const send = (): void => {
    const asked = waiting;
    waiting = [];
    if (asked.length === 0) return;
    work(asked.map(({ key }) => key)).then(
      (results) => asked.forEach(({ resolve }, index) => void resolve(results[index] as R)),
      (error: unknown) => asked.forEach(({ reject }) => void reject(error)),
    );
  };
  return (key) =>
    new Promise((resolve, reject) => {
      waiting.push({ key, resolve, reject });
      if (waiting.length === 1) setImmediate(send);
      else if (waiting.length === MOST) send();
    });
};
