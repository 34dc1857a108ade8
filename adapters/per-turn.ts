import { beginWait } from './patience.ts';
import { outsideRequests } from './request-context.ts';
import { beginPart } from './tracing.ts';

/** More than this in one statement would let one request wait for too many others. */
const MOST = 64;
/** So many statements of one kind are under way before others gather until one of them is answered. */
const UNDER_WAY = 6;
/** Nobody gathers for longer: the answer may be lost, and must not hold up those who have not asked yet. */
const GATHER_MS = 10;

/**
 * Gathers what is asked for in one turn of the event loop, by whatever requests, and asks for it at once: under load a
 * round trip to the database serves several requests; without load nothing waits, as the turn is over at once.
 * @param work answers many keys, in their order
 */
export const perTurn = <K, R>(work: (keys: readonly K[]) => Promise<readonly R[]>): ((key: K) => Promise<R>) => {
  type Waiting = { key: K; resolve: (result: R) => void; reject: (reason: unknown) => void };
  let waiting: Waiting[] = [];
  let underWay = 0;
  let late: NodeJS.Timeout | undefined;
  const sendAll = (): void => {
    const asked = waiting;
    waiting = [];
    clearTimeout(late);
    late = undefined;
    if (asked.length === 0) return;
    underWay += 1;
    work(asked.map(({ key }) => key))
      .then(
        (results) => asked.forEach(({ resolve }, index) => void resolve(results[index] as R)),
        (error: unknown) => asked.forEach(({ reject }) => void reject(error)),
      )
      .finally(() => {
        underWay -= 1;
        if (late !== undefined) send();
      });
  };
  // What is asked for together belongs to none of the requests: one of them may give up while the others wait.
  const send = (): void => outsideRequests(sendAll);
  const sendOrGather = (): void => {
    if (underWay < UNDER_WAY) send();
    else late ??= outsideRequests(() => setTimeout(sendAll, GATHER_MS));
  };
  return (key) =>
    new Promise((resolve, reject) => {
      const waited = beginWait();
      const end = beginPart('database');
      const settled = (failed: boolean): void => {
        waited?.end();
        end?.(failed);
      };
      waiting.push({
        key,
        resolve(result) {
          settled(false);
          resolve(result);
        },
        reject(reason) {
          settled(true);
          reject(reason);
        },
      });
      if (waiting.length === 1) setImmediate(sendOrGather);
      else if (waiting.length === MOST) send();
    });
};
