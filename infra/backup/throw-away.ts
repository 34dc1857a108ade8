import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { type Environment, Hindrance, postgresProgram } from './settings.ts';

const START_SECONDS = 60;

/** An empty Postgres that only this user reaches: by a socket in a closed folder, without a network port. */
export const throwAway = async (env: Environment): Promise<{ url: string; end(): Promise<void> }> => {
  const home = mkdtempSync(join(tmpdir(), 'schluessel-drill-'));
  const owner = process.getuid?.() === 0 ? { uid: userId('-u'), gid: userId('-g') } : {};
  const data = join(home, 'data');
  mkdirSync(data, { mode: 0o700 });
  if (owner.uid !== undefined) {
    chownSync(home, owner.uid, owner.gid);
    chownSync(data, owner.uid, owner.gid);
  }
  chmodSync(home, 0o700);
  const options = { ...owner, cwd: '/', env: { PATH: env['PATH'], LC_ALL: 'C' } };
  const remove = (): void => rmSync(home, { recursive: true, force: true });
  try {
    const args = ['-D', data, '-U', 'drill', '--auth=trust', '--encoding=UTF8', '--no-sync', '--no-instructions'];
    execFileSync(postgresProgram(env, 'initdb'), args, { ...options, stdio: 'ignore' });
  } catch (error) {
    remove();
    throw new Hindrance(
      `A Postgres for the drill could not be made (${(error as NodeJS.ErrnoException).code ?? 'initdb failed'}): install the package postgresql, or set PG_BIN.`,
    );
  }
  const settings = [
    'listen_addresses=',
    `unix_socket_directories=${home}`,
    'fsync=off',
    'full_page_writes=off',
    'max_wal_size=4GB',
  ];
  const child = spawn(postgresProgram(env, 'postgres'), ['-D', data, ...settings.flatMap((one) => ['-c', one])], {
    ...options,
    stdio: 'ignore',
  });
  const ended = once(child, 'exit');
  const url = `postgres://drill@localhost/postgres?host=${encodeURIComponent(home)}`;
  const end = async (): Promise<void> => {
    child.kill('SIGQUIT');
    await ended;
    remove();
  };
  const deadline = Date.now() + START_SECONDS * 1000;
  while (Date.now() < deadline && child.exitCode === null) {
    const client = new pg.Client({ connectionString: url });
    const answers = await client.connect().then(
      () => true,
      () => false,
    );
    await client.end().catch(() => {});
    if (answers) return { url, end };
    await sleep(100);
  }
  await end();
  throw new Hindrance('The Postgres of the drill does not start.');
};

const userId = (option: string): number => Number(execFileSync('id', [option, 'postgres'], { encoding: 'utf8' }));
