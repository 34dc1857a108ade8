import { type FSWatcher, statSync, watch } from 'node:fs';
import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type LoadedTown, loadTown } from './town.ts';

type Stat = { readonly mtimeMs: number; readonly size: number; readonly ino: number };

/** Editors write a file in several steps: it is looked at when they pause. */
const SETTLED_MS = 50;

const markOf = ({ mtimeMs, size, ino }: Stat): string => `${mtimeMs} ${size} ${ino}`;

/**
 * Looks after the town's file: the function returned reads it when it was written since the call before, and answers
 * undefined otherwise. To be made before the file is first read. Rejects if the file cannot be looked at.
 */
export const followTownFile = (path: string): (() => Promise<LoadedTown | undefined>) => {
  let mark = markOf(statSync(path));
  return async () => {
    const now = markOf(await stat(path));
    if (now === mark) return undefined;
    mark = now;
    return loadTown(path);
  };
};

/**
 * Calls `changed` as soon as something beside the town's file was written, however it was replaced (in place, by a renamed
 * file, by a link). A hint only: where the system cannot tell (network file systems), it never calls.
 */
export const watchTownFile = (path: string, changed: () => void): { close(): void } => {
  let settling: NodeJS.Timeout | undefined;
  let watcher: FSWatcher | undefined;
  try {
    watcher = watch(dirname(path), { persistent: false }, () => {
      clearTimeout(settling);
      settling = setTimeout(changed, SETTLED_MS).unref();
    });
    watcher.on('error', () => watcher?.close());
  } catch {
    // Too many watches, or none at all: whoever asks now and then sees the change as well.
  }
  return {
    close() {
      clearTimeout(settling);
      watcher?.close();
    },
  };
};
