import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** A throw-away Postgres of its own, for tests that stop it or read its files. */
export type Cluster = {
  /** Connection URL of the maintenance database. */
  readonly url: string;
  /** The data directory. */
  readonly directory: string;
  /** What the server writes to its standard error. */
  readonly logFile: string;
  /** Starts it again after `stop` or `kill`. */
  start(): Promise<void>;
  /** Ends every session and stops. */
  stop(): Promise<void>;
  /** Stops without a checkpoint, as a crash would. */
  kill(): Promise<void>;
  /** Stops answering while connections stay open. */
  freeze(): Promise<void>;
  /** Ends `freeze`. */
  thaw(): Promise<void>;
  /** Stops it and removes its files. */
  end(): Promise<void>;
};

const KEEPER = fileURLToPath(new URL('cluster-keeper.ts', import.meta.url));

/** Starts a Postgres cluster that ends with this process at the latest; `settings` as `name=value`. */
export const startCluster = async (settings: readonly string[] = []): Promise<Cluster> => {
  const keeper = spawn(process.execPath, [KEEPER, ...settings], { stdio: ['pipe', 'pipe', 'pipe'], detached: true });
  let fault = '';
  keeper.stderr.on('data', (chunk: Buffer) => {
    fault += chunk.toString();
  });
  keeper.stdin.on('error', () => {}); // the keeper's end is reported by its answers
  const answers = createInterface({ input: keeper.stdout })[Symbol.asyncIterator]();
  const ended = new Promise<void>((resolve) => keeper.once('exit', () => resolve()));
  // Only a question under way keeps this process alive, so that a forgotten cluster does not keep a test run from ending.
  const handles = [keeper, keeper.stdin, keeper.stdout, keeper.stderr] as unknown as { ref(): void; unref(): void }[];
  const answer = async (): Promise<Record<string, string>> => {
    for (const handle of handles) handle.ref();
    const line = await answers.next();
    for (const handle of handles) handle.unref();
    if (line.done === true) throw new Error(`The test cluster's keeper ended: ${fault}`);
    return JSON.parse(line.value) as Record<string, string>;
  };
  const command = async (name: string): Promise<void> => {
    keeper.stdin.write(`${name}\n`);
    await answer();
  };
  const { url = '', directory = '', logFile = '' } = await answer();
  return {
    url,
    directory,
    logFile,
    start: () => command('start'),
    stop: () => command('stop'),
    kill: () => command('kill'),
    freeze: () => command('freeze'),
    thaw: () => command('thaw'),
    end: async () => {
      keeper.ref();
      keeper.stdin.end();
      await ended;
    },
  };
};
