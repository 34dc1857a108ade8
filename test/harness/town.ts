/** The whole town in the test process: provider behind a proxy with TLS, services of three organisations, mail. */
import { Writable } from 'node:stream';
import * as clients from '../../accounts/clients.ts';
import type { Context } from '../../accounts/context.ts';
import type { ClaimUse, Registration, Town } from '../../accounts/town.ts';
import { createHashing, type Hashing, type HashingSettings } from '../../adapters/hashing.ts';
import { createLog } from '../../adapters/log.ts';
import { createMailer } from '../../adapters/mail.ts';
import { connect } from '../../adapters/postgres.ts';
import { connectRedis } from '../../adapters/redis.ts';
import { grantService } from '../../adapters/service-role.ts';
import type { SourceSettings } from '../../adapters/source-config.ts';
import { newKeyRing, parseKeyRing } from '../../keys/key-ring.ts';
import { createKeys, type Keys } from '../../keys/keys.ts';
import { type App, createApp } from '../../provider/app.ts';
import type { Metrics } from '../../provider/metrics.ts';
import { type Front, startFront } from './front.ts';
import { type MailSink, startMailSink } from './mail-sink.ts';
import { type TestDatabase, testDatabase } from './postgres.ts';
import type { NodeFacts } from './second-node.ts';
import { createService, type Service } from './service.ts';

const HOSTS = {
  provider: 'id.stadt.example',
  mtls: 'mtls.stadt.example',
  portal: 'portal.stadt-a.example',
  fahrkarte: 'fahrkarte.stadt-a.example',
  bibliothek: 'bibliothek.buecher.example',
  strom: 'strom.werke.example',
  elsewhere: 'katalog.lesen.example',
} as const;

export type ServiceName = 'portal' | 'fahrkarte' | 'bibliothek' | 'strom';

/** The least that argon2 takes with one lane: for tests that set or check thousands of passwords. */
export const CHEAP_HASHING = { memoryKiB: 1024, passes: 2 } as const;

/** Where the callback of the electricity service sends its app. */
export const APP_ADDRESS = 'stromapp://angemeldet';

const use = (claim: string, required: boolean): ClaimUse => ({
  claim,
  required,
  purpose: { de: 'Damit wir Ihren Antrag bearbeiten', en: 'So that we can process your application' },
  legalBasis: { de: 'Art. 6 Abs. 1 Buchst. a DSGVO', en: 'Art. 6(1)(a) GDPR' },
});

const SERVICES: Record<ServiceName, { organisation: string; title: string; scope: string; uses: ClaimUse[] }> = {
  portal: {
    organisation: 'stadt',
    title: 'Bürgerportal',
    scope: 'openid email profile',
    uses: [use('email', false), use('given_name', true), use('family_name', true)],
  },
  fahrkarte: { organisation: 'stadt', title: 'Fahrkarte', scope: 'openid', uses: [] },
  bibliothek: { organisation: 'buecherei', title: 'Bibliothek', scope: 'openid', uses: [] },
  strom: { organisation: 'werke', title: 'Stadtwerke', scope: 'openid email', uses: [use('email', false)] },
};

export const TEST_TOWN: Town = {
  id: 'teststadt',
  name: { de: 'Teststadt', en: 'Testtown' },
  municipalityKey: '05000000',
  languages: ['de', 'en'],
  contact: { email: 'schluessel@stadt.example', phone: '+49 5000 1', address: 'Markt 1, 33330 Teststadt' },
  office: {
    name: { de: 'Bürgerbüro', en: 'Citizens’ office' },
    address: 'Markt 1, 33330 Teststadt',
    hours: { de: 'Montag 8 bis 12 Uhr', en: 'Monday 8 am to noon' },
  },
  pages: {
    imprint: 'https://www.stadt.example/impressum',
    privacy: 'https://www.stadt.example/datenschutz',
    accessibility: 'https://www.stadt.example/barrierefreiheit',
    feedback: 'https://www.stadt.example/barriere',
    ombuds: 'https://www.land.example/ombudsstelle',
  },
  organisations: [
    { id: 'stadt', name: { de: 'Teststadt', en: 'Testtown' } },
    { id: 'buecherei', name: { de: 'Stadtbücherei', en: 'City library' } },
    { id: 'werke', name: { de: 'Stadtwerke', en: 'Utilities' } },
  ],
};

export type RunningTown = {
  readonly issuer: string;
  /** Where clients with certificates go; only with a `clientAuthority`. */
  readonly mtlsOrigin: string;
  readonly front: Front;
  readonly database: TestDatabase;
  readonly keys: Keys;
  readonly hashing: Hashing;
  /** The key ring behind the keys, as its file holds it. */
  readonly keyRing: string;
  readonly app: App;
  readonly mail: MailSink;
  readonly services: Record<ServiceName, Service>;
  readonly registrations: readonly Registration[];
  /** What the provider has logged, at the most talkative level. */
  readonly logged: string[];
  context(): Context;
  secretOf(clientId: string): string;
  close(): Promise<void>;
};

type Options = {
  /** Measures that the provider fills. */
  readonly metrics?: Metrics;
  /** Another Postgres server than the shared one. */
  readonly server?: string;
  /** A Redis beside it. */
  readonly redisUrl?: string;
  /** Where it listens for notifications instead of at the database itself. */
  readonly listenAt?: (databaseUrl: string) => Promise<string>;
  readonly now?: () => Date;
  /** Passwords that cost less, for tests that set very many. */
  readonly hashing?: Partial<HashingSettings>;
  /** As in production, without what the sandbox permits; no logout tokens reach the services then. */
  readonly production?: boolean;
  /** Services may register themselves by this initial access token; in production alone, as the sandbox is open. */
  readonly registrationToken?: string;
  /** The provider works with a role of its own that owns nothing, as the handbook sets it up. */
  readonly serviceRole?: string;
  /** What backup and drill have measured. */
  readonly backupMeasures?: () => string;
  readonly town?: Town;
  /** Changes what is registered of the services. */
  readonly registered?: (registration: Registration) => Registration;
  /** In place of the fourteen days that a deletion waits. */
  readonly deletionSeconds?: number;
  /** Further services, for which there is no server. */
  readonly registrations?: readonly Registration[];
  /** The provider's name, where programs come that know only the machine's own. */
  readonly host?: string;
  /** Identity sources, once the address of the provider is known. */
  readonly sources?: (issuer: string) => Promise<SourceSettings>;
  /** As PROFILE=sandbox runs it. */
  readonly testSuites?: boolean;
  /** Of the authority whose client certificates the proxy verifies, PEM. */
  readonly clientAuthority?: string;
  /** Goes around the provider's handler; the facts make another node beside it. */
  readonly around?: (handler: App['handler'], facts: NodeFacts) => App['handler'] | Promise<App['handler']>;
};

const registrationOf = (front: Front, name: ServiceName): Registration => {
  const { organisation, title, uses } = SERVICES[name];
  const origin = front.origin(HOSTS[name]);
  return {
    clientId: name,
    organisation,
    name: { de: title, en: title },
    description: { de: `${title} der Teststadt`, en: `${title} of Testtown` },
    kind: 'web',
    redirectUris: [`${origin}/callback`],
    postLogoutRedirectUris: [`${origin}/`],
    homepage: `${origin}/`,
    initiateLoginUri: `${origin}/anmelden`,
    backchannelLogoutUri: `${origin}/backchannel`,
    authMethod: 'client_secret_basic',
    claims: uses,
    refreshTokens: false,
    needsEmail: false,
    corsOrigins: [],
    contacts: ['technik@stadt.example'],
  };
};

/** Makes the role of the service and gives it its rights; it goes when the town is closed. */
const asService = async (database: TestDatabase, role: string, opened: AsyncDisposableStack): Promise<string> => {
  await database.pool.query(`CREATE ROLE ${role} LOGIN PASSWORD 'service'`);
  opened.defer(async () => void (await database.pool.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`)));
  await grantService(database.url, role);
  const url = new URL(database.url);
  url.username = role;
  url.password = 'service';
  return url.href;
};

/** Starts it on free ports with fresh keys and an empty database. */
export const startTown = async (options: Options = {}): Promise<RunningTown> => {
  const now = options.now ?? (() => new Date());
  const town = options.town ?? TEST_TOWN;
  // Whatever was opened is closed again, in reverse order, also when the start fails half-way.
  await using opened = new AsyncDisposableStack();
  const database = opened.adopt(
    await testDatabase(options.server === undefined ? {} : { server: options.server }),
    (one) => one.drop(),
  );
  const mail = opened.adopt(await startMailSink(), (one) => one.close());
  const host = options.host ?? HOSTS.provider;
  const front = await startFront([...Object.values(HOSTS), host], options.clientAuthority);
  const issuer = front.origin(host);
  const mtlsOrigin = front.origin(HOSTS.mtls);
  const keyRing = newKeyRing();
  const ring = parseKeyRing(keyRing);
  if ('faults' in ring) throw new Error(ring.faults.join('\n'));
  const keys = createKeys(ring);
  const serviceUrl =
    options.serviceRole === undefined ? database.url : await asService(database, options.serviceRole, opened);
  const postgres = opened.adopt(connect(serviceUrl, { applicationName: 'test', max: 10 }), (one) => one.close());
  const context = (): Context => ({ db: postgres.knex, now, keys, actor: { kind: 'system', part: 'test' } });

  const names = Object.keys(SERVICES) as ServiceName[];
  const changed = options.registered ?? ((registration) => registration);
  const registrations = [
    ...names.map((name) => changed(registrationOf(front, name))),
    ...(options.registrations ?? []),
  ];
  const registered = registrations.map((registration) => ({ registration, secret: clients.newClientSecret() }));
  await clients.apply(context(), registered);
  const secretOf = (clientId: string): string =>
    registered.find(({ registration }) => registration.clientId === clientId)?.secret.reveal() ?? '';

  const logged: string[] = [];
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      logged.push(chunk.toString());
      done();
    },
  });
  const log = createLog('trace', sink);
  const hashing = opened.adopt(
    createHashing({ processes: 1, queue: 20, memoryKiB: 19_456, passes: 2, ...options.hashing }),
    (one) => one.close(),
  );
  const mailer = opened.adopt(createMailer(mail.url, { name: town.name.de, address: town.contact.email }), (one) =>
    one.close(),
  );
  const sources = await options.sources?.(issuer);
  const redis =
    options.redisUrl === undefined
      ? undefined
      : opened.adopt(await connectRedis(options.redisUrl), (one) => one.close());
  const app = await createApp({
    issuer: new URL(issuer),
    trustedProxies: ['127.0.0.1/32'],
    ...(options.clientAuthority !== undefined && { mtlsOrigin: new URL(mtlsOrigin) }),
    postgres,
    databaseUrl: (await options.listenAt?.(database.url)) ?? serviceUrl,
    keys,
    town,
    hashing,
    mailer,
    log,
    now,
    sources,
    ...(redis && { redis }),
    ...(options.backupMeasures && { backupMeasures: options.backupMeasures }),
    // The services are on loopback, where only the sandbox may send logout tokens.
    ...(options.production !== true && {
      sandbox: {
        inboxUrl: `${issuer}/postfach`,
        testSuites: options.testSuites === true,
        deletionSeconds: options.deletionSeconds,
      },
    }),
    registrationToken: options.registrationToken,
    ...(options.metrics && { metrics: options.metrics }),
  });
  opened.defer(() => app.close());
  opened.defer(() => front.close());
  const facts = { issuer, databaseUrl: database.url, keyRing, smtpUrl: mail.url, town, sources };
  await front.proxy(host, (await options.around?.(app.handler, facts)) ?? app.handler);
  await front.proxy(HOSTS.mtls, app.handler);

  const next: Partial<Record<ServiceName, string>> = {
    bibliothek: `${front.origin(HOSTS.elsewhere)}/regal`,
    strom: APP_ADDRESS,
  };
  const service = (name: ServiceName): Service => {
    const onward = next[name];
    return createService({
      issuer,
      origin: front.origin(HOSTS[name]),
      clientId: name,
      secret: secretOf(name),
      title: SERVICES[name].title,
      scope: SERVICES[name].scope,
      ...(name === 'portal' && { claims: { id_token: { amr: null, auth_time: { essential: true } } } }),
      ...(onward !== undefined && { next: onward }),
    });
  };
  const services = {
    portal: service('portal'),
    fahrkarte: service('fahrkarte'),
    bibliothek: service('bibliothek'),
    strom: service('strom'),
  };
  for (const name of names) front.serve(HOSTS[name], services[name].listener);
  front.serve(HOSTS.elsewhere, (_req, res) => {
    res.setHeader('content-type', 'text/html; charset=utf-8').end('<!doctype html><title>Regal</title><h1>Regal</h1>');
  });

  const parts = opened.move();
  return {
    issuer,
    mtlsOrigin,
    front,
    database,
    keys,
    hashing,
    keyRing,
    app,
    mail,
    services,
    registrations,
    logged,
    context,
    secretOf,
    close: () => parts.disposeAsync(),
  };
};
