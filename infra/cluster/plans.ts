import { request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ClusterFolder } from './folder.ts';
import type { MemberPlan } from './member.ts';
import { at, ISSUER_HOST, LOOPBACK, type Places } from './places.ts';
import type { Owner, Programs } from './programs.ts';

/** What the plans of all members need. */
export type Ground = {
  readonly folder: ClusterFolder;
  readonly places: Places;
  readonly programs: Programs;
  readonly owner: Owner | undefined;
};

const SENTINEL_DOWN_MS = 2000;
const SENTINEL_FAILOVER_MS = 10_000;

/** Status and body of an address on this machine. */
export const ask = (port: number, path: string, timeoutMs = 1000): Promise<{ status: number; body: string }> =>
  new Promise((resolve, reject) => {
    const req = request({ host: LOOPBACK, port, path, timeout: timeoutMs, agent: false }, (res) => {
      let body = '';
      res.on('data', (chunk: Buffer) => {
        body += chunk.toString();
      });
      res.on('end', () => resolve({ status: res.statusCode ?? 0, body }));
      res.on('error', reject);
    });
    req.on('timeout', () => req.destroy(new Error('timed out')));
    req.on('error', reject);
    req.end();
  });

const answers = async (port: number, path: string): Promise<boolean> => (await ask(port, path)).status === 200;

/** Whether a Redis command gets an answer that fits. */
const redisSays = (port: number, password: string, command: string, wanted: RegExp): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, LOOPBACK);
    let text = '';
    const done = (result: boolean): void => {
      socket.destroy();
      resolve(result);
    };
    socket.setTimeout(1000, () => done(false));
    socket.on('error', () => done(false));
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      if (wanted.test(text)) done(true);
    });
    socket.on('connect', () => socket.write(password === '' ? `${command}\r\n` : `AUTH ${password}\r\n${command}\r\n`));
  });

export const etcdPlan = ({ folder, places, programs, owner }: Ground): MemberPlan => {
  const [client, peer] = places.etcd;
  return {
    name: 'etcd',
    command: [programs.etcd],
    env: {
      ETCD_NAME: 'etcd1',
      ETCD_DATA_DIR: folder.folder('etcd'),
      ETCD_LISTEN_CLIENT_URLS: `http://${at(client)}`,
      ETCD_ADVERTISE_CLIENT_URLS: `http://${at(client)}`,
      ETCD_LISTEN_PEER_URLS: `http://${at(peer)}`,
      ETCD_INITIAL_ADVERTISE_PEER_URLS: `http://${at(peer)}`,
      ETCD_INITIAL_CLUSTER: `etcd1=http://${at(peer)}`,
      ETCD_LOG_LEVEL: 'warn',
    },
    owner,
    logFile: folder.log('etcd'),
    ready: () => answers(client, '/health'),
    readySeconds: 20,
  };
};

/** A database machine: Patroni, which starts Postgres as its child. */
export const databasePlan = ({ folder, places, programs, owner }: Ground, index: number): MemberPlan => {
  const name = `db${index + 1}`;
  const { passwords } = folder;
  const port = places.postgres[index];
  const rest = places.patroni[index] ?? 0;
  return {
    name,
    command: [programs.patroni, folder.copyOf(new URL('patroni.yml', import.meta.url), 'patroni.yml')],
    env: {
      PATRONI_NAME: name,
      PATRONI_ETCD3_HOSTS: at(places.etcd[0]),
      PATRONI_RESTAPI_LISTEN: at(rest),
      PATRONI_RESTAPI_CONNECT_ADDRESS: at(rest),
      PATRONI_POSTGRESQL_LISTEN: at(port),
      PATRONI_POSTGRESQL_CONNECT_ADDRESS: at(port),
      PATRONI_POSTGRESQL_DATA_DIR: dataFolder(folder, index),
      PATRONI_POSTGRESQL_PGPASS: join(folder.folder(name), 'pgpass'),
      PATRONI_POSTGRESQL_BIN_DIR: programs.postgresBin,
      PATRONI_SUPERUSER_USERNAME: 'postgres',
      PATRONI_SUPERUSER_PASSWORD: passwords.superuser,
      PATRONI_REPLICATION_USERNAME: 'replication',
      PATRONI_REPLICATION_PASSWORD: passwords.replication,
      PATRONI_REWIND_USERNAME: 'rewind',
      PATRONI_REWIND_PASSWORD: passwords.rewind,
      PGHOST: LOOPBACK,
      HOME: folder.folder(name),
    },
    owner,
    logFile: folder.log(name),
    ready: () => answers(rest, '/readiness'),
    readySeconds: 90,
  };
};

/** Postgres's data on a database machine. */
export const dataFolder = (folder: ClusterFolder, index: number): string =>
  join(folder.folder(`db${index + 1}`), 'data');

/** A Redis server; the first one begins as master. */
export const redisPlan = ({ folder, places, programs, owner }: Ground, index: number): MemberPlan => {
  const name = `redis${index + 1}`;
  const port = places.redisServers[index] ?? 0;
  const secret = folder.passwords.redis;
  const lines = [
    `include ${folder.copyOf(new URL('redis.conf', import.meta.url), 'redis.conf')}`,
    `bind ${LOOPBACK}`,
    `port ${port}`,
    `dir ${folder.folder(name)}`,
    `requirepass ${secret}`,
    `masterauth ${secret}`,
    ...(index === 0 ? [] : [`replicaof ${LOOPBACK} ${places.redisServers[0]}`]),
  ];
  return {
    name,
    // Redis and Sentinel rewrite this file at a failover, so that a server that comes back follows the new master.
    command: [programs.redisServer, folder.file(`${name}.conf`, `${lines.join('\n')}\n`)],
    owner,
    logFile: folder.log(name),
    ready: () => redisSays(port, secret, 'PING', /\+PONG/),
    readySeconds: 20,
  };
};

export const sentinelPlan = ({ folder, places, programs, owner }: Ground, index: number): MemberPlan => {
  const name = `sentinel${index + 1}`;
  const port = places.sentinels[index] ?? 0;
  const lines = [
    `include ${folder.copyOf(new URL('sentinel.conf', import.meta.url), 'sentinel.conf')}`,
    `bind ${LOOPBACK}`,
    `port ${port}`,
    `dir ${folder.folder(name)}`,
    `sentinel monitor schluessel ${LOOPBACK} ${places.redisServers[0]} 2`,
    `sentinel auth-pass schluessel ${folder.passwords.redis}`,
    `sentinel down-after-milliseconds schluessel ${SENTINEL_DOWN_MS}`,
    `sentinel failover-timeout schluessel ${SENTINEL_FAILOVER_MS}`,
    'sentinel parallel-syncs schluessel 1',
  ];
  return {
    name,
    command: [programs.redisSentinel, folder.file(`${name}.conf`, `${lines.join('\n')}\n`)],
    owner,
    logFile: folder.log(name),
    ready: () => redisSays(port, '', 'PING', /\+PONG/),
    readySeconds: 20,
  };
};

/** The way from the nodes to the primary and the master. */
export const dataProxyPlan = ({ folder, places, programs, owner }: Ground): MemberPlan => ({
  name: 'data-proxy',
  command: [programs.haproxy, '-db', '-f', folder.copyOf(new URL('../haproxy/data.cfg', import.meta.url), 'data.cfg')],
  env: {
    DATABASE_BIND: at(places.database),
    DB1: at(places.postgres[0]),
    DB1_PATRONI: String(places.patroni[0]),
    DB2: at(places.postgres[1]),
    DB2_PATRONI: String(places.patroni[1]),
    REDIS_BIND: at(places.redis),
    REDIS1: at(places.redisServers[0]),
    REDIS2: at(places.redisServers[1]),
    REDIS3: at(places.redisServers[2]),
    REDIS_PASSWORD: folder.passwords.redis,
  },
  owner,
  logFile: folder.log('data-proxy'),
  ready: () => redisSays(places.redis, folder.passwords.redis, 'PING', /\+PONG/),
  readySeconds: 20,
});

/** The public end; ready as soon as it listens, the nodes come after it. */
export const frontPlan = (
  { folder, places, programs, owner }: Ground,
  tls: { readonly bundle: string; readonly certificate: string },
): MemberPlan => ({
  name: 'front',
  command: [
    programs.haproxy,
    '-db',
    '-f',
    folder.copyOf(new URL('../haproxy/front.cfg', import.meta.url), 'front.cfg'),
  ],
  env: {
    FRONT_BIND: at(places.front),
    FRONT_CERTIFICATE: tls.bundle,
    MTLS_BIND: at(places.mtls),
    MTLS_CA: tls.certificate,
    STATS_BIND: at(places.stats),
    ERROR_PAGES: errorPages(folder),
    NODE1: at(places.nodes[0]),
    NODE2: at(places.nodes[1]),
  },
  owner,
  logFile: folder.log('front'),
  ready: () => answers(places.stats, '/metrics'),
  readySeconds: 20,
});

const errorPages = (folder: ClusterFolder): string => {
  const pages = folder.folder('errors');
  folder.copyOf(new URL('../haproxy/errors/503.http', import.meta.url), 'errors/503.http');
  return pages;
};

/** The settings of a node, as `npm run serve` reads them. */
export const nodeSettings = (
  { folder, places }: Ground,
  index: number,
  smtpUrl: string,
  townFile: string,
): Record<string, string> => ({
  ISSUER: `https://${ISSUER_HOST}:${places.front}`,
  HOST: LOOPBACK,
  PORT: String(places.nodes[index]),
  METRICS_PORT: String(places.metrics[index]),
  DATABASE_URL: databaseUrl(folder, places),
  REDIS_URL: `redis+sentinel://:${folder.passwords.redis}@${places.sentinels.map(at).join(',')}/schluessel`,
  SMTP_URL: smtpUrl,
  TOWN_FILE: townFile,
  TRUSTED_PROXIES: `${LOOPBACK}/32`,
  KEYRING_FILE: join(folder.path, 'town', 'keyring.json'),
  LOG_LEVEL: 'info',
});

export const databaseUrl = (folder: ClusterFolder, places: Places): string =>
  `postgres://schluessel:${folder.passwords.service}@${at(places.database)}/schluessel`;

export const nodePlan = (ground: Ground, index: number, env: Record<string, string>): MemberPlan => ({
  name: `node${index + 1}`,
  command: [process.execPath, fileURLToPath(new URL('../../provider/main.ts', import.meta.url))],
  env,
  logFile: ground.folder.log(`node${index + 1}`),
  ready: () => answers(ground.places.nodes[index] ?? 0, '/readyz'),
  readySeconds: 60,
});
