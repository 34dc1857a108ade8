import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import { destination } from 'pino';
import * as clients from '../../accounts/clients.ts';
import type { Context } from '../../accounts/context.ts';
import { Secret } from '../../accounts/secret.ts';
import type { Registration, Town } from '../../accounts/town.ts';
import { createHashing } from '../../adapters/hashing.ts';
import { createLog } from '../../adapters/log.ts';
import type { Mailer } from '../../adapters/mail.ts';
import { connect } from '../../adapters/postgres.ts';
import { formatTownFault, loadTown } from '../../adapters/town.ts';
import type { App } from '../../provider/app.ts';

import { checkPorts, listenLocally } from '../sandbox/listen.ts';
import { Obstacle } from '../sandbox/obstacle.ts';
import { withoutRuntimeWarning } from '../sandbox/runtime-warning.ts';
import { Automatic } from './automatic.ts';
import { createControl } from './control.ts';
import { Faults } from './faults.ts';
import { DEFAULTS, type MockOptions } from './options.ts';
import { servicesOf } from './services.ts';
import { startCopy } from './template.ts';

/** A running mock. */
export type Mock = {
  readonly issuer: string;
  readonly port: number;
  /** Of every service. */
  readonly secret: string;
  /** Settles when its database has ended, asked to or not. */
  readonly ended: Promise<void>;
  stop(): Promise<void>;
};

const DATABASE_CONNECTIONS = 8;
const MAILS_KEPT = 200;
const SEEN_WITHIN_MS = 10_000;

/** The mails that the provider sends, kept for the test to read. */
const keepMails = (mails: unknown[]): Mailer => ({
  async send(mail) {
    mails.unshift(mail);
    mails.length = Math.min(mails.length, MAILS_KEPT);
  },
  async check() {},
  close() {},
});

const freePort = async (): Promise<number> => {
  const server = createTcpServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  if (address === null || typeof address === 'string') throw new Error('the system gave no port');
  return address.port;
};

const townOf = (file: string): Town => {
  const loaded = loadTown(file, { localhost: true });
  if ('faults' in loaded) throw new Obstacle(loaded.faults.map((fault) => formatTownFault(fault)).join('\n'));
  return loaded.town;
};

type Handler = (req: IncomingMessage, res: ServerResponse) => void;

const listenAt = async (host: string, port: number, handler: Handler): Promise<{ stop(): Promise<void> }> => {
  if (host === 'localhost') return listenLocally(handler, port);
  const server = createServer(handler).listen(port, host);
  await once(server, 'listening');
  return {
    async stop() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
};

/** Starts a mock; several can run side by side. An `Obstacle` is thrown for what people can put right. */
export const startMock = async (given: Partial<MockOptions> = {}): Promise<Mock> => {
  const options: MockOptions = { postLogoutRedirectUris: [], ...DEFAULTS, ...given };
  const port = options.port === 0 ? await freePort() : options.port;
  if (options.port !== 0 && options.host === 'localhost') await checkPorts([port]);
  const issuer = options.issuer ?? new URL(`http://localhost:${port}`);
  const real = townOf(options.townFile);
  const services = new Map(
    servicesOf(real, options).map((one) => [one.clientId, { registration: one, secret: options.secret }]),
  );

  await using opened = new AsyncDisposableStack();
  // Loading the provider's code takes about as long as Postgres takes to start: both at once.
  const copying = startCopy(real);
  const loading = withoutRuntimeWarning(() =>
    Promise.all([import('../../provider/app.ts'), import('../../provider/dynamic-registration.ts')]),
  );
  loading.catch(() => {});
  const copy = opened.adopt(await copying, (one) => one.remove());
  const [{ createApp }, { TRIAL_ORGANISATION }] = await loading;
  const town: Town = { ...real, organisations: [...real.organisations, TRIAL_ORGANISATION] };
  const { keys, citizens, database } = copy;
  const postgres = opened.adopt(connect(database.url, { applicationName: 'mock', max: DATABASE_CONNECTIONS }), (one) =>
    one.close(),
  );
  const actor = { kind: 'system', part: 'mock' } as const;
  const context = (): Context => ({ db: postgres.knex, now: () => new Date(), keys, actor });
  const apply = () =>
    clients.apply(
      context(),
      [...services.values()].map(({ registration, secret }) =>
        registration.authMethod.startsWith('client_secret')
          ? { registration, secret: new Secret(secret) }
          : { registration },
      ),
    );
  await apply();
  const mails: unknown[] = [];
  const hashing = opened.adopt(createHashing({ processes: 1, queue: 50, memoryKiB: 19_456, passes: 2 }), (one) =>
    one.close(),
  );
  const app = opened.adopt(
    await createApp({
      issuer,
      trustedProxies: ['127.0.0.1/32', '::1/128'],
      postgres,
      databaseUrl: database.url,
      keys,
      town,
      hashing,
      mailer: keepMails(mails),
      log: createLog('error', destination(2)),
      sandbox: { inboxUrl: new URL('/mock/mails', issuer).href, testSuites: true },
    }),
    (one) => one.close(),
  );

  const registration = async (clientId: string): Promise<Registration | undefined> =>
    services.get(clientId)?.registration;
  const faults = new Faults(context);
  const automatic = new Automatic({ provider: app.provider, context, citizens, registration });
  const control = createControl({
    issuer,
    port,
    secret: options.secret,
    town,
    context,
    citizens,
    automatic,
    faults,
    mails,
    services: () => [...services.values()].map((one) => one.registration),
    async register(one, secret) {
      services.set(one.clientId, { registration: one, secret });
      await apply();
      await seen(app.provider, one);
    },
  });
  const answer = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    if (await control(req, res)) return;
    Automatic.askAgain(req);
    if ((await faults.answer(req, res)) || (await automatic.answer(req, res))) return;
    app.handler(req, res);
  };
  opened.adopt(
    await listenAt(options.host, port, (req, res) => {
      answer(req, res).catch((error: unknown) => {
        console.error(error);
        res.destroy();
      });
    }),
    (one) => one.stop(),
  );
  const parts = opened.move();
  return {
    issuer: issuer.origin,
    port,
    secret: options.secret,
    ended: database.ended,
    stop: () => parts.disposeAsync(),
  };
};

/** Waits until the provider has heard of a registration: the database tells it a moment later. */
const seen = async (provider: App['provider'], { clientId, redirectUris }: Registration): Promise<void> => {
  const late = Date.now() + SEEN_WITHIN_MS;
  while (Date.now() < late) {
    const client = await provider().Client.find(clientId);
    if (client !== undefined && JSON.stringify(client.redirectUris) === JSON.stringify(redirectUris)) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`${clientId} is not in force after ${SEEN_WITHIN_MS} ms`);
};
