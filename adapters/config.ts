import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import ipaddr from 'ipaddr.js';
import type { KeyRing } from '../keys/key-ring.ts';
import type { LogLevel } from './log.ts';
import { isLoopbackHost } from './mail.ts';
import { type RegistrationSettings, readRegistration } from './registration-config.ts';
import { readSources, type SourceSettings } from './source-config.ts';
import { readWatch, type WatchSettings } from './watch-config.ts';

/** The settings of a provider in production; read once, frozen. */
export type Config = WatchSettings &
  RegistrationSettings & {
    readonly issuer: URL;
    readonly host: string;
    readonly port: number;
    readonly databaseUrl: string;
    readonly redisUrl?: string;
    /** Equal processes on this machine. */
    readonly workers: number;
    /** Cost of argon2id; older hashes are renewed at the next sign-in. */
    readonly hashing: { readonly memoryKiB: number; readonly passes: number };
    readonly smtpUrl: string;
    readonly townFile: string;
    /** Sorted SHA-1 hashes of breached passwords. */
    readonly breachedPasswordsFile?: string;
    /** CIDR ranges of the proxies whose forwarding headers are believed. */
    readonly trustedProxies: readonly string[];
    /** Where clients with certificates reach the token endpoint and its neighbours (RFC 8705 §5). */
    readonly mtlsOrigin?: URL;
    readonly keyRing: KeyRing;
    /** Identity sources; each is off unless it is set up. */
    readonly sources: SourceSettings;
    readonly logLevel: LogLevel;
  };

type Environment = Readonly<Record<string, string | undefined>>;

/** How files are reached; tests of the reader hand over their own. */
export type ConfigFiles = {
  /** Text and permission bits of a file; throws as `node:fs` does. */
  read(path: string): { text: string; mode: number };
  exists(path: string): boolean;
};

/** Reads a key ring's JSON; a parameter, as adapters take only types from `keys/`. */
type ParseKeyRing = (json: string) => KeyRing | { faults: string[] };

const LOG_LEVELS: readonly LogLevel[] = ['fatal', 'error', 'warn', 'info', 'debug', 'trace'];
const READABLE_BY_OTHERS = 0o007;
const READABLE_BY_GROUP_OR_OTHERS = 0o077;
/** A wider range would believe the forwarding headers of whole continents. */
const MIN_PREFIX_BITS = { ipv4: 8, ipv6: 16 };

export const realFiles: ConfigFiles = {
  read: (path) => ({ text: readFileSync(path, 'utf8'), mode: statSync(path).mode & 0o777 }),
  exists: (path) => statSync(path, { throwIfNoEntry: false })?.isFile() ?? false,
};

/**
 * Reads the settings from the environment. Every missing or unsafe value becomes one line that says what to do; no line
 * quotes a value that may hold a secret.
 */
export const readConfig = (
  env: Environment,
  parseKeyRing: ParseKeyRing,
  files: ConfigFiles = realFiles,
  now = new Date(),
): Config | { faults: string[] } => {
  const faults: string[] = [];
  const fault = (line: string): undefined => {
    faults.push(line);
  };
  // What the sandbox permits must not reach real citizens by a variable that was left over.
  if (given(env['PROFILE']) !== undefined) {
    fault('PROFILE is for the sandbox only (PROFILE=sandbox npm start): leave it out.');
  }
  const issuer = readIssuer(env['ISSUER'], fault);
  const port = readPort(env['PORT'], fault);
  const host = readHost(env['HOST'], fault);
  const databaseUrl = readDatabaseUrl(env['DATABASE_URL'], fault);
  const redisUrl = readRedisUrl(env['REDIS_URL'], fault);
  const workers = readNumber('WORKERS', env, { least: 1, most: 64, usual: 1 }, fault);
  // RFC 9106 and OWASP: not below 19 MiB with two passes. Above 1 GiB nobody would wait for it.
  const memoryKiB = readNumber('ARGON2_MEMORY_KIB', env, { least: 19_456, most: 1_048_576, usual: 19_456 }, fault);
  const passes = readNumber('ARGON2_PASSES', env, { least: 2, most: 20, usual: 2 }, fault);
  const smtpUrl = readSmtpUrl(env['SMTP_URL'], fault);
  const townFile = readTownFile(env['TOWN_FILE'], files, fault);
  const breachedPasswordsFile = readBreached(env['BREACHED_PASSWORDS_FILE'], files, fault);
  const trustedProxies = readProxies(env['TRUSTED_PROXIES'], fault);
  const mtlsOrigin = readMtlsOrigin(env['MTLS_ORIGIN'], issuer, fault);
  const keyRing = readKeyRing(env, parseKeyRing, files, fault);
  const watch = readWatch(env, port, fault);
  const registration = readRegistration(env, files, fault);
  const sources = readSources(env, files, issuer, now, fault);
  const logLevel = LOG_LEVELS.find((level) => level === (given(env['LOG_LEVEL']) ?? 'info'));
  if (logLevel === undefined) fault(`LOG_LEVEL is not a level: set one of ${LOG_LEVELS.join(', ')}, or leave it out.`);
  if (
    faults.length > 0 ||
    issuer === undefined ||
    port === undefined ||
    host === undefined ||
    databaseUrl === undefined ||
    workers === undefined ||
    memoryKiB === undefined ||
    passes === undefined ||
    smtpUrl === undefined ||
    townFile === undefined ||
    trustedProxies === undefined ||
    watch === undefined ||
    keyRing === undefined ||
    logLevel === undefined
  ) {
    return { faults };
  }
  return Object.freeze({
    issuer,
    host,
    port,
    databaseUrl,
    ...(redisUrl !== undefined && { redisUrl }),
    workers,
    hashing: Object.freeze({ memoryKiB, passes }),
    smtpUrl,
    townFile,
    ...(breachedPasswordsFile !== undefined && { breachedPasswordsFile }),
    trustedProxies: Object.freeze(trustedProxies),
    ...(mtlsOrigin !== undefined && { mtlsOrigin }),
    keyRing,
    ...watch,
    ...registration,
    sources: Object.freeze(sources),
    logLevel,
  });
};

type Fault = (line: string) => undefined;

const given = (value: string | undefined): string | undefined =>
  value === undefined || value.trim() === '' ? undefined : value.trim();

const readIssuer = (value: string | undefined, fault: Fault): URL | undefined => {
  const text = given(value);
  if (text === undefined)
    return fault('ISSUER is missing: set the public address of the provider, like https://login.stadt.example.');
  if (!URL.canParse(text)) return fault('ISSUER is not an address: set it like https://login.stadt.example.');
  const url = new URL(text);
  if (url.protocol !== 'https:')
    return fault('ISSUER does not begin with https://: set the address under which the TLS proxy is reached.');
  if (url.username !== '' || url.password !== '') return fault('ISSUER holds a user name or password: leave them out.');
  if (url.href !== `${url.origin}/` || text.includes('?') || text.includes('#')) {
    return fault('ISSUER has more than scheme, host and port: leave out path, query and fragment.');
  }
  if (isLoopbackHost(url.hostname) || ipaddr.isValid(url.hostname.replace(/^\[|\]$/g, ''))) {
    return fault('ISSUER names an IP address or this machine: passkeys need a host name that citizens can reach.');
  }
  return url;
};

const readMtlsOrigin = (value: string | undefined, issuer: URL | undefined, fault: Fault): URL | undefined => {
  const text = given(value);
  if (text === undefined) return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== 'https:' || url.href !== `${url.origin}/`) {
    return fault('MTLS_ORIGIN is not an origin: set it like https://mtls.login.stadt.example, or leave it out.');
  }
  return url.host === issuer?.host
    ? fault(
        'MTLS_ORIGIN is the host of ISSUER, where browsers would be asked for certificates: give it a name of its own.',
      )
    : url;
};

const readPort = (value: string | undefined, fault: Fault): number | undefined => {
  const text = given(value) ?? '3000';
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  return port >= 1 && port <= 65535
    ? port
    : fault('PORT is not a port: set a number from 1 to 65535, or leave it out for 3000.');
};

const readNumber = (
  name: string,
  env: Environment,
  { least, most, usual }: { least: number; most: number; usual: number },
  fault: Fault,
): number | undefined => {
  const text = given(env[name]) ?? String(usual);
  const number = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  return number >= least && number <= most
    ? number
    : fault(`${name} is out of range: set a whole number from ${least} to ${most}, or leave it out for ${usual}.`);
};

const readHost = (value: string | undefined, fault: Fault): string | undefined => {
  const host = given(value) ?? '127.0.0.1';
  return host === 'localhost' || ipaddr.isValid(host)
    ? host
    : fault(
        'HOST is not an IP address to listen on: set one, like 127.0.0.1 or 0.0.0.0, or leave it out for 127.0.0.1.',
      );
};

const readDatabaseUrl = (value: string | undefined, fault: Fault): string | undefined => {
  const text = given(value);
  if (text === undefined) {
    return fault(
      'DATABASE_URL is missing: set it like postgres://schluessel:PASSWORD@db.stadt.example/schluessel?sslmode=verify-full.',
    );
  }
  // A user without a host, as for a socket, is a form that URL does not know.
  const whole = text.replace('@/', '@socket/');
  if (!URL.canParse(whole) || !/^postgres(ql)?:$/.test(new URL(whole).protocol)) {
    return fault(
      'DATABASE_URL is not a Postgres address: it begins with postgres://, and special characters in the password are percent-encoded.',
    );
  }
  const url = new URL(whole);
  const host = url.searchParams.get('host') ?? url.hostname;
  const local = host === '' || host.startsWith('/') || isLoopbackHost(host);
  if (!local && url.searchParams.get('sslmode') !== 'verify-full') {
    return fault(
      'DATABASE_URL leads to another machine without verified TLS: add sslmode=verify-full (and sslrootcert=FILE for an own authority).',
    );
  }
  return text;
};

/** One server, the master that Sentinel names, or a Cluster (see redis.ts). */
const REDIS_ADDRESS =
  /^(?<scheme>rediss?)(\+sentinel(?=:.*\/[^/]+$)|\+cluster)?:\/\/([^@/]*@)?(?<hosts>[^/?#@]+)(\/[^?#]*)?$/;

const readRedisUrl = (value: string | undefined, fault: Fault): string | undefined => {
  const text = given(value);
  if (text === undefined) return undefined;
  const parts = REDIS_ADDRESS.exec(text)?.groups;
  if (parts === undefined) {
    return fault(
      'REDIS_URL is not a Redis address: set it like rediss://:PASSWORD@redis.stadt.example, rediss+sentinel://HOST,HOST/MASTER or rediss+cluster://HOST,HOST, or leave it out.',
    );
  }
  const hosts = (parts['hosts'] ?? '').split(',').map((one) => one.replace(/:\d+$/, ''));
  if (parts['scheme'] === 'redis' && !hosts.every((host) => isLoopbackHost(host))) {
    return fault('REDIS_URL leads to another machine without TLS: let it begin with rediss.');
  }
  return text;
};

const readSmtpUrl = (value: string | undefined, fault: Fault): string | undefined => {
  const text = given(value);
  if (text === undefined) return fault('SMTP_URL is missing: set it like smtps://USER:PASSWORD@mail.stadt.example.');
  if (!URL.canParse(text) || !/^smtps?:$/.test(new URL(text).protocol) || new URL(text).hostname === '') {
    return fault(
      'SMTP_URL is not a mail server: set it like smtps://USER:PASSWORD@mail.stadt.example, or smtp:// for STARTTLS.',
    );
  }
  const url = new URL(text);
  // Switches such as ?ignoreTLS=true or ?tls.rejectUnauthorized=false would send codes in the clear.
  if (url.search !== '' || url.hash !== '')
    return fault('SMTP_URL has switches behind the address: leave them out, TLS is always verified.');
  return text;
};

const readTownFile = (value: string | undefined, files: ConfigFiles, fault: Fault): string | undefined => {
  const path = given(value);
  if (path === undefined) return fault('TOWN_FILE is missing: set the path of the town.yaml of your town.');
  return files.exists(path) ? path : fault(`TOWN_FILE: ${path} is not a file that can be read: correct the path.`);
};

const readBreached = (value: string | undefined, files: ConfigFiles, fault: Fault): string | undefined => {
  const path = given(value);
  if (path === undefined || files.exists(path)) return path;
  return fault(`BREACHED_PASSWORDS_FILE: ${path} is not a file that can be read: correct the path, or leave it out.`);
};

const readProxies = (value: string | undefined, fault: Fault): string[] | undefined => {
  const text = given(value);
  if (text === undefined) {
    return fault(
      'TRUSTED_PROXIES is missing: set the ranges of the proxies that end TLS, with commas between, like 127.0.0.1/32.',
    );
  }
  const ranges = text.split(',').map((range) => range.trim());
  const wrong = ranges
    .map((range) => ({ range, reason: proxyFault(range) }))
    .filter(({ reason }) => reason !== undefined);
  for (const { range, reason } of wrong)
    fault(`TRUSTED_PROXIES: ${range === '' ? 'an empty entry' : range} ${reason}.`);
  return wrong.length === 0 ? ranges : undefined;
};

const proxyFault = (range: string): string | undefined => {
  const form = 'is not a range: write address/bits, like 10.1.2.0/24 or 127.0.0.1/32';
  if (!/^[0-9a-fA-F.:]+\/\d{1,3}$/.test(range) || !ipaddr.isValidCIDR(range)) return form;
  const [address, bits] = ipaddr.parseCIDR(range);
  // ipaddr.js takes shortened forms of IPv4 (10.1/16), which people read differently.
  if (address.kind() === 'ipv4' && !/^\d{1,3}(\.\d{1,3}){3}\//.test(range)) return form;
  return bits < MIN_PREFIX_BITS[address.kind()]
    ? 'takes in too much of the internet: name the proxies themselves'
    : undefined;
};

const readKeyRing = (
  env: Environment,
  parseKeyRing: ParseKeyRing,
  files: ConfigFiles,
  fault: Fault,
): KeyRing | undefined => {
  const named = given(env['KEYRING_FILE']);
  const folder = given(env['CREDENTIALS_DIRECTORY']);
  const path = named ?? (folder === undefined ? undefined : join(folder, 'keyring'));
  if (path === undefined) {
    return fault(
      'KEYRING_FILE is missing: set the path of the key ring, or give it as the systemd credential "keyring".',
    );
  }
  let file: { text: string; mode: number };
  try {
    file = files.read(path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown reason';
    return fault(`KEYRING_FILE: ${path} cannot be read (${code}): correct the path or its owner.`);
  }
  // systemd gives a credential to the service's user by an ACL, whose mask shows as the group's bits.
  const systemd = folder !== undefined && path.startsWith(join(folder, '/'));
  if ((file.mode & (systemd ? READABLE_BY_OTHERS : READABLE_BY_GROUP_OR_OTHERS)) !== 0) {
    return fault(`KEYRING_FILE: ${path} is open to other users (mode ${file.mode.toString(8)}): chmod 600 ${path}`);
  }
  const ring = parseKeyRing(file.text);
  if (!('faults' in ring)) return ring;
  for (const reason of ring.faults) fault(`KEYRING_FILE: ${path}: ${reason}.`);
  return undefined;
};
