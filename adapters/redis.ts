import { Cluster, Redis, type RedisOptions } from 'ioredis';

/** A connection to one Redis, to the master that Sentinel names, or to a Cluster. */
export type RedisConnection = {
  readonly client: Redis | Cluster;
  close(): Promise<void>;
};

/** Like a database that is away: `code` is a network error's, so that the answer is 503 and not 500. */
class RedisAway extends Error {
  override readonly name = 'RedisAway';
  readonly code = 'ECONNREFUSED';

  constructor(cause: unknown) {
    super('Redis does not answer', { cause });
  }
}

const COMMAND_TIMEOUT_MS = 1_000;
const CONNECT_TIMEOUT_MS = 1_000;
const RETRY_MS = 200;
const FIRST_CONNECTION_MS = 2_000;
/** Answers of a server that is there but cannot serve now: loading, a replica, a cluster without its master, full. */
const NOT_NOW = /^(LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|NOREPLICAS|OOM|BUSY|MISCONF|UNBLOCKED)\b/;

const OPTIONS = {
  commandTimeout: COMMAND_TIMEOUT_MS,
  connectTimeout: CONNECT_TIMEOUT_MS,
  // A command that was sent before the connection broke may have taken place: the caller decides, not the client.
  maxRetriesPerRequest: 0,
  autoResendUnfulfilledCommands: false,
  // Whoever waits for a server that is away is told at once.
  enableOfflineQueue: false,
  retryStrategy: () => RETRY_MS,
  keepAlive: 10_000,
} satisfies RedisOptions;

const ADDRESS =
  /^(?<scheme>rediss?)(?:\+(?<kind>sentinel|cluster))?:\/\/(?:(?<user>[^:@/]*)(?::(?<password>[^@/]*))?@)?(?<hosts>[^/?#]+)(?:\/(?<path>[^?#]*))?$/;
const HOST = /^(?:\[(?<v6>[0-9a-fA-F:]+)\]|(?<name>[^:[\]]+))(?::(?<port>\d{1,5}))?$/;

const hostsOf = (text: string, port: number): { host: string; port: number }[] =>
  text.split(',').map((one) => {
    const { v6, name, port: given } = HOST.exec(one)?.groups ?? {};
    const host = v6 ?? name;
    if (host === undefined) throw new TypeError('not a host');
    return { host, port: Number(given ?? port) };
  });

const clientFor = (url: string): Redis | Cluster => {
  const parts = ADDRESS.exec(url)?.groups;
  if (parts === undefined) throw new TypeError('not a Redis address');
  const options = {
    ...OPTIONS,
    ...(parts['user'] ? { username: decodeURIComponent(parts['user']) } : {}),
    ...(parts['password'] ? { password: decodeURIComponent(parts['password']) } : {}),
    ...(parts['scheme'] === 'rediss' && { tls: {} }),
  };
  const path = parts['path'] ?? '';
  switch (parts['kind']) {
    case 'cluster':
      return new Cluster(hostsOf(parts['hosts'] ?? '', 6379), {
        redisOptions: options,
        enableOfflineQueue: false,
        clusterRetryStrategy: () => RETRY_MS,
      });
    case 'sentinel':
      return new Redis({
        ...options,
        sentinels: hostsOf(parts['hosts'] ?? '', 26379),
        name: path,
        sentinelRetryStrategy: () => RETRY_MS,
        ...('tls' in options && { enableTLSForSentinelMode: true, sentinelTLS: {} }),
      });
    default: {
      const [first] = hostsOf(parts['hosts'] ?? '', 6379);
      return new Redis({ ...options, ...first, db: Number(path || 0) });
    }
  }
};

/**
 * Connects: `redis[s]://[:PASSWORD@]HOST[:PORT][/DB]`, `redis[s]+sentinel://HOST,HOST/MASTER` or
 * `redis[s]+cluster://HOST,HOST`. Waits two seconds for the server; one that is away is looked for in the background.
 */
export const connectRedis = async (url: string): Promise<RedisConnection> => {
  const client = clientFor(url);
  // Whoever asks is told by the command's own error; without a listener each lost connection would be printed.
  client.on('error', () => {});
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, FIRST_CONNECTION_MS);
    client.once('ready', () => {
      clearTimeout(timer);
      resolve();
    });
  });
  return {
    client,
    async close() {
      client.disconnect();
    },
  };
};

/** Runs commands; whatever says that Redis cannot serve now becomes one kind of error. */
export const asked = async <T>(work: () => Promise<T>): Promise<T> => {
  try {
    return await work();
  } catch (error) {
    const { name, message } = error as Error;
    if (name === 'ReplyError' && !NOT_NOW.test(message)) throw error;
    throw new RedisAway(error);
  }
};
