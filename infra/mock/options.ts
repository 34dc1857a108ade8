import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Obstacle } from '../sandbox/obstacle.ts';

export type MockOptions = {
  /** 0 takes a free one. */
  readonly port: number;
  /** Where it listens; `localhost` is this machine alone. */
  readonly host: string;
  /** What it calls itself; by default http://localhost:PORT. */
  readonly issuer?: URL | undefined;
  readonly townFile: string;
  /** A service's file, or a folder of them, registered as they are. */
  readonly services?: string | undefined;
  /** Of the service `meindienst`, which is there without a file. */
  readonly redirectUris: readonly string[];
  readonly postLogoutRedirectUris: readonly string[];
  readonly backchannelLogoutUri?: string | undefined;
  /** Of all services. */
  readonly secret: string;
  /** Makes the database that every start copies, and ends: for images. */
  readonly prepare?: boolean;
};

export const DEFAULTS = {
  port: 4011,
  host: 'localhost',
  secret: 'nurfuertests',
  redirectUris: ['http://localhost:3000/callback', 'http://localhost:8080/callback'],
  townFile: fileURLToPath(new URL('../towns/guetersloh/town.yaml', import.meta.url)),
} as const;

export const HELP = `Stadtschlüssel for your CI. Nothing here is real.

  stadtschluessel-mock [options]

  --port PORT                      ${DEFAULTS.port}; 0 takes a free one
  --host HOST                      where to listen, ${DEFAULTS.host}; 0.0.0.0 in a container
  --issuer URL                     what it calls itself, http://localhost:PORT
  --services FILE|FOLDER           your service's file as it is registered with the city
  --redirect-uri URL               of the service meindienst, which needs no file; may be repeated
  --post-logout-redirect-uri URL   likewise
  --backchannel-logout-uri URL     likewise
  --secret TEXT                    client_secret of every service, ${DEFAULTS.secret}
  --town FILE                      another town
  --prepare                        only makes what every start copies, for container images

A GET of /mock says who can sign in and what can be controlled.`;

const OPTIONS = {
  port: { type: 'string' },
  host: { type: 'string' },
  issuer: { type: 'string' },
  services: { type: 'string' },
  'redirect-uri': { type: 'string', multiple: true },
  'post-logout-redirect-uri': { type: 'string', multiple: true },
  'backchannel-logout-uri': { type: 'string' },
  secret: { type: 'string' },
  town: { type: 'string' },
  prepare: { type: 'boolean' },
  help: { type: 'boolean' },
} as const;

const originOf = (text: string): URL => {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && /^https?:$/.test(url.protocol) && url.href === `${url.origin}/`) return url;
  throw new Obstacle(`--issuer ${text} is not an origin: write it like http://localhost:4011, without a path.`);
};

const portOf = (text: string): number => {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 65_536;
  if (port < 65_536) return port;
  throw new Obstacle(`--port ${text} is not a port.`);
};

/** Reads the arguments; `help` if they ask for it. */
export const readOptions = (args: readonly string[]): MockOptions | 'help' => {
  let values: ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>['values'];
  try {
    ({ values } = parseArgs({ args: [...args], options: OPTIONS }));
  } catch (error) {
    throw new Obstacle(`${(error as Error).message}\n\n${HELP}`);
  }
  if (values.help === true) return 'help';
  return {
    port: values.port === undefined ? DEFAULTS.port : portOf(values.port),
    host: values.host ?? DEFAULTS.host,
    issuer: values.issuer === undefined ? undefined : originOf(values.issuer),
    townFile: values.town ?? DEFAULTS.townFile,
    services: values.services,
    redirectUris: values['redirect-uri'] ?? DEFAULTS.redirectUris,
    postLogoutRedirectUris: values['post-logout-redirect-uri'] ?? [],
    backchannelLogoutUri: values['backchannel-logout-uri'],
    secret: values.secret ?? DEFAULTS.secret,
    prepare: values.prepare === true,
  };
};
