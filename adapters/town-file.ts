import { statSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { type LoadedTown, loadTown } from './town.ts';

type Stat = { readonly mtimeMs: number; readonly size: number; readonly ino: number };

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
