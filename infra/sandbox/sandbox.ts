import { SandboxFolder } from './folder.ts';
import { checkPorts } from './listen.ts';
import type { SandboxOptions } from './options.ts';
import { startPostgres } from './postgres.ts';
import { withoutRuntimeWarning } from './runtime-warning.ts';

export type Sandbox = {
  /** The table for the terminal. */
  readonly summary: string;
  /** Settles when the database has ended, asked to or not. */
  readonly databaseEnded: Promise<void>;
  stop(): Promise<void>;
};

/** What undoes a step of the start. */
export type Undo = () => Promise<void> | void;

/**
 * Starts the whole town on this machine: database, mail, provider, demo services. An `Obstacle` is thrown for what
 * people can put right; whatever was started by then is stopped again.
 */
export const startSandbox = async (options: SandboxOptions): Promise<Sandbox> => {
  const undo: Undo[] = [];
  const stop = async (): Promise<void> => {
    // The last that was started is the first to go: the provider before its database.
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    return { ...(await start(options, undo)), stop };
  } catch (error) {
    await stop();
    throw error;
  }
};

const start = async (options: SandboxOptions, undo: Undo[]): Promise<Omit<Sandbox, 'stop'>> => {
  const { ports } = options;
  await checkPorts([
    ports.provider,
    ...ports.services,
    ports.others,
    ports.inbox,
    ...Object.values(ports.counterparts),
  ]);
  const folder = await SandboxFolder.open(options.folder, options.fresh);
  undo.push(() => folder.close());
  const ring = folder.keyRing();
  const starting = startPostgres(options.folder, folder.databasePassword);
  // Whoever waits for it is told; until then its failure must not end the process.
  starting.catch(() => {});
  undo.push(async () => {
    const database = await starting.catch(() => undefined);
    await database?.stop();
  });
  // Loading the provider's code takes about as long as Postgres takes to start: both at once.
  const { runTown } = await withoutRuntimeWarning(() => import('./run-town.ts'));
  return runTown(options, folder, ring, starting, undo);
};
