import type { IncomingMessage, ServerResponse } from 'node:http';
import type { KoaContextWithOIDC, Provider } from 'oidc-provider';
import type { Pool } from 'pg';
import type { Logger } from 'pino';
import {
  type Aggregator,
  Counter,
  collectDefaultMetrics,
  Gauge,
  Histogram,
  type MetricObject,
  Registry,
} from 'prom-client';
import type { Context } from '../accounts/context.ts';
import * as operation from '../accounts/operation.ts';
import type { Hashing } from '../adapters/hashing.ts';
import type { AuditWatch } from './audit-keeper.ts';
import type { Health } from './health.ts';
import { areaOf } from './metrics-areas.ts';

/**
 * Measures for Prometheus. No label ever names a citizen, a service or an address: what is counted is the operation.
 */
export type Metrics = AuditWatch & {
  /** Counts and times a request from now until its answer has gone out. */
  watch(req: IncomingMessage, res: ServerResponse): void;
  /** Counts what an oidc-provider instance issues. */
  listen(provider: Provider): void;
  /** Counts what citizens do while they visit a service; `Context.count`. */
  count(event: string, detail: Readonly<Record<string, unknown>>): void;
  /** Counts an attempt to send what waits in an outbox. */
  delivered(outbox: 'notices' | 'logouts', good: boolean): void;
  /** Prometheus's text format. */
  text(): Promise<string>;
  /** The same for another process, which puts the measures of several together. */
  values(): Promise<MetricObject[]>;
};

export type MetricsDeps = {
  readonly context: () => Context;
  readonly pool: Pool;
  readonly hashing: Hashing['stats'];
  readonly health: Health;
  readonly log: Logger;
};

const PREFIX = 'schluessel_';
const SECONDS_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Makes the measures; what they need from the database is asked for when they are collected. */
export const createMetrics = (deps: MetricsDeps): Metrics => {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix: PREFIX });
  const common = { registers: [registry] };
  // Several processes of one node: what each has of its own is summed, what all see alike is not.
  const gauge = (name: string, help: string, labelNames: string[] = [], aggregator: Aggregator = 'sum') =>
    new Gauge({ name: `${PREFIX}${name}`, help, labelNames, aggregator, ...common });
  const counter = (name: string, help: string, labelNames: string[] = [], aggregator: Aggregator = 'sum') =>
    new Counter({ name: `${PREFIX}${name}`, help, labelNames, aggregator, ...common });

  const requests = counter('http_requests_total', 'Answered requests.', ['area', 'status']);
  const durations = new Histogram({
    name: `${PREFIX}http_request_seconds`,
    help: 'Time from a request’s headers to the end of its answer.',
    labelNames: ['area'],
    buckets: SECONDS_BUCKETS,
    ...common,
  });
  const underWay = gauge('http_requests_under_way', 'Requests that are being worked on.');
  const tokens = counter('token_requests_total', 'Token requests by grant type and outcome.', [
    'grant_type',
    'outcome',
  ]);
  const visits = counter('visit_events_total', 'What citizens did in visits, by method and reason.', [
    'event',
    'method',
    'reason',
  ]);
  const events = counter(
    'audit_events_total',
    'Audit rows of the whole installation since this process began: take the max over nodes.',
    ['event', 'method', 'reason'],
    'max',
  );
  const deliveries = counter('deliveries_total', 'Attempts to send what waits in an outbox.', ['outbox', 'outcome']);
  const acquired = counter(
    'database_acquired_total',
    'Times a pooled database connection was taken: a round trip or a transaction.',
  );
  deps.pool.on('acquire', () => acquired.inc());

  const up = gauge('database_up', '1 if the database answered this collection.', [], 'min');
  const roundTrip = gauge('database_round_trip_seconds', 'Time of the query behind these measures.', [], 'max');
  const connections = gauge('database_connections', 'Pooled connections by state.', ['state']);
  const hashing = gauge('hashing_jobs', 'Passwords being hashed and waiting.', ['state']);
  const hashed = gauge('hashing_done', 'Passwords hashed since the start.');
  const refused = gauge('hashing_refused', 'Passwords refused since the start because the queue was full.');
  const processes = gauge('hashing_processes', 'Hashing processes.');
  const outboxRows = gauge('outbox_rows', 'Rows waiting in an outbox.', ['outbox'], 'max');
  const outboxAge = gauge('outbox_oldest_seconds', 'Wait of the row that waits longest.', ['outbox'], 'max');
  const keyAge = gauge('signing_key_newest_seconds', 'Age of the newest signing key in service.', [], 'max');
  const databaseBytes = gauge('database_bytes', 'Size of the database.', [], 'max');
  const ready = gauge('ready', '1 if this node may be sent requests.', [], 'min');
  const checks = gauge('ready_check', '1 if this part of readiness is fine.', ['check'], 'min');
  const auditFaults = gauge('audit_faults', 'Faults when the audit chain was last read as a whole.', [], 'max');
  const checkpoint = gauge('audit_checkpoint_timestamp_seconds', 'When the last checkpoint was kept.', [], 'max');

  const local = (): void => {
    const { totalCount, idleCount, waitingCount } = deps.pool;
    connections.set({ state: 'busy' }, totalCount - idleCount);
    connections.set({ state: 'idle' }, idleCount);
    connections.set({ state: 'wanted' }, waitingCount);
    const stats = deps.hashing();
    hashing.set({ state: 'running' }, stats.running);
    hashing.set({ state: 'waiting' }, stats.waiting);
    hashed.set(stats.done);
    refused.set(stats.refused);
    processes.set(stats.processes.length);
  };

  let lastEvent: string | undefined;
  const countEvents = async (ctx: Context): Promise<void> => {
    lastEvent ??= await operation.newestEvent(ctx);
    const { counts, last } = await operation.countEvents(ctx, lastEvent);
    lastEvent = last;
    for (const { event, method, reason, count } of counts) events.inc({ event, method, reason }, count);
  };

  const fromDatabase = async (): Promise<void> => {
    const ctx = deps.context();
    const began = performance.now();
    const measures = await operation.measure(ctx);
    roundTrip.set((performance.now() - began) / 1000);
    outboxRows.set({ outbox: 'notices' }, measures.notices.rows);
    outboxAge.set({ outbox: 'notices' }, measures.notices.oldestSeconds);
    outboxRows.set({ outbox: 'logouts' }, measures.logoutNotices.rows);
    outboxAge.set({ outbox: 'logouts' }, measures.logoutNotices.oldestSeconds);
    databaseBytes.set(measures.databaseBytes);
    if (measures.newestSigningKeySeconds !== undefined) keyAge.set(measures.newestSigningKeySeconds);
    await countEvents(ctx);
  };

  const collect = async (): Promise<void> => {
    local();
    const readiness = await deps.health.readiness();
    ready.set(readiness.ready ? 1 : 0);
    for (const [check, { ok }] of Object.entries(readiness.checks)) checks.set({ check }, ok ? 1 : 0);
    try {
      await fromDatabase();
      up.set(1);
    } catch (error) {
      // The other measures matter most when the database is away.
      up.set(0);
      deps.log.debug({ err: error }, 'measures of the database are missing');
    }
  };

  let collecting: Promise<void> | undefined;
  /** Two collectors at once get the same numbers: events are counted once. */
  const collected = async (): Promise<Registry> => {
    collecting ??= collect().finally(() => {
      collecting = undefined;
    });
    await collecting;
    return registry;
  };
  return {
    watch(req, res) {
      const began = performance.now();
      const area = areaOf(req.url ?? '');
      underWay.inc();
      res.once('close', () => {
        underWay.dec();
        // 499, as nginx says it: the caller went away before there was an answer.
        requests.inc({ area, status: res.headersSent ? `${Math.floor(res.statusCode / 100)}xx` : '499' });
        durations.observe({ area }, (performance.now() - began) / 1000);
      });
    },
    listen(provider) {
      const count = (outcome: string) => (ctx: KoaContextWithOIDC) =>
        tokens.inc({ grant_type: knownGrant(ctx.oidc.params?.['grant_type']), outcome });
      provider.on('grant.success', count('success'));
      provider.on('grant.error', count('error'));
    },
    count(event, { method, reason }) {
      visits.inc({ event, method: word(method), reason: word(reason) });
    },
    auditVerified: (faults) => auditFaults.set(faults),
    checkpointed: (at) => checkpoint.set(at.getTime() / 1000),
    delivered: (outbox, good) => deliveries.inc({ outbox, outcome: good ? 'sent' : 'failed' }),
    text: async () => (await collected()).metrics(),
    values: async () => (await collected()).getMetricsAsJSON(),
  };
};

/** Details are written by many hands: only short words become labels. */
const word = (value: unknown): string => (typeof value === 'string' && /^[a-z0-9-]{1,40}$/.test(value) ? value : '');

const GRANTS: Readonly<Record<string, string>> = {
  authorization_code: 'authorization_code',
  refresh_token: 'refresh_token',
  client_credentials: 'client_credentials',
  'urn:ietf:params:oauth:grant-type:device_code': 'device_code',
  'urn:openid:params:grant-type:ciba': 'ciba',
};

/** Callers write what they like: labels are a closed list. */
const knownGrant = (value: unknown): string => (typeof value === 'string' ? (GRANTS[value] ?? 'other') : 'other');
