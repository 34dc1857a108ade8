import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import tls from 'node:tls';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import * as clients from '../../accounts/clients.ts';
import type { Context } from '../../accounts/context.ts';
import type { Registration, Town } from '../../accounts/town.ts';
import { createHashing } from '../../adapters/hashing.ts';
import { connect, migrate } from '../../adapters/postgres.ts';
import { formatTownFault, loadTown } from '../../adapters/town.ts';
import { createKeys, type Keys } from '../../keys/keys.ts';
import { ensureCitizens, type TestCitizen } from '../sandbox/citizens.ts';
import { type DemoPlace, demoPlaces, overlay } from '../sandbox/demo/overlay.ts';
import { startDemoServices } from '../sandbox/demo/start.ts';
import { SandboxFolder } from '../sandbox/folder.ts';
import { inboxHandler, startMailServer } from '../sandbox/inbox.ts';
import { checkPorts, listenLocally } from '../sandbox/listen.ts';
import { Obstacle } from '../sandbox/obstacle.ts';
import { ClusterFolder } from './folder.ts';
import { Member, type MemberPlan } from './member.ts';
import { nameLocalHosts } from './names.ts';
import { allPorts, ISSUER_HOST, LOOPBACK, type Places, placesFrom } from './places.ts';
import {
  ask,
  databasePlan,
  databaseUrl,
  dataProxyPlan,
  etcdPlan,
  frontPlan,
  type Ground,
  nodePlan,
  nodeSettings,
  redisPlan,
  sentinelPlan,
} from './plans.ts';
import { findPrograms, serviceOwner } from './programs.ts';

export type ClusterOptions = {
  /** Emptied at the start and removed at the end. */
  readonly folder: string;
  readonly basePort: number;
  readonly nodes: number;
  readonly townFile: string;
  /** Registrations besides the town's own, for a drill or a test. */
  readonly more?: readonly Registration[];
  /** Told of each step. */
  readonly say?: (line: string) => void;
};

export type Cluster = {
  readonly issuer: string;
  readonly places: Places;
  /** PEM of the certificate that the public end shows. */
  readonly certificate: string;
  readonly town: Town;
  readonly services: readonly DemoPlace[];
  readonly citizens: readonly TestCitizen[];
  readonly keys: Keys;
  readonly nodes: readonly Member[];
  readonly databases: readonly Member[];
  readonly redis: readonly Member[];
  readonly logs: string;
  /** Data folders of the databases, in their order. */
  readonly data: readonly string[];
  /** Through the proxy, always to the primary. */
  readonly databaseUrl: string;
  stop(): Promise<void>;
};

type Step = () => Promise<void> | void;

const MIGRATIONS = fileURLToPath(new URL('../migrations/', import.meta.url));
const PRIMARY_SECONDS = 60;
const STANDBY_SECONDS = 90;

/** Brings everything up on this machine; whatever was started is stopped again when a step fails. */
export const startCluster = async (options: ClusterOptions): Promise<Cluster> => {
  const undo: Step[] = [];
  const stop = async (): Promise<void> => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    return { ...(await start(options, undo)), stop };
  } catch (error) {
    await stop();
    throw error;
  }
};

const start = async (options: ClusterOptions, undo: Step[]): Promise<Omit<Cluster, 'stop'>> => {
  const say = options.say ?? (() => {});
  const programs = findPrograms();
  const places = placesFrom(options.basePort, options.nodes);
  await checkPorts(allPorts(places));
  const { town, registrations } = readTown(options.townFile);
  const owner = serviceOwner();
  const folder = new ClusterFolder(options.folder, owner);
  undo.push(() => folder.remove());
  const ground: Ground = { folder, places, programs, owner };
  const run = async (plan: MemberPlan): Promise<Member> => {
    const member = new Member(plan);
    undo.push(() => member.stop());
    await member.start();
    return member;
  };

  say('etcd, Redis and Sentinel');
  await run(etcdPlan(ground));
  const redis = await inOrder(3, (index) => run(redisPlan(ground, index)));
  await inOrder(3, (index) => run(sentinelPlan(ground, index)));
  say('Postgres: primary, then standby');
  const databases = await inOrder(2, (index) => run(databasePlan(ground, index)));
  await run(dataProxyPlan(ground));
  await untilPrimary(places);
  await createDatabase(folder, places);

  say('the town: schema, keys, services, citizens');
  const url = databaseUrl(folder, places);
  await migrate(url, MIGRATIONS);
  const postgres = connect(url, { applicationName: 'cluster', max: 4 });
  undo.push(() => postgres.close());
  const home = await SandboxFolder.open(join(folder.path, 'town'), true);
  undo.push(() => home.close());
  const keys = createKeys(home.keyRing());
  const context: Context = {
    db: postgres.knex,
    now: () => new Date(),
    keys,
    actor: { kind: 'system', part: 'cluster' },
  };
  const demos = demoPlaces(registrations, { services: places.services, others: places.others });
  const secret = (clientId: string): string => home.clientSecret(clientId).reveal();
  const wanted = demos.map((place) => {
    const registration = overlay(place);
    return registration.authMethod.startsWith('client_secret')
      ? { registration, secret: home.clientSecret(registration.clientId) }
      : { registration };
  });
  await clients.apply(context, [...wanted, ...(options.more ?? []).map((registration) => ({ registration }))]);
  const hashing = createHashing({ processes: 1 });
  const citizens = await ensureCitizens(context, hashing, town, home).finally(() => hashing.close());

  const mail = await startMailServer();
  undo.push(() => mail.stop());
  const inbox = await listenLocally(inboxHandler(mail.mails, places.inbox), places.inbox);
  undo.push(() => inbox.stop());

  say('public end and nodes');
  const certificate = folder.certificate(programs);
  await run(frontPlan(ground, certificate));
  const nodes = await inOrder(options.nodes, (index) =>
    run(nodePlan(ground, index, nodeSettings(ground, index, mail.smtpUrl, options.townFile))),
  );
  await untilStandby(places);

  // The demo services live in this process: it has to find the issuer and to believe its certificate.
  nameLocalHosts();
  tls.setDefaultCACertificates([...tls.getCACertificates('default'), certificate.text]);
  const issuer = new URL(`https://${ISSUER_HOST}:${places.front}`);
  const services = await startDemoServices({
    places: demos,
    registrations,
    town,
    issuer,
    secret,
    others: places.others,
  });
  undo.push(async () => void (await Promise.all(services.map((service) => service.stop()))));

  return {
    issuer: issuer.origin,
    places,
    certificate: certificate.text,
    town,
    services: demos,
    citizens,
    keys,
    nodes,
    databases,
    redis,
    logs: join(folder.path, 'log'),
    data: databases.map((_, index) => join(folder.path, `db${index + 1}`, 'data')),
    databaseUrl: url,
  };
};

const inOrder = async <T>(count: number, make: (index: number) => Promise<T>): Promise<T[]> => {
  const made: T[] = [];
  for (let index = 0; index < count; index += 1) made.push(await make(index));
  return made;
};

const readTown = (file: string): { town: Town; registrations: readonly Registration[] } => {
  const loaded = loadTown(file);
  if (!('faults' in loaded)) return loaded;
  throw new Obstacle(`The town has faults:\n${loaded.faults.map((fault) => `  ${formatTownFault(fault)}`).join('\n')}`);
};

/** Waits for a condition; `what` says what was waited for in vain. */
export const eventually = async (what: string, seconds: number, check: () => Promise<boolean>): Promise<void> => {
  const deadline = Date.now() + seconds * 1000;
  while (Date.now() < deadline) {
    if (await check().catch(() => false)) return;
    await sleep(200);
  }
  throw new Error(`${what}: not within ${seconds} s`);
};

/** The database that Patroni calls primary (0 or 1), undefined if there is none. */
export const primaryIndex = async (places: Places): Promise<number | undefined> => {
  const answers = await Promise.all(places.patroni.map((port) => ask(port, '/primary').catch(() => undefined)));
  const index = answers.findIndex((answer) => answer?.status === 200);
  return index === -1 ? undefined : index;
};

export const untilPrimary = (places: Places): Promise<void> =>
  eventually('a primary Postgres', PRIMARY_SECONDS, async () => (await primaryIndex(places)) !== undefined);

/** Waits until a synchronous standby has everything. */
export const untilStandby = (places: Places): Promise<void> =>
  eventually('a synchronous standby', STANDBY_SECONDS, async () => {
    const answers = await Promise.all(places.patroni.map((port) => ask(port, '/synchronous').catch(() => undefined)));
    return answers.some((answer) => answer?.status === 200);
  });

/** Role and database of the provider, made by the superuser; on a real installation the handbook's step 3. */
const createDatabase = async (folder: ClusterFolder, places: Places): Promise<void> => {
  const superuser = new pg.Client({
    host: LOOPBACK,
    port: places.database,
    user: 'postgres',
    password: folder.passwords.superuser,
    database: 'postgres',
  });
  await superuser.connect();
  try {
    await superuser.query(`CREATE ROLE schluessel LOGIN PASSWORD ${pg.escapeLiteral(folder.passwords.service)}`);
    await superuser.query('CREATE DATABASE schluessel OWNER schluessel');
  } finally {
    await superuser.end();
  }
};

/** The process id of the Postgres whose data lies there. */
export const postmaster = (data: string): number =>
  Number(readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n', 1)[0]);
