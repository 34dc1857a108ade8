import type { Span, SpanOptions } from '@opentelemetry/api';
import { requestContext } from './request-context.ts';

export type TraceSettings = {
  /** Where the collector takes OTLP over HTTP; `v1/traces` is added. */
  readonly endpoint: URL;
  /** Of how many requests a trace is kept, from 0 to 1. */
  readonly share: number;
};

/** What a span may say. No identifier of a citizen or a service, no path, no statement is among it. */
export type SpanFacts = Readonly<
  Partial<Record<'http.request.method' | 'http.response.status_code' | 'schluessel.request', string | number>>
>;

/** Ends a span; `failed` marks it as one to look at. */
export type EndSpan = (failed: boolean, facts?: SpanFacts) => void;

const EXPORT_PATIENCE_MS = 5_000;
/** `SpanStatusCode.ERROR` and `SpanKind` of the API, whose code is loaded only where traces are collected. */
const ERROR = 2;
const KIND = { server: 1, client: 2 } as const;

let begin: ((name: string, options: SpanOptions, parent: Span | undefined) => Span) | undefined;

/**
 * Collects traces from now on, and sends them in the background. The packages are loaded by this call: an installation
 * without a collector never has their code in its processes.
 */
export const startTracing = async ({ endpoint, share }: TraceSettings): Promise<{ close(): Promise<void> }> => {
  const [{ ROOT_CONTEXT, trace }, sdk, { OTLPTraceExporter }, { resourceFromAttributes }] = await Promise.all([
    import('@opentelemetry/api'),
    import('@opentelemetry/sdk-trace'),
    import('@opentelemetry/exporter-trace-otlp-http'),
    import('@opentelemetry/resources'),
  ]);
  const exporter = new OTLPTraceExporter({
    url: new URL('v1/traces', endpoint.href.endsWith('/') ? endpoint : `${endpoint.href}/`).href,
    timeoutMillis: EXPORT_PATIENCE_MS,
  });
  const provider = new sdk.TracerProvider({
    resource: resourceFromAttributes({ 'service.name': 'stadtschluessel' }),
    sampler: new sdk.ParentBasedSampler({ root: new sdk.TraceIdRatioBasedSampler(share) }),
    spanProcessors: [new sdk.BatchSpanProcessor({ exporter })],
  });
  const tracer = provider.getTracer('stadtschluessel');
  begin = (name, options, parent) =>
    tracer.startSpan(name, options, parent === undefined ? ROOT_CONTEXT : trace.setSpan(ROOT_CONTEXT, parent));
  return {
    async close() {
      begin = undefined;
      // A collector that is away must not hold up the end of a process.
      await Promise.race([
        provider.shutdown(),
        new Promise((resolve) => setTimeout(resolve, EXPORT_PATIENCE_MS).unref()),
      ]);
    },
  };
};

const ending =
  (span: Span): EndSpan =>
  (failed, facts) => {
    if (facts !== undefined) span.setAttributes(facts);
    if (failed) span.setStatus({ code: ERROR });
    span.end();
  };

/**
 * Begins the trace of a request; undefined where none are collected. It begins here, whatever a caller has sent:
 * otherwise anybody could write into the traces of others.
 */
export const beginTrace = (name: () => string, facts: () => SpanFacts): { span: Span; end: EndSpan } | undefined => {
  if (begin === undefined) return undefined;
  const span = begin(name(), { kind: KIND.server, attributes: facts() }, undefined);
  return { span, end: ending(span) };
};

/** Begins a part of the trace that is under way; undefined where there is none. */
export const beginPart = (name: string): EndSpan | undefined => {
  const parent = begin === undefined ? undefined : requestContext()?.span;
  return begin === undefined || parent?.isRecording() !== true
    ? undefined
    : ending(begin(name, { kind: KIND.client }, parent));
};
