import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { CounterpartPorts } from './counterparts/start.ts';
import { Obstacle } from './obstacle.ts';

/** Where everything listens; all follow from PORT. */
type Ports = {
  readonly provider: number;
  /** The three services with a port of their own. */
  readonly services: readonly [number, number, number];
  /** All other services of the town, each below its client_id. */
  readonly others: number;
  readonly inbox: number;
  /** What stands where the eID-Server, AusweisApp, BundID and the staff's provider stand. */
  readonly counterparts: CounterpartPorts;
};

export type SandboxOptions = {
  readonly ports: Ports;
  /** What the provider calls itself; another one than localhost when it stands behind a TLS proxy (test suites). */
  readonly issuer: URL;
  /** Where the same proxy takes client certificates, if anywhere (FAPI 2.0 by mutual TLS). */
  readonly mtlsOrigin: URL | undefined;
  readonly townFile: string;
  /** Everything the sandbox keeps; ignored by git. */
  readonly folder: string;
  readonly fresh: boolean;
  /** PROFILE=sandbox: limits on sign-ins and forms are out of the way of test suites. */
  readonly testSuites: boolean;
  /** Seconds in place of the fourteen days that a deletion waits, for those who want to see one. */
  readonly deletionSeconds: number | undefined;
};

const DEFAULT_PORT = 3000;
const PORTS = 11;
const ROOT = new URL('../../', import.meta.url);

/**
 * Reads PORT, ISSUER, MTLS_ORIGIN, PROFILE, TOWN_FILE, SANDBOX_DIR, DELETION_SECONDS and the arguments; anything that
 * cannot be understood is an obstacle.
 */
export const readOptions = (env: NodeJS.ProcessEnv, args: readonly string[]): SandboxOptions => {
  const port = readPort(env['PORT']);
  return {
    ports: {
      provider: port,
      services: [port + 1, port + 2, port + 3],
      others: port + 4,
      inbox: port + 5,
      counterparts: { soap: port + 6, paos: port + 7, eidClient: port + 8, bundid: port + 9, staff: port + 10 },
    },
    issuer: readIssuer(env['ISSUER'], port),
    mtlsOrigin: readMtlsOrigin(env['MTLS_ORIGIN']),
    townFile: env['TOWN_FILE'] || fileURLToPath(new URL('infra/towns/guetersloh/town.yaml', ROOT)),
    folder: env['SANDBOX_DIR'] || fileURLToPath(new URL('.sandbox', ROOT)),
    fresh: readArguments(args).fresh,
    testSuites: readProfile(env['PROFILE']),
    deletionSeconds: readSeconds(env['DELETION_SECONDS']),
  };
};

const readPort = (text: string | undefined): number => {
  if (text === undefined || text === '') return DEFAULT_PORT;
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port >= 1 && port <= 65536 - PORTS) return port;
  throw new Obstacle(
    `PORT=${text} is not a port with ten more behind it: set a number from 1024 to ${65536 - PORTS}, or leave it out.`,
  );
};

const readProfile = (text: string | undefined): boolean => {
  if (text === undefined || text === '' || text === 'sandbox') return text === 'sandbox';
  throw new Obstacle(
    `PROFILE=${text} is none that I know: set PROFILE=sandbox to run standard test suites, or leave it out.`,
  );
};

const readSeconds = (text: string | undefined): number | undefined => {
  if (text === undefined || text === '') return undefined;
  if (/^\d{1,7}$/.test(text)) return Number(text);
  throw new Obstacle(`DELETION_SECONDS=${text} is no number of seconds: set one like 60, or leave it out for 14 days.`);
};

const readIssuer = (text: string | undefined, port: number): URL => {
  if (text === undefined || text === '') return new URL(`http://localhost:${port}`);
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && /^https?:$/.test(url.protocol) && url.href === `${url.origin}/`) return url;
  throw new Obstacle(`ISSUER=${text} is not an origin: set it like https://login.stadt.example, without a path.`);
};

const readMtlsOrigin = (text: string | undefined): URL | undefined => {
  if (text === undefined || text === '') return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === 'https:' && url.href === `${url.origin}/`) return url;
  throw new Obstacle(`MTLS_ORIGIN=${text} is not an origin: set it like https://mtls.login.stadt.example.`);
};

const readArguments = (args: readonly string[]): { fresh: boolean } => {
  try {
    const { values } = parseArgs({ args: [...args], options: { fresh: { type: 'boolean', default: false } } });
    return { fresh: values.fresh };
  } catch {
    throw new Obstacle(
      `I do not know "${args.join(' ')}": the one option is --fresh (npm start -- --fresh), which starts anew.`,
    );
  }
};
