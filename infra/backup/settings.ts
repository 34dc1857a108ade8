import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** What keeps a backup or a restore from being done, in one line with the way out. */
export class Hindrance extends Error {
  override readonly name = 'Hindrance';
}

export type Environment = Readonly<Record<string, string | undefined>>;

const POSTGRES_FOLDER = '/usr/lib/postgresql';

/** A setting that must be there. */
export const needed = (env: Environment, name: string, what: string): string => {
  const value = env[name]?.trim();
  if (value === undefined || value === '') throw new Hindrance(`${name} is missing: set ${what}.`);
  return value;
};

/** The text of a file that holds a secret: readable for its owner alone, or a systemd credential of that name. */
export const secretFile = (env: Environment, name: string, credential: string, what: string): string => {
  const folder = env['CREDENTIALS_DIRECTORY'];
  const path = env[name] ?? (folder === undefined ? undefined : join(folder, credential));
  if (path === undefined) throw new Hindrance(`${name} is missing: set ${what}.`);
  if (!existsSync(path)) throw new Hindrance(`${name}: there is no file ${path}.`);
  const ownFolder = folder !== undefined && path.startsWith(join(folder, '/'));
  if (!ownFolder && (statSync(path).mode & 0o077) !== 0)
    throw new Hindrance(`${name}: ${path} is open to other users: chmod 600 ${path}`);
  return readFileSync(path, 'utf8');
};

/** Postgres's programs: from PG_BIN, Debian's newest version, or the PATH. */
export const postgresProgram = (env: Environment, name: string): string => {
  const given = env['PG_BIN'];
  if (given !== undefined) return join(given, name);
  const versions = existsSync(POSTGRES_FOLDER) ? readdirSync(POSTGRES_FOLDER).map(Number).filter(Number.isInteger) : [];
  const newest = versions
    .sort((one, other) => other - one)
    .map((version) => join(POSTGRES_FOLDER, String(version), 'bin', name))
    .find((path) => existsSync(path));
  return newest ?? name;
};

/**
 * An address as libpq's programs get it: everything but the password as an argument, the password in the environment, as
 * arguments can be read by every user of the machine.
 */
export const forPrograms = (databaseUrl: string): { url: string; env: Record<string, string> } => {
  const url = new URL(databaseUrl);
  const password = decodeURIComponent(url.password);
  url.password = '';
  return { url: url.href, env: password === '' ? {} : { PGPASSWORD: password } };
};
