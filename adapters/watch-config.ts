import { isAbsolute } from 'node:path';
import ipaddr from 'ipaddr.js';
import { isLoopbackHost } from './mail.ts';
import type { TraceSettings } from './tracing.ts';

/** Where what operators watch goes; each is off unless it is set. */
export type WatchSettings = {
  /** Where Prometheus collects; nobody else may reach it. */
  readonly metrics?: { readonly host: string; readonly port: number };
  readonly tracing?: TraceSettings;
  /** Where the audit's checkpoints go; the log if nothing is set. */
  readonly auditCheckpoints?: { readonly file: string } | { readonly host: string; readonly port: number };
  /** What backup and drill last measured, for `schluessel doctor`: the files that monitoring collects. */
  readonly backupMetricsFiles: readonly string[];
};

const SYSLOG_PORT = 514;

type Environment = Readonly<Record<string, string | undefined>>;
type Fault = (line: string) => undefined;

const given = (value: string | undefined): string | undefined =>
  value === undefined || value.trim() === '' ? undefined : value.trim();

/** Reads them all, undefined on a fault; `port` is the one that citizens reach. */
export const readWatch = (env: Environment, port: number | undefined, fault: Fault): WatchSettings | undefined => {
  const metrics = readMetrics(env, port, fault);
  const tracing = readTracing(env, fault);
  const auditCheckpoints = readCheckpoints(env['AUDIT_CHECKPOINTS'], fault);
  const backupMetricsFiles = readPaths('BACKUP_METRICS_FILES', env, fault);
  if (backupMetricsFiles === undefined) return undefined;
  return {
    ...(metrics && { metrics }),
    ...(tracing && { tracing }),
    ...(auditCheckpoints && { auditCheckpoints }),
    backupMetricsFiles: Object.freeze(backupMetricsFiles),
  };
};

/** Files need not be there yet: the first backup writes them. */
const readPaths = (name: string, env: Environment, fault: Fault): string[] | undefined => {
  const paths = (given(env[name]) ?? '').split(',').flatMap((path) => given(path) ?? []);
  return paths.every((path) => isAbsolute(path))
    ? paths
    : fault(`${name} is no list of absolute paths with commas between: correct it, or leave it out.`);
};

const readMetrics = (env: Environment, port: number | undefined, fault: Fault): WatchSettings['metrics'] => {
  const text = given(env['METRICS_PORT']);
  const host = given(env['METRICS_HOST']) ?? '127.0.0.1';
  if (text === undefined) return undefined;
  const own = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (own < 1 || own > 65535)
    return fault('METRICS_PORT is not a port: set a number from 1 to 65535, or leave it out.');
  if (own === port) return fault('METRICS_PORT is the same as PORT: citizens would reach it, set another one.');
  if (!ipaddr.isValid(host)) return fault('METRICS_HOST is not an IP address: set one, or leave it out for 127.0.0.1.');
  return { host, port: own };
};

/** OpenTelemetry's own names. Its packages read OTEL_EXPORTER_OTLP_HEADERS (a key for the collector) by themselves. */
const readTracing = (env: Environment, fault: Fault): TraceSettings | undefined => {
  const text = given(env['OTEL_EXPORTER_OTLP_ENDPOINT']);
  if (text === undefined) return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== '' || url.search !== '') {
    return fault(
      'OTEL_EXPORTER_OTLP_ENDPOINT is no address of a collector: set it like https://traces.stadt.example, or leave it out.',
    );
  }
  if (url.protocol === 'http:' && !isLoopbackHost(url.hostname))
    return fault('OTEL_EXPORTER_OTLP_ENDPOINT leads to another machine without TLS: let it begin with https://.');
  const share = Number(given(env['OTEL_TRACES_SAMPLER_ARG']) ?? '1');
  if (!(share >= 0 && share <= 1)) {
    return fault('OTEL_TRACES_SAMPLER_ARG is not a share: set a number from 0 to 1, or leave it out for 1.');
  }
  return { endpoint: url, share };
};

const readCheckpoints = (value: string | undefined, fault: Fault): WatchSettings['auditCheckpoints'] => {
  const text = given(value);
  if (text === undefined) return undefined;
  if (isAbsolute(text)) return { file: text };
  if (text.startsWith('syslog://') && URL.canParse(text)) {
    const { hostname, port } = new URL(text);
    if (hostname !== '') return { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || SYSLOG_PORT) };
  }
  return fault('AUDIT_CHECKPOINTS is neither the absolute path of a file nor like syslog://host:514.');
};
