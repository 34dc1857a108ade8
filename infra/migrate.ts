/**
 * `npm run migrate`: brings the database up to date as the role that owns it, and gives the service's own role its rights.
 * With that the nodes hold no password that could change the audit. Needs DATABASE_OWNER_URL and SERVICE_ROLE.
 */
import { migrate } from '../adapters/postgres.ts';
import { grantService } from '../adapters/service-role.ts';

const MIGRATIONS = new URL('migrations/', import.meta.url).pathname;
const { DATABASE_OWNER_URL: url, SERVICE_ROLE: role } = process.env;

const fail = (reason: string): void => {
  process.stderr.write(`${reason}\n`);
  process.exitCode = 1;
};

if (!url || !role) {
  fail(
    'Set DATABASE_OWNER_URL, like postgres://schluessel:PASSWORD@127.0.0.1/schluessel, and SERVICE_ROLE, the role in DATABASE_URL.',
  );
} else {
  try {
    const applied = await migrate(url, MIGRATIONS);
    await grantService(url, role);
    process.stdout.write(
      `${applied.map((name) => `applied: ${name}\n`).join('')}up to date; rights given to ${role}\n`,
    );
  } catch (error) {
    fail((error as Error).message);
  }
}
