import { connect } from 'node:tls';
import * as chain from '../../accounts/audit-chain.ts';
import type { Context } from '../../accounts/context.ts';
import * as signingKeys from '../../accounts/signing-keys.ts';
import { backups, configuration, services, staffing } from './doctor-office.ts';
import { type Finding, good } from './findings.ts';
import type { AdminDeps } from './verb.ts';

const MAX_SKEW_MS = 2000;
const OUTBOX_MINUTES = 15;
const MANY_TRIES = 5;
const CHECKPOINT_MINUTES = 5;
const CERTIFICATE_DAYS = 14;
const TLS_TIMEOUT_MS = 5000;
const OLDEST_POSTGRES = 150_000;
const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

const database = async (ctx: Context): Promise<Finding[]> => {
  const before = ctx.now().getTime();
  const { rows } = await ctx.db.raw(
    "SELECT clock_timestamp() AS now, current_setting('server_version') AS version, current_setting('server_version_num')::integer AS number",
  );
  const { now, version, number } = rows[0];
  const skew = Math.abs((now as Date).getTime() - (before + ctx.now().getTime()) / 2);
  return [
    number < OLDEST_POSTGRES
      ? { check: 'database', state: 'bad', code: 'database-old', value: version }
      : good('database', `PostgreSQL ${version}`),
    skew > MAX_SKEW_MS
      ? { check: 'clock', state: 'bad', code: 'clock-skew', value: `${Math.round(skew)} ms` }
      : good('clock', `${Math.round(skew)} ms`),
  ];
};

const REDIS_TIMEOUT_MS = 2000;

const redis = async ({ operation }: AdminDeps): Promise<Finding[]> => {
  if (operation.redis === undefined) return [];
  const began = Date.now();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('late')), REDIS_TIMEOUT_MS);
  });
  try {
    await Promise.race([operation.redis(), late]);
    return [good('redis', `${Date.now() - began} ms`)];
  } catch {
    return [{ check: 'redis', state: 'bad', code: 'redis-away' }];
  } finally {
    clearTimeout(timer);
  }
};

const mail = async (deps: AdminDeps): Promise<Finding> => {
  try {
    await deps.tryMail();
    return good('mail');
  } catch (error) {
    const { code } = error as { code?: unknown };
    return { check: 'mail', state: 'bad', code: 'mail-away', value: typeof code === 'string' ? code : 'no answer' };
  }
};

const keys = async (ctx: Context): Promise<Finding> => {
  const all = await signingKeys.list(ctx);
  const current = all.find(({ state }) => state === 'current');
  if (current === undefined) return { check: 'keys', state: 'bad', code: 'keys-none' };
  const days = Math.floor((ctx.now().getTime() - current.createdAt.getTime()) / DAY_MS);
  return days > 35
    ? { check: 'keys', state: 'warning', code: 'keys-old', value: `${days} d` }
    : good('keys', `${current.kid.slice(0, 8)}…, ${days} d`);
};

const outbox = async (ctx: Context): Promise<Finding> => {
  const oldest = new Date(ctx.now().getTime() - OUTBOX_MINUTES * MINUTE_MS);
  const { rows } = await ctx.db.raw(
    `SELECT (SELECT count(*) FROM notices WHERE due_at < ? OR tries > ?)::integer AS mails,
       (SELECT count(*) FROM logout_notices WHERE due_at < ? OR tries > ?)::integer AS logouts`,
    [oldest, MANY_TRIES, oldest, MANY_TRIES],
  );
  const { mails, logouts } = rows[0];
  return mails + logouts > 0
    ? { check: 'outbox', state: 'warning', code: 'outbox-late', value: `${mails} + ${logouts}` }
    : good('outbox');
};

const auditChecks = async (ctx: Context, deps: AdminDeps): Promise<Finding[]> => {
  const kept = await deps.keeper.kept();
  const { links, faults } = await chain.verify(ctx, kept);
  const { lastAt, waitsSince } = deps.keeper;
  const late = ctx.now().getTime() - waitsSince.getTime() > CHECKPOINT_MINUTES * MINUTE_MS;
  return [
    faults.length > 0
      ? { check: 'audit', state: 'bad', code: 'audit-faults', value: String(faults.length) }
      : good('audit', `${links}`),
    late
      ? { check: 'checkpoints', state: 'bad', code: 'checkpoints-late' }
      : good('checkpoints', lastAt?.toISOString()),
  ];
};

/** The end of the certificate that the public address shows, as a citizen's browser sees it. */
const certificate = (deps: AdminDeps, now: Date): Promise<Finding> =>
  new Promise((resolve) => {
    const { hostname, port } = deps.issuer;
    const bad = (code: string): void =>
      resolve({ check: 'certificate', state: 'bad', code: 'certificate-bad', value: code });
    const socket = connect({
      host: hostname,
      port: Number(port || 443),
      servername: hostname,
      timeout: TLS_TIMEOUT_MS,
    });
    socket.once('secureConnect', () => {
      const days = Math.floor((new Date(socket.getPeerCertificate().valid_to).getTime() - now.getTime()) / DAY_MS);
      socket.end();
      resolve(
        days < CERTIFICATE_DAYS
          ? { check: 'certificate', state: 'warning', code: 'certificate-ends', value: `${days} d` }
          : good('certificate', `${days} d`),
      );
    });
    socket.once('error', (error: NodeJS.ErrnoException) => bad(error.code ?? error.name));
    socket.once('timeout', () => {
      socket.destroy();
      bad('ETIMEDOUT');
    });
  });

/** Looks at everything that a running provider needs. */
export const examine = async (ctx: Context, deps: AdminDeps): Promise<Finding[]> => {
  const findings = await Promise.all([
    configuration(ctx, deps),
    services(ctx),
    staffing(ctx, deps),
    database(ctx),
    redis(deps),
    mail(deps),
    keys(ctx),
    outbox(ctx),
    auditChecks(ctx, deps),
    ...(deps.issuer.protocol === 'https:' ? [certificate(deps, ctx.now())] : []),
    ...(deps.operation.real ? [backups(deps, ctx.now())] : []),
  ]);
  return findings.flat();
};
