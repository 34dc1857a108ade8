import { AsyncLocalStorage } from 'node:async_hooks';
import type { Logger } from 'pino';

/** A task that runs by itself until the process stops. */
export type BackgroundTask = {
  /** Runs the task now instead of at its next turn. */
  wake(): void;
  /** Waits for the turn under way, then ends the task. */
  stop(): Promise<void>;
};

/**
 * Runs `work` every `intervalMs` milliseconds, never twice at once. A fault is logged and the next turn tries again, so
 * that a database that was away is picked up when it returns.
 */
export function repeat(name: string, intervalMs: number, log: Logger, work: () => Promise<unknown>): BackgroundTask {
  // Woken from within a request, a task is none of its parts: its log lines, traces and patience are another matter.
  const outside = AsyncLocalStorage.snapshot();
  let stopped = false;
  let again = false;
  let running: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;

  const turn = async (): Promise<void> => {
    do {
      again = false;
      try {
        await work();
      } catch (error) {
        log.warn({ task: name, err: error }, 'background task failed; it is tried again');
      }
    } while (again && !stopped);
  };
  const start = (): void => {
    if (stopped) return;
    clearTimeout(timer);
    running ??= turn().finally(() => {
      running = undefined;
      if (!stopped) {
        timer = setTimeout(start, intervalMs);
        timer.unref();
      }
    });
  };
  timer = setTimeout(start, intervalMs);
  timer.unref();
  return {
    wake() {
      if (running === undefined) outside(start);
      else again = true;
    },
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await running;
    },
  };
}
