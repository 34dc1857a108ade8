import { AsyncLocalStorage } from 'node:async_hooks';
import type { Span } from '@opentelemetry/api';
import type { RequestScope } from './oidc-request-scope.ts';
import type { Patience } from './patience.ts';

/**
 * What goes with one HTTP request through everything that it waits for. One storage for all of it: each further one
 * would be copied along with every promise.
 */
export type RequestContext = {
  /** The id under which the request is logged. */
  readonly id?: string;
  /** Its part of a trace, where traces are collected. */
  readonly span?: Span | undefined;
  patience?: Patience;
  scope?: RequestScope;
};

const storage = new AsyncLocalStorage<RequestContext>();

/** The context of the request under way; undefined outside of one. */
export const requestContext = (): RequestContext | undefined => storage.getStore();

/** Runs a request from its start. */
export const inRequestContext = <T>(context: RequestContext, work: () => T): T => storage.run(context, work);

/** Runs `work` with one thing more in the context: in the request's own if it has none of the kind yet. */
export const withInContext = <N extends 'patience' | 'scope', T>(
  name: N,
  value: NonNullable<RequestContext[N]>,
  work: () => T,
): T => {
  const context: RequestContext | undefined = storage.getStore();
  if (context === undefined || context[name] !== undefined) return storage.run({ ...context, [name]: value }, work);
  context[name] = value as RequestContext[N];
  return work();
};

/** Runs what several requests wait for: it belongs to none of them. */
export const outsideRequests = <T>(work: () => T): T => storage.exit(work);

/** Goes on in a context that was left. */
export const asIn = <T>(context: RequestContext | undefined, work: () => T): T =>
  context === undefined ? outsideRequests(work) : inRequestContext(context, work);
