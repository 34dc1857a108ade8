import cluster from 'node:cluster';
import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import type { Context } from '../accounts/context.ts';
import { changedKeys } from '../accounts/key-marks.ts';
import type { Town } from '../accounts/town.ts';
import { type OpenBreachedList, openBreachedList } from '../adapters/breached.ts';
import { checkpointFile, checkpointSyslog } from '../adapters/checkpoints.ts';
import { readConfig } from '../adapters/config.ts';
import { createHashing } from '../adapters/hashing.ts';
import { createLog } from '../adapters/log.ts';
import { createMailer } from '../adapters/mail.ts';
import { connect, migrate } from '../adapters/postgres.ts';
import { connectRedis } from '../adapters/redis.ts';
import { loadTown, type TownFault } from '../adapters/town.ts';
import { followTownFile, watchTownFile } from '../adapters/town-file.ts';
import { startTracing } from '../adapters/tracing.ts';
import { parseKeyRing } from '../keys/key-ring.ts';
import { createKeys } from '../keys/keys.ts';
import { createApp } from './app.ts';
import { createHealth } from './health.ts';
import { createMetrics } from './metrics.ts';
import { answerPrimary, serveMetrics, textOfWorkers } from './metrics-server.ts';
import { serve } from './serve.ts';
import { keepWorkers } from './workers.ts';

const MIGRATIONS = new URL('../infra/migrations/', import.meta.url).pathname;

/** Says on standard error why the provider does not start, each reason on a line of its own. */
function refuseToStart(reasons: readonly string[]): never {
  process.stderr.write(`The provider does not start:\n${reasons.map((reason) => `  - ${reason}\n`).join('')}`);
  process.exit(1);
}

const config = readConfig(process.env, parseKeyRing);
if ('faults' in config) refuseToStart(config.faults);
const followedTown = existsSync(config.townFile) ? followTownFile(config.townFile) : undefined;
const loaded = loadTown(config.townFile);
const inLines = (faults: readonly TownFault[]): string[] =>
  faults.map(({ file, line, column, reason }) => `${file}:${line}:${column} ${reason}`);
if ('faults' in loaded) refuseToStart(inLines(loaded.faults));

const log = createLog(config.logLevel);

/** A town whose new file has faults stays as it was. */
const renewedTown = async (): Promise<Town | undefined> => {
  const renewed = await followedTown?.();
  if (renewed === undefined) return undefined;
  if ('faults' in renewed) {
    log.error({ faults: inLines(renewed.faults) }, 'the town’s file has faults: the town stays as it was');
    return undefined;
  }
  const { id, municipalityKey } = renewed.town;
  if (id === loaded.town.id && municipalityKey === loaded.town.municipalityKey) return renewed.town;
  log.error('the town’s file is of another town: it is not taken');
  return undefined;
};
try {
  await migrate(config.databaseUrl, MIGRATIONS);
} catch (error) {
  refuseToStart([`DATABASE_URL: ${(error as Error).message}`]);
}

const keys = createKeys(config.keyRing);
if (cluster.isPrimary) {
  const probe = connect(config.databaseUrl, { applicationName: 'stadtschluessel', max: 1 });
  const actor = { kind: 'system', part: 'operation' } as const;
  const changed = await changedKeys({ db: probe.knex, now: () => new Date(), keys, actor });
  await probe.close();
  const other = changed.map(
    (name) =>
      `KEYRING_FILE: its ${name} key is not the one that this database was begun with; put the right file there.`,
  );
  if (other.length > 0) refuseToStart(other);
}

/** Serves Prometheus, where that is set up. */
const serveMeasures = async (text: () => Promise<string>): ReturnType<typeof serveMetrics> =>
  config.metrics === undefined
    ? { close: async () => {} }
    : await serveMetrics(text, config.metrics.host, config.metrics.port).catch((error: NodeJS.ErrnoException) =>
        refuseToStart([`METRICS_PORT: ${config.metrics?.port} cannot be used (${error.code}); set another.`]),
      );

if (config.workers > 1 && cluster.isPrimary) {
  await serveMeasures(textOfWorkers);
  process.exit(await keepWorkers(config.workers, log));
}

const tracing = config.tracing && (await startTracing(config.tracing));
const postgres = connect(config.databaseUrl, { applicationName: 'stadtschluessel', max: 10 });
const redis = config.redisUrl === undefined ? undefined : await connectRedis(config.redisUrl);
// The workers share the machine: together they hash on as many cores as one would.
const processes = Math.max(1, Math.floor((availableParallelism() - 1) / config.workers));
const hashing = createHashing({ processes, ...config.hashing });
const mailer = createMailer(config.smtpUrl, {
  name: loaded.town.name.de,
  address: loaded.town.contact.email,
});
const context = (): Context => ({
  db: postgres.knex,
  now: () => new Date(),
  keys,
  actor: { kind: 'system', part: 'operation' },
});
const health = createHealth({
  context,
  migrations: MIGRATIONS,
  ...(redis && { checks: { redis: async () => ({ ok: (await redis.client.ping()) === 'PONG' }) } }),
});
const metrics = config.metrics && createMetrics({ context, pool: postgres.pool, hashing: hashing.stats, health, log });
/** What backup and drill last measured; a file that is not there yet says nothing. */
const readMeasures = (files: readonly string[]): string =>
  files.flatMap((file) => (existsSync(file) ? [readFileSync(file, 'utf8')] : [])).join('');
const openBreached = (path: string): OpenBreachedList => {
  try {
    return openBreachedList(path);
  } catch (error) {
    return refuseToStart([`BREACHED_PASSWORDS_FILE: ${(error as Error).message}`]);
  }
};
const breached = config.breachedPasswordsFile === undefined ? undefined : openBreached(config.breachedPasswordsFile);
const app = await createApp({
  issuer: config.issuer,
  trustedProxies: config.trustedProxies,
  mtlsOrigin: config.mtlsOrigin,
  registrationToken: config.registrationToken,
  postgres,
  databaseUrl: config.databaseUrl,
  keys,
  town: loaded.town,
  renewedTown,
  watchTown: (changed) => watchTownFile(config.townFile, changed),
  hashing,
  mailer,
  log,
  ...(breached && { breached: breached.has }),
  ...(config.auditCheckpoints && {
    checkpoints:
      'file' in config.auditCheckpoints
        ? checkpointFile(config.auditCheckpoints.file)
        : checkpointSyslog(config.auditCheckpoints.host, config.auditCheckpoints.port, () => new Date()),
  }),
  health,
  ...(redis && { redis }),
  backupMeasures: () => readMeasures(config.backupMetricsFiles),
  sources: config.sources,
  ...(metrics && { metrics }),
});
if (metrics && cluster.isWorker) answerPrimary(metrics);
const collected = metrics && cluster.isPrimary ? await serveMeasures(metrics.text) : undefined;
const serving = serve(app, config.host, config.port, log).catch((error: NodeJS.ErrnoException) =>
  refuseToStart([
    error.code === 'EADDRINUSE'
      ? `PORT: ${config.port} is taken; stop what listens there or set another.`
      : String(error),
  ]),
);

let stopping = false;
const stop = async (): Promise<void> => {
  // A worker may be told twice: by its primary, and by a terminal or service manager that tells all.
  if (stopping && cluster.isWorker) return;
  if (stopping) process.exit(1);
  stopping = true;
  health.drain();
  await collected?.close();
  await (await serving).stop();
  await hashing.close();
  mailer.close();
  await redis?.close();
  await postgres.close();
  await tracing?.close();
  if (cluster.isWorker) process.exit(0);
};
// From before it listens: whoever reads that it does may end it at once.
process.on('SIGTERM', stop);
process.on('SIGINT', stop);
await serving;
