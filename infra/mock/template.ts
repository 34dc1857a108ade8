import { createHash, randomBytes } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Context } from '../../accounts/context.ts';
import type { Town } from '../../accounts/town.ts';
import { createHashing } from '../../adapters/hashing.ts';
import { connect, migrate } from '../../adapters/postgres.ts';
import { newKeyRing, parseKeyRing } from '../../keys/key-ring.ts';
import { createKeys, type Keys } from '../../keys/keys.ts';
import { Obstacle } from '../sandbox/obstacle.ts';
import { type EmbeddedPostgres, startPostgres } from '../sandbox/postgres.ts';
import { knownCitizens, type MockCitizen, registerCitizens } from './citizens.ts';

const MIGRATIONS = fileURLToPath(new URL('../migrations/', import.meta.url));
const OWN_FILES = [new URL('../sandbox/citizens.ts', import.meta.url), new URL('./citizens.ts', import.meta.url)];
/** Signing keys change after 30 days; nobody should have to see that happen in a test. */
const GOOD_FOR_MS = 20 * 24 * 3600 * 1000;
/** A test's data is worth nothing after a crash. */
const SETTINGS = [
  'fsync=off',
  'synchronous_commit=off',
  'full_page_writes=off',
  'autovacuum=off',
  'min_wal_size=2MB',
  'max_wal_size=64MB',
];
/** Less to copy: the log is begun in pieces of 1 MB instead of 16. */
const INITDB = ['--wal-segsize=1'];

type Made = { password: string; ring: string; citizens: Record<string, { account: string; identifier: string }> };

/** A running copy of the database with all citizens in it. */
export type Copy = {
  readonly database: EmbeddedPostgres;
  readonly keys: Keys;
  readonly citizens: readonly MockCitizen[];
  /** Ends it and removes every trace. */
  remove(): Promise<void>;
};

/** What all mocks of this user share: the binaries and the database to copy. Root's must be open to Postgres's user. */
const cacheFolder = (): string => {
  const root = process.getuid?.() === 0;
  const folder = join(root ? '/var/tmp' : tmpdir(), `stadtschluessel-mock-${userInfo().uid}`);
  mkdirSync(folder, { recursive: true, mode: 0o711 });
  const { uid } = statSync(folder);
  if (process.getuid !== undefined && uid !== process.getuid())
    throw new Obstacle(`The folder ${folder} belongs to somebody else: remove it.`);
  return folder;
};

/** Changes with everything that the database's content depends on. */
const fingerprint = (town: Town, now: Date): string => {
  const hash = createHash('sha256').update(`${Math.floor(now.getTime() / GOOD_FOR_MS)} ${JSON.stringify(town)}`);
  for (const name of readdirSync(MIGRATIONS).sort()) hash.update(name).update(readFileSync(join(MIGRATIONS, name)));
  for (const file of OWN_FILES) hash.update(readFileSync(file));
  hash.update(JSON.stringify([SETTINGS, INITDB]));
  return hash.digest('hex').slice(0, 12);
};

const keysOf = (ring: string): Keys => {
  const parsed = parseKeyRing(ring);
  if ('faults' in parsed) throw new Error(parsed.faults.join('; '));
  return createKeys(parsed);
};

/** Makes the database that others copy: migrated, with all citizens. The first that is ready is kept. */
const make = async (cache: string, folder: string, town: Town): Promise<void> => {
  const making = `${folder}.${process.pid}`;
  rmSync(making, { recursive: true, force: true });
  mkdirSync(making, { mode: 0o711 });
  chmodSync(making, 0o711);
  const password = randomBytes(16).toString('hex');
  const ring = newKeyRing();
  const keys = keysOf(ring);
  const database = await startPostgres(making, password, { binaries: cache, settings: SETTINGS, initdb: INITDB });
  const hashing = createHashing({ processes: 1, queue: 20, memoryKiB: 19_456, passes: 2 });
  const stop = async (): Promise<void> => {
    await hashing.close();
    await database.stop();
  };
  try {
    await migrate(database.url, MIGRATIONS);
    const postgres = connect(database.url, { applicationName: 'mock', max: 2 });
    const actor = { kind: 'system', part: 'mock' } as const;
    const ctx: Context = { db: postgres.knex, now: () => new Date(), keys, actor };
    const citizens = await registerCitizens(ctx, hashing, town).finally(() => postgres.close());
    const made: Made = { password, ring, citizens };
    writeFileSync(join(making, 'mock.json'), JSON.stringify(made), { mode: 0o600 });
  } finally {
    await stop();
  }
  try {
    renameSync(making, folder);
  } catch (error) {
    if (!existsSync(join(folder, 'postgres', 'PG_VERSION'))) throw error;
    rmSync(making, { recursive: true, force: true });
  }
};

/** Removes copies whose process was killed before it could do so. */
const tidy = (cache: string): void => {
  for (const name of readdirSync(cache)) {
    const pid = /^run-(\d+)-/.exec(name)?.[1];
    if (pid === undefined) continue;
    try {
      process.kill(Number(pid), 0);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ESRCH')
        rmSync(join(cache, name), { recursive: true, force: true });
    }
  }
};

/** Starts a copy of the database for one mock; the first time on a machine it is made before. */
export const startCopy = async (town: Town): Promise<Copy> => {
  const cache = cacheFolder();
  tidy(cache);
  const folder = join(cache, `template-${fingerprint(town, new Date())}`);
  if (!existsSync(join(folder, 'postgres', 'PG_VERSION'))) await make(cache, folder, town);
  const { password, ring, citizens } = JSON.parse(readFileSync(join(folder, 'mock.json'), 'utf8')) as Made;
  const home = join(cache, `run-${process.pid}-${randomBytes(4).toString('hex')}`);
  mkdirSync(home, { mode: 0o711 });
  chmodSync(home, 0o711);
  const remove = (): void => rmSync(home, { recursive: true, force: true });
  try {
    const database = await startPostgres(home, password, {
      binaries: cache,
      template: join(folder, 'postgres'),
      settings: SETTINGS,
    });
    return {
      database,
      keys: keysOf(ring),
      citizens: knownCitizens(citizens),
      async remove() {
        await database.stop();
        remove();
      },
    };
  } catch (error) {
    remove();
    throw error;
  }
};
