import cluster, { type Worker } from 'node:cluster';
import type { Logger } from 'pino';

/** A worker that ends sooner than this is started again only after a pause. */
const SHORT_LIFE_MS = 5_000;
const PAUSE_MS = 1_000;

const ended = (worker: Worker): Promise<void> =>
  new Promise((resolve) => (worker.isDead() ? resolve() : worker.once('exit', () => resolve())));

/**
 * Runs equal workers on one port until SIGTERM or SIGINT, and replaces those that end by themselves. SIGHUP renews them
 * all (new configuration, new code): each is told to finish only when its successor answers, so that nobody notices.
 * Resolves with the exit code when all have ended; a worker that never came to answer ends them all.
 */
export const keepWorkers = async (count: number, log: Logger): Promise<number> => {
  const wanted = new Set<Worker>();
  const stopped = Promise.withResolvers<number>();
  let stopping = false;

  const start = (): Promise<Worker | undefined> => {
    const worker = cluster.fork();
    const begin = Date.now();
    let answers = false;
    wanted.add(worker);
    return new Promise((resolve) => {
      worker.once('listening', () => {
        answers = true;
        resolve(worker);
      });
      worker.once('exit', (code, signal) => {
        resolve(undefined);
        if (!wanted.delete(worker) || stopping) return;
        if (!answers && wanted.size === 0) return stopped.resolve(code || 1);
        log.warn({ code, signal }, 'a worker has ended by itself and is replaced');
        setTimeout(() => !stopping && void start(), Date.now() - begin < SHORT_LIFE_MS ? PAUSE_MS : 0);
      });
    });
  };

  /** Not `worker.kill`, which cuts the connections first. */
  const finish = async (worker: Worker): Promise<void> => {
    wanted.delete(worker);
    worker.process.kill('SIGTERM');
    await ended(worker);
  };

  let renewing = Promise.resolve();
  const renew = async (): Promise<void> => {
    for (const old of [...wanted]) {
      if (stopping) return;
      const successor = await start();
      if (successor === undefined) return log.error('a new worker does not start: the others stay as they are');
      await finish(old);
    }
    log.info('all workers are renewed');
  };
  process.on('SIGHUP', () => {
    renewing = renewing.then(renew);
  });
  const stop = async (): Promise<void> => {
    if (stopping) return;
    stopping = true;
    await Promise.all([...wanted].map(finish));
    stopped.resolve(0);
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);

  await Promise.all(Array.from({ length: count }, start));
  return stopped.promise;
};
