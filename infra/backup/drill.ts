import { existsSync } from 'node:fs';
import { backupsIn } from './backup.ts';
import { type Restored, restore } from './restore.ts';
import { type Environment, Hindrance, needed } from './settings.ts';
import { throwAway } from './throw-away.ts';

export type Drill = Restored & {
  /** Seconds of work that would be lost if the database vanished now and only this backup were left. */
  readonly rpoSeconds: number;
  /** Seconds from the decision to a database that is restored, checked and may be put in service. */
  readonly rtoSeconds: number;
};

/** Restores the newest backup into a throw-away Postgres on this machine, and throws it away. */
export const practise = async (env: Environment, now: () => Date = () => new Date()): Promise<Drill> => {
  const folder = needed(env, 'BACKUP_FOLDER', 'the folder with the backups');
  const [newest] = existsSync(folder) ? backupsIn(folder) : [];
  if (newest === undefined) throw new Hindrance(`There is no backup in ${folder}.`);
  const began = performance.now();
  const postgres = await throwAway(env);
  try {
    const restored = await restore({ ...env, DATABASE_URL: postgres.url }, { ...newest, folder });
    return {
      ...restored,
      rpoSeconds: (now().getTime() - Date.parse(newest.takenAt)) / 1000,
      rtoSeconds: (performance.now() - began) / 1000,
    };
  } finally {
    await postgres.end();
  }
};
