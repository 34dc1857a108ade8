import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import Koa from 'koa';
import type { AdapterFactory, Provider } from 'oidc-provider';
import type { Logger } from 'pino';
import { accountRowSql } from '../accounts/account-row.ts';
import * as clientFailures from '../accounts/client-failures.ts';
import type { Context } from '../accounts/context.ts';
import type { Ending } from '../accounts/deletion.ts';
import * as keyRotation from '../accounts/key-rotation.ts';
import type { BreachedList } from '../accounts/password-rules.ts';
import type { PasswordHashing } from '../accounts/passwords.ts';
import { WAIT_HOURS } from '../accounts/recoveries.ts';
import { enforceRetention } from '../accounts/retention.ts';
import { STAFF_WAIT_HOURS } from '../accounts/staff.ts';
import type { Town } from '../accounts/town.ts';
import type { CheckpointTarget } from '../adapters/checkpoints.ts';
import { createRedisLimits } from '../adapters/limits-redis.ts';
import type { Mailer } from '../adapters/mail.ts';
import { createPostgresStore } from '../adapters/oidc-store-postgres.ts';
import { createRedisStore } from '../adapters/oidc-store-redis.ts';
import { withPatience } from '../adapters/patience.ts';
import { listen, type Postgres } from '../adapters/postgres.ts';
import type { RedisConnection } from '../adapters/redis.ts';
import { inRequestContext, type RequestContext } from '../adapters/request-context.ts';
import type { SourceSettings } from '../adapters/source-config.ts';
import { beginTrace } from '../adapters/tracing.ts';
import { createPages } from '../interactions/routes.ts';
import { dormancyText } from '../interactions/texts/privacy-mails.ts';
import type { Keys } from '../keys/keys.ts';
import { createAdminApi } from './admin-api/api.ts';
import { AuditKeeper } from './audit-keeper.ts';
import { available } from './availability.ts';
import { repeat } from './background.ts';
import { followChanges } from './changes.ts';
import { accountReader } from './claims.ts';
import { permitDeviceCodes } from './client-metadata.ts';
import { createConfiguration } from './configuration.ts';
import { cookieSigning } from './cookie-signing.ts';
import { CurrentProvider } from './current-provider.ts';
import { deliverNotices } from './deliver-notices.ts';
import { createDeviceFlow } from './device-pages.ts';
import { createDirect } from './direct/direct.ts';
import { discoveryForServices } from './documents.ts';
import type { RegistrationMode } from './dynamic-registration.ts';
import { createErrors } from './errors.ts';
import { Failures } from './failures.ts';
import { createGuard } from './guard.ts';
import type { Health } from './health.ts';
import { rememberClients } from './known-clients.ts';
import { deliverLogouts, queueBackchannelLogout } from './logout.ts';
import { createLogoutPages } from './logout-pages.ts';
import { explainMethods } from './methods.ts';
import type { Metrics } from './metrics.ts';
import { areaOf } from './metrics-areas.ts';
import { nameAliases, needsMutualTls } from './mtls.ts';
import { leaveForm, securityHeaders } from './navigation.ts';
import { outboundFetch } from './outbound.ts';
import { postToGet } from './post-requests.ts';
import { aroundProtocol } from './protocol.ts';
import { Registrations } from './registrations.ts';
import { requestByReference } from './request-by-reference.ts';
import { requestId } from './request-id.ts';
import { refuseForeignResume } from './resume.ts';
import { deliverSecurityEvents } from './security-events.ts';
import { answerSecurityTxt } from './security-txt.ts';
import { servicesOf } from './service-sessions.ts';
import { sessionsFor } from './sessions.ts';
import { createSources, endStaffSessions } from './sources.ts';
import { providerAdapter } from './storage.ts';
import { withdrawal } from './withdrawal.ts';

const SECOND = 1000;
const PURGE_BATCH = 500;
const PURGE_PAUSE_MS = 10;
/** How much more a test suite may try than a citizen. */
const SUITE_PATIENCE = 1000;
/** In the sandbox somebody is watching. */
const SANDBOX_SPREAD_SECONDS = 20;
const SUITE_FORMS = { limit: 1_000_000, windowSeconds: 300 } as const;

/** `testSuites`: limits on forms and sign-ins are raised, so that a suite can run through its cases. */
type Sandbox = { inboxUrl: string; testSuites?: boolean; deletionSeconds?: number | undefined };

/** What applications ask for all day: no page can be there, so that nothing but the provider need look at it. */
const PROTOCOL_ONLY = new Set(['GET /auth', 'POST /token', 'GET /userinfo', 'POST /token/introspection']);

const isProtocolOnly = ({ method, url = '' }: IncomingMessage): boolean => {
  const query = url.indexOf('?');
  return PROTOCOL_ONLY.has(`${method} ${query < 0 ? url : url.slice(0, query)}`);
};

export type AppDeps = {
  issuer: URL;
  /** CIDR ranges of proxies whose forwarding headers are believed. */
  trustedProxies: readonly string[];
  /** Where clients with certificates reach some endpoints (RFC 8705 §5); without it there is no mutual TLS. */
  mtlsOrigin?: URL | undefined;
  /** The initial access token by which clients register themselves; without it they cannot. */
  registrationToken?: string | undefined;
  postgres: Postgres;
  /** For LISTEN, which needs a connection of its own. */
  databaseUrl: string;
  /** Takes over what a retry replaces; without it, everything is in Postgres. */
  redis?: RedisConnection;
  keys: Keys;
  town: Town;
  /** The town if its file has changed since the call before. Who it is (id, municipality key) cannot change. */
  renewedTown?: () => Promise<Town | undefined>;
  /** Calls back when the town's file may have changed, so that nobody waits for the next look at it. */
  watchTown?: (changed: () => void) => { close(): void };
  hashing: PasswordHashing;
  mailer: Mailer;
  /** Where the checkpoints of the audit are kept; without one they are lines of the log. */
  checkpoints?: CheckpointTarget;
  log: Logger;
  now?: () => Date;
  /** Answers what proxies and monitoring ask. */
  health?: Health;
  metrics?: Metrics;
  /** Identity sources; each is off unless it is named. */
  sources?: SourceSettings | undefined;
  /** What backup and drill last measured, as the node exporter's textfile collector reads it. */
  backupMeasures?: () => string;
  /** The operator's list of breached passwords. */
  breached?: BreachedList | undefined;
  /** Given by the sandbox's own entry only; production has no way to set it. */
  sandbox?: Sandbox;
};

const registrationMode = ({ sandbox, registrationToken }: AppDeps): RegistrationMode => {
  if (sandbox !== undefined) return 'open';
  return registrationToken === undefined ? 'off' : { token: registrationToken };
};

export type App = {
  handler: (req: IncomingMessage, res: ServerResponse) => void;
  /** The oidc-provider instance in use. */
  provider: () => Provider;
  /** Stops the background work; requests under way are the HTTP server's business. */
  close: () => Promise<void>;
};

/** Puts the provider together: protocol, pages, background work. Opens nothing but the LISTEN connection. */
export async function createApp(deps: AppDeps): Promise<App> {
  const { issuer, postgres, keys, log } = deps;
  // One object that everybody holds: what its file says anew is in force everywhere at once.
  const town = { ...deps.town };
  const now = deps.now ?? (() => new Date());
  const count = deps.metrics?.count;
  const limits = deps.redis && createRedisLimits(deps.redis);
  const context = (): Context => ({
    db: postgres.knex,
    now,
    keys,
    actor: { kind: 'system', part: 'provider' },
    proofDays: town.proofDays,
    ...(limits && { limits }),
    ...(count && { count }),
  });
  const stored = { pool: postgres.pool, keys, now, account: accountRowSql };
  const store = deps.redis === undefined ? createPostgresStore(stored) : createRedisStore(stored, deps.redis);
  const registrations = new Registrations(context, issuer, deps.sandbox !== undefined);

  const failures = new Failures({ registrations, issuer, now, log });
  const testSuites = deps.sandbox?.testSuites === true;
  const errors = createErrors({ issuer, town, log, failures, sandbox: deps.sandbox });
  const finish = [leaveForm({ town, issuer, sandbox: deps.sandbox }), discoveryForServices(testSuites)];
  const headers = Object.entries(securityHeaders(issuer));
  const notAnswered = new WeakMap<IncomingMessage, unknown>();
  const adapter: AdapterFactory = (model) => providerAdapter(model, store, registrations, context);
  const current = new CurrentProvider({
    issuer,
    context,
    algorithms: () => (deps.sandbox !== undefined || registrations.needRs256() ? ['ES256', 'RS256'] : ['ES256']),
    configuration: (jwks) =>
      createConfiguration({
        issuer,
        town,
        keys,
        context,
        registrations,
        adapter,
        readAccount: accountReader(context, store.accountRow, store.noteAccountRow),
        flush: () => available(store.flush),
        noteProof: store.noteProof,
        jwks,
        logoutPages: createLogoutPages({ town, sandbox: deps.sandbox }),
        renderError: errors.render,
        allowPrivateAddresses: deps.sandbox !== undefined,
        mtlsOrigin: deps.mtlsOrigin,
        deviceFlow: createDeviceFlow({ town, sandbox: deps.sandbox, registrations }),
        registration: registrationMode(deps),
        testSuites,
      }),
    equip(provider) {
      rememberClients(provider, (id) => registrations.metadata(id));
      permitDeviceCodes(provider);
      queueBackchannelLogout(provider, context, () => logouts.wake());
      nameAliases(provider, deps.mtlsOrigin);
      provider.use(aroundProtocol({ store, errors, finish, headers, failures: notAnswered }));
      provider.use(explainMethods);
      provider.use(refuseForeignResume(provider, issuer));
      if (testSuites) provider.use(requestByReference(registrations, outboundFetch(true)));
      errors.listen(provider);
      failures.listen(provider);
      deps.metrics?.listen(provider);
    },
    direct: (provider, settings) =>
      createDirect({
        provider,
        settings,
        registrations,
        store,
        headers,
        signing: cookieSigning(keys.cookieKeys),
        secure: issuer.protocol === 'https:',
      }),
  });

  const ending: Ending = {
    service: (clientId) => registrations.find(clientId),
    api: (identifier) => registrations.ownerOf(identifier),
    revoke: (account) => store.revokeAccount(account),
    ...(deps.sandbox && { spreadSeconds: SANDBOX_SPREAD_SECONDS }),
  };
  const events = repeat('security events', 5 * SECOND, log, () =>
    deliverSecurityEvents(context(), { issuer, registrations, log }),
  );
  const notices = repeat('notices', SECOND, log, () =>
    deliverNotices(context(), deps.mailer, log, deps.metrics?.delivered),
  );
  const logouts = repeat('logouts', SECOND, log, () =>
    deliverLogouts(current.instance, context(), log, deps.metrics?.delivered),
  );
  const signing = repeat('signing keys', 30 * SECOND, log, () => current.refresh());
  const follow = followChanges(postgres.pool, {
    async registrations() {
      await registrations.load();
      // A service may need keys of another kind.
      await current.refresh();
    },
    signing_keys: () => current.refresh(),
  });
  await follow();
  const certified = registrations.all().filter(needsMutualTls);
  if (deps.mtlsOrigin === undefined && certified.length > 0) {
    log.warn(
      { services: certified.map(({ clientId }) => clientId) },
      'these services sign in with certificates, which nobody can present: set MTLS_ORIGIN',
    );
  }
  const changed = repeat('changes', SECOND / 2, log, follow);
  const renewing = repeat('town', SECOND / 2, log, async () => {
    const renewed = await deps.renewedTown?.();
    if (renewed === undefined) return;
    for (const name of Object.keys(town)) Reflect.deleteProperty(town, name);
    Object.assign(town, renewed);
    await current.rebuild();
    log.info('the town’s file has changed and is in force');
  });
  const watching = deps.watchTown?.(() => renewing.wake());
  const rotation = repeat('key rotation', 60 * SECOND, log, async () => {
    while ((await keyRotation.rotate(context())) > 0);
  });
  const purge = repeat('purge', (deps.sandbox?.deletionSeconds === undefined ? 60 : 2) * SECOND, log, async () => {
    // Small batches with a breath between them: whoever signs in meanwhile must not feel it.
    while ((await store.purgeExpired(PURGE_BATCH)) >= PURGE_BATCH) await pause(PURGE_PAUSE_MS);
    await clientFailures.purge(context());
    await enforceRetention(context(), { text: dormancyText({ town, issuer }), ending });
  });
  const noting = repeat('failures', SECOND, log, () => failures.flush(context()));
  // Before the first request, or each part of an empty Redis would refuse the first proof it sees; one that is away is
  // tended when it returns.
  await store.tend().catch((err: unknown) => log.warn({ task: 'store', err }, 'not tended yet; it is tried again'));
  const tending = repeat('store', SECOND, log, () => store.tend());
  const keeper = new AuditKeeper(context, deps.checkpoints, log, deps.metrics);
  const auditing = repeat('audit', SECOND, log, () => keeper.turn());
  const tasks = [notices, logouts, events, rotation, signing, changed, renewing, purge, tending, noting, auditing];
  const listening = await listen(deps.databaseUrl, ['registrations', 'signing_keys'], () => {
    changed.wake();
    signing.wake();
  });

  const bridge = createSources(deps.sources ?? {}, { town, store, now, log });
  const pages = createPages({
    provider: () => current.instance,
    context,
    hashing: deps.hashing,
    fleeting: store.fleeting,
    sources: bridge.sources,
    endStaffSessions: endStaffSessions(context, store),
    town,
    issuer,
    rp: { id: issuer.hostname, origin: issuer.origin, name: town.name.de },
    registration: async (clientId) => registrations.find(clientId),
    servicesOf: (account) => servicesOf(store, account),
    registrations: async () => registrations.all(),
    withdraw: withdrawal({ context, registrations, store, wake: () => logouts.wake() }),
    clientAddress: (ctx) => String(ctx.state.address),
    ...(testSuites && { defaults: { patience: SUITE_PATIENCE }, formsPerAddress: SUITE_FORMS }),
    breached: deps.breached,
    sessions: sessionsFor(() => current.instance, store),
    log,
    ...(deps.sandbox && { sandbox: deps.sandbox }),
  });

  const koa = new Koa({ proxy: true });
  koa.use(async (ctx, next) => {
    ctx.state.address = addresses.get(ctx.req);
    await next();
  });
  // What a client did wrong is nothing for an operator to look at, and anybody could fill the log with it.
  koa.on('error', (error) =>
    log[error.expose || error.code === 'ECONNRESET' ? 'debug' : 'error']({ err: error }, 'request failed'),
  );
  koa.use(errors.boundary);
  koa.use((_ctx, next) => withPatience(next));
  koa.use(
    createAdminApi({
      issuer,
      town,
      provider: () => current.instance,
      context,
      keeper,
      servicesOf: (account) => servicesOf(store, account),
      recoveryWaits: town.recoveryWaitHours ?? WAIT_HOURS,
      tryMail: () => deps.mailer.check(),
      mutualTls: deps.mtlsOrigin !== undefined,
      noteFailures: () => failures.flush(context()),
      operation: {
        redis: deps.redis && (() => deps.redis?.client.ping() ?? Promise.resolve('')),
        backupMeasures: deps.backupMeasures,
        outside: deps.checkpoints !== undefined,
        real: deps.sandbox === undefined,
      },
      localhost: deps.sandbox !== undefined,
      twoForServices: deps.sandbox === undefined,
      // Nobody waits in a sandbox, where nothing is real.
      staffWaitHours: deps.sandbox === undefined ? (town.staffWaitHours ?? STAFF_WAIT_HOURS) : 0,
    }),
  );
  koa.use(pages);
  koa.use(postToGet);
  koa.use(async (ctx) => {
    ctx.respond = false;
    await current.handler(ctx.req, ctx.res);
  });

  const guard = createGuard(issuer, deps.trustedProxies, deps.mtlsOrigin);
  const addresses = new WeakMap<IncomingMessage, string>();
  const security = answerSecurityTxt(town, issuer, now);
  const handle = koa.callback();
  return {
    handler(req, res) {
      const address = guard(req, res);
      if (address === undefined || deps.health?.answer(req, res)) return;
      deps.metrics?.watch(req, res);
      if (current.documents(req, res) || security(req, res)) return;
      const id = requestId(req);
      const facts = () => ({ 'http.request.method': req.method ?? '', 'schluessel.request': id });
      const trace = beginTrace(() => areaOf(req.url ?? ''), facts);
      if (trace) {
        const { end } = trace;
        res.once('close', () => end(res.statusCode >= 500, { 'http.response.status_code': res.statusCode }));
      }
      const context = (): RequestContext => (trace === undefined ? { id } : { id, span: trace.span });
      const { direct, handler } = current;
      const way = direct.find(req);
      if (way === undefined) {
        const protocolOnly = isProtocolOnly(req);
        res.setHeader('x-request-id', id);
        if (!protocolOnly) {
          addresses.set(req, address);
          for (const [name, value] of headers) res.setHeader(name, value);
        }
        inRequestContext(context(), () => void (protocolOnly ? handler : handle)(req, res));
        return;
      }
      const onwards = async (): Promise<void> => {
        const outcome = await direct.answer(way, req, res, id);
        if (outcome === 'answered') return;
        if (outcome !== 'elsewhere') notAnswered.set(req, outcome.failure);
        res.setHeader('x-request-id', id);
        // Its time and its view of the database begin anew.
        inRequestContext(context(), () => void handler(req, res));
      };
      inRequestContext(context(), () => void onwards());
    },
    provider: () => current.instance,
    async close() {
      watching?.close();
      await Promise.all(tasks.map((task) => task.stop()));
      bridge.close();
      await listening.close();
    },
  };
}
