import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { destination } from 'pino';
import * as clients from '../../accounts/clients.ts';
import type { Context } from '../../accounts/context.ts';
import type { Registration, Town } from '../../accounts/town.ts';
import { checkpointFile } from '../../adapters/checkpoints.ts';
import { createHashing } from '../../adapters/hashing.ts';
import { createLog } from '../../adapters/log.ts';
import { createMailer } from '../../adapters/mail.ts';
import { connect, MigrationFault, migrate } from '../../adapters/postgres.ts';
import { formatTownFault, loadTown } from '../../adapters/town.ts';
import type { KeyRing } from '../../keys/key-ring.ts';
import { createKeys } from '../../keys/keys.ts';
import { createApp } from '../../provider/app.ts';
import { TRIAL_ORGANISATION } from '../../provider/dynamic-registration.ts';
import { createHealth } from '../../provider/health.ts';
import { serve } from '../../provider/serve.ts';
import { ensureCitizens } from './citizens.ts';
import { counterpartKeys, counterpartSources, startCounterparts } from './counterparts/start.ts';
import { demoPlaces, isLocal, overlay } from './demo/overlay.ts';
import { startDemoServices } from './demo/start.ts';
import type { SandboxFolder } from './folder.ts';
import { inboxHandler, startMailServer } from './inbox.ts';
import { listenLocally } from './listen.ts';
import { Obstacle } from './obstacle.ts';
import type { SandboxOptions } from './options.ts';
import type { EmbeddedPostgres } from './postgres.ts';
import type { Sandbox, Undo } from './sandbox.ts';
import { summary } from './summary.ts';

const MIGRATIONS = fileURLToPath(new URL('../migrations/', import.meta.url));
const DATABASE_CONNECTIONS = 10;

/** Runs the town on a database that may still be starting; each step notes how it is undone. */
export const runTown = async (
  options: SandboxOptions,
  folder: SandboxFolder,
  ring: KeyRing,
  starting: Promise<EmbeddedPostgres>,
  undo: Undo[],
): Promise<Omit<Sandbox, 'stop'>> => {
  const { ports, issuer } = options;
  const { town: real, registrations } = readTown(options.townFile);
  const town: Town = { ...real, organisations: [...real.organisations, TRIAL_ORGANISATION] };
  const keys = createKeys(ring);
  const logFile = join(options.folder, 'provider.log');
  rmSync(logFile, { force: true });
  const log = createLog('info', destination({ dest: logFile, sync: true, mode: 0o600 }));

  const hashing = createHashing();
  undo.push(() => hashing.close());
  const mail = await startMailServer();
  undo.push(() => mail.stop());
  const inbox = await listenLocally(inboxHandler(mail.mails, ports.inbox), ports.inbox);
  undo.push(() => inbox.stop());

  // The citizen's browser comes to the provider by name; behind a proxy the simulated AusweisApp would not know it.
  const counterparts =
    issuer.protocol === 'http:'
      ? { issuer, ports: ports.counterparts, town, keys: await counterpartKeys(options.folder) }
      : undefined;
  const running = counterparts && startCounterparts(counterparts);
  // Whoever waits for it is told; until then its failure must not end the process.
  running?.catch(() => {});
  undo.push(async () => void (await Promise.all(((await running?.catch(() => [])) ?? []).map((one) => one.stop()))));

  const database = await starting;
  await migrate(database.url, MIGRATIONS).catch(explainMigration);
  const postgres = connect(database.url, { applicationName: 'sandbox', max: DATABASE_CONNECTIONS });
  undo.push(() => postgres.close());

  const actor = { kind: 'system', part: 'sandbox' } as const;
  const context: Context = { db: postgres.knex, now: () => new Date(), keys, actor };
  const places = demoPlaces(registrations, ports);
  await clients.apply(context, wanted(registrations, places, folder));
  const citizens = await ensureCitizens(context, hashing, town, folder);

  const mailer = createMailer(mail.smtpUrl, { name: `Stadtschlüssel ${town.name.de}`, address: town.contact.email });
  undo.push(() => mailer.close());
  const app = await createApp({
    issuer,
    // Behind a TLS proxy on this machine, as test suites set it up.
    trustedProxies: ['127.0.0.1/32', '::1/128'],
    mtlsOrigin: options.mtlsOrigin,
    postgres,
    databaseUrl: database.url,
    keys,
    town,
    hashing,
    mailer,
    log,
    checkpoints: checkpointFile(folder.checkpoints),
    health: createHealth({ context: () => context, migrations: MIGRATIONS }),
    sources: counterparts && counterpartSources(counterparts),
    sandbox: {
      inboxUrl: `http://localhost:${ports.inbox}/`,
      testSuites: options.testSuites,
      deletionSeconds: options.deletionSeconds,
    },
  });
  undo.push(() => app.close());
  const serverSettings = folder.keepServerSettings(issuer, database.url);
  const served = await serve(app, '127.0.0.1', ports.provider, log);
  undo.pop();
  undo.push(() => served.stop());

  const secret = (clientId: string): string => folder.clientSecret(clientId).reveal();
  const demos = await startDemoServices({ places, registrations, town, issuer, secret, others: ports.others });
  undo.push(async () => void (await Promise.all(demos.map((demo) => demo.stop()))));

  await running;

  const own = registrations.filter(isLocal).map(({ clientId, authMethod }) => ({
    clientId,
    secret: authMethod.startsWith('client_secret') ? secret(clientId) : undefined,
  }));
  const seconds = performance.now() / 1000;
  return {
    summary: summary({ options, townName: town.name.de, places, own, citizens, logFile, serverSettings, seconds }),
    databaseEnded: database.ended,
  };
};

const readTown = (file: string): { town: Town; registrations: Registration[] } => {
  const loaded = loadTown(file, { localhost: true });
  if (!('faults' in loaded)) return loaded;
  const lines = loaded.faults.map((fault) => `  ${formatTownFault(fault)}`).join('\n');
  throw new Obstacle(`The town has faults; correct these lines and start again:\n${lines}`);
};

const explainMigration = (error: unknown): never => {
  if (!(error instanceof MigrationFault)) throw error;
  const way = 'start anew with npm start -- --fresh';
  throw new Obstacle(`The data of an earlier version does not fit (${error.message}): ${way}.`);
};

/** Each service as its demo is registered, with a secret where it needs one. */
const wanted = (registrations: readonly Registration[], places: ReturnType<typeof demoPlaces>, folder: SandboxFolder) =>
  registrations.map((original) => {
    const place = places.find(({ registration }) => registration === original);
    const registration = place === undefined ? original : overlay(place);
    const runs = place !== undefined || isLocal(original);
    const needsSecret = runs && registration.authMethod.startsWith('client_secret');
    return needsSecret ? { registration, secret: folder.clientSecret(registration.clientId) } : { registration };
  });
