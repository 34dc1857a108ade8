import { execFileSync } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Obstacle } from '../sandbox/obstacle.ts';

export type Owner = { readonly uid: number; readonly gid: number };

/** The programs of Debian's packages that the cluster is made of. */
export type Programs = {
  readonly patroni: string;
  readonly etcd: string;
  readonly haproxy: string;
  readonly redisServer: string;
  readonly redisSentinel: string;
  readonly openssl: string;
  /** Folder with Postgres's own programs. */
  readonly postgresBin: string;
};

const PACKAGES: Record<Exclude<keyof Programs, 'postgresBin'>, { program: string; package: string }> = {
  patroni: { program: 'patroni', package: 'patroni' },
  etcd: { program: 'etcd', package: 'etcd-server' },
  haproxy: { program: 'haproxy', package: 'haproxy' },
  redisServer: { program: 'redis-server', package: 'redis-server' },
  redisSentinel: { program: 'redis-sentinel', package: 'redis-sentinel' },
  openssl: { program: 'openssl', package: 'openssl' },
};
const FOLDERS = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];
const POSTGRES_FOLDER = '/usr/lib/postgresql';

const find = (program: string): string | undefined =>
  [...(process.env['PATH'] ?? '').split(':'), ...FOLDERS]
    .filter((folder) => folder.startsWith('/'))
    .map((folder) => join(folder, program))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });

/** Where Debian has put the newest Postgres; undefined if there is none. */
export const postgresBin = (): string | undefined => {
  const versions = existsSync(POSTGRES_FOLDER) ? readdirSync(POSTGRES_FOLDER).map(Number).filter(Number.isInteger) : [];
  return versions
    .sort((one, other) => other - one)
    .map((version) => join(POSTGRES_FOLDER, String(version), 'bin'))
    .find((folder) => existsSync(join(folder, 'postgres')));
};

/** The packages that are not installed. */
export const missingPackages = (): string[] => [
  ...Object.values(PACKAGES).flatMap((entry) => (find(entry.program) === undefined ? [entry.package] : [])),
  ...(postgresBin() === undefined ? ['postgresql'] : []),
];

/** Finds the programs; an `Obstacle` names the packages that are missing. */
export const findPrograms = (): Programs => {
  const missing = missingPackages();
  if (missing.length > 0) {
    throw new Obstacle(
      `The cluster needs Debian packages that are missing: apt-get install --no-install-recommends ${missing.join(' ')} python3-etcd`,
    );
  }
  const found = Object.entries(PACKAGES).map(([name, { program }]) => [name, find(program)]);
  return { ...Object.fromEntries(found), postgresBin: postgresBin() } as Programs;
};

/** Postgres does not run as root; then everything but the nodes runs as Debian's user `postgres`. */
export const serviceOwner = (): Owner | undefined => {
  if (process.getuid?.() !== 0) return undefined;
  const id = (option: string): number => Number(execFileSync('id', [option, 'postgres'], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
};
