import cluster, { type Worker } from 'node:cluster';
import { createServer, type Server } from 'node:http';
import { AggregatorRegistry, type MetricObject } from 'prom-client';
import type { Metrics } from './metrics.ts';

const QUESTION = 'measures';
/** A worker that is busier than this is left out: the others' measures matter most then. */
const PATIENCE_MS = 4_000;

type Question = { ask: typeof QUESTION; number: number };
type Answer = { answer: typeof QUESTION; number: number; values: MetricObject[] };

const isAbout = (message: unknown, key: 'ask' | 'answer'): boolean =>
  typeof message === 'object' && message !== null && (message as Record<string, unknown>)[key] === QUESTION;

/** In a worker: answers when its primary asks for the measures. */
export const answerPrimary = (metrics: Metrics): void => {
  process.on('message', (message: Question) => {
    if (!isAbout(message, 'ask')) return;
    metrics.values().then(
      (values) => process.send?.({ answer: QUESTION, number: message.number, values } satisfies Answer),
      () => {}, // a worker without measures is left out
    );
  });
};

let questions = 0;

const askWorker = (worker: Worker): Promise<MetricObject[] | undefined> =>
  new Promise((resolve) => {
    questions += 1;
    const question: Question = { ask: QUESTION, number: questions };
    const done = (values?: MetricObject[]): void => {
      clearTimeout(late);
      worker.off('message', listen);
      worker.off('exit', gone);
      resolve(values);
    };
    const listen = (message: Answer): void => {
      if (isAbout(message, 'answer') && message.number === question.number) done(message.values);
    };
    const gone = (): void => done();
    const late = setTimeout(done, PATIENCE_MS);
    worker.on('message', listen);
    worker.once('exit', gone);
    worker.send(question, (error) => error !== null && done());
  });

/** In the primary: the measures of all workers as those of one node. */
export const textOfWorkers = async (): Promise<string> => {
  const workers = Object.values(cluster.workers ?? {}).filter((worker) => worker?.isConnected() === true);
  const answers = await Promise.all(workers.map((worker) => askWorker(worker as Worker)));
  return AggregatorRegistry.aggregate(answers.filter((values) => values !== undefined)).metrics();
};

/** A server for Prometheus, on an address of its own that no citizen reaches. Rejects when the address cannot be had. */
export const serveMetrics = async (
  text: () => Promise<string>,
  host: string,
  port: number,
): Promise<{ close(): Promise<void> }> => {
  const server: Server = createServer((req, res) => {
    if (req.url !== '/metrics' || req.method !== 'GET') {
      res.writeHead(404).end();
      return;
    }
    text().then(
      (measures) => res.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }).end(measures),
      () => res.writeHead(500).end(),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
};
