import { randomBytes } from 'node:crypto';
import type Koa from 'koa';
import { type ErrorOut, type KoaContextWithOIDC, errors as oidcErrors, type Provider } from 'oidc-provider';
import type { Logger } from 'pino';
import { type Described, describe } from '../accounts/client-failure-texts.ts';
import type { Town } from '../accounts/town.ts';
import { catalogueAddress } from '../interactions/entwickler/catalogue.ts';
import { type ErrorKind, kindOfStatus, type PageError } from '../interactions/errors.view.ts';
import { sendError, shellOf } from '../interactions/http.ts';
import { meansUnavailable, RETRY_AFTER_SECONDS, ServiceUnavailable } from './availability.ts';
import type { Failures } from './failures.ts';

type ErrorParts = {
  issuer: URL;
  town: Town;
  log: Logger;
  /** Explains refusals; developers are told on the spot in the sandbox, and by `client diagnose` elsewhere. */
  failures: Failures;
  sandbox: { inboxUrl: string } | undefined;
};

type ProtocolFault = InstanceType<typeof oidcErrors.OIDCProviderError>;

/** Errors that say something about the service's request, not about what the citizen did. */
const CLIENT_ERRORS = new Set(['invalid_client', 'invalid_redirect_uri', 'unauthorized_client', 'invalid_request_uri']);

function kindOf(code: string, status: number, error: unknown): ErrorKind {
  if (error instanceof oidcErrors.SessionNotFound) return 'expired';
  if (CLIENT_ERRORS.has(code) || (code === 'invalid_request' && status === 400)) return 'client';
  return kindOfStatus(status);
}

const inOneLine = ({ what, facts, todo }: Described): string =>
  [what, ...facts.map(([label, value]) => `${label}: ${value}.`), todo].join(' ');

/** A browser: programs are answered with JSON. */
const wantsPage = (ctx: Koa.Context): boolean => ctx.accepts('json', 'html') === 'html';

/** The error pages of everything that is not in interactions/, and what is logged of errors. */
export function createErrors({ issuer, town, log, failures, sandbox }: ErrorParts) {
  // Without a path, so that the language switcher does not lead to a request that lost its parameters.
  const shell = (ctx: Koa.Context, uiLocales?: unknown) => ({
    ...shellOf(ctx, { town, ...(sandbox && { sandbox }) }, uiLocales),
    path: undefined,
  });

  /** Leads from a JSON error to its entry in the catalogue (RFC 6749 §5.2, `error_uri`). */
  const linked = <T extends { error: string }>(body: T): T & { error_uri?: string } => {
    const address = catalogueAddress(body.error);
    return address === undefined ? body : { ...body, error_uri: new URL(address, issuer).href };
  };

  /** A page for a browser, JSON for a program. */
  const answer = (ctx: Koa.Context, error: PageError): void => {
    ctx.remove('location');
    if (wantsPage(ctx)) {
      sendError(ctx, shell(ctx), error);
      return;
    }
    const { status, code, detail, reference } = error;
    ctx.status = status;
    ctx.set('Cache-Control', 'no-store');
    ctx.body = linked({ error: code, error_description: detail, reference });
  };

  const unavailable = (ctx: Koa.Context, error: unknown): void => {
    ctx.set('Retry-After', String(RETRY_AFTER_SECONDS));
    const forProgram = error instanceof ServiceUnavailable && !wantsPage(ctx);
    const detail = forProgram ? error.error_description : undefined;
    answer(ctx, { kind: 'unavailable', status: 503, code: 'temporarily_unavailable', detail });
  };

  const failed = (ctx: Koa.Context, error: unknown): void => {
    // The answer is out already: a request that had waited too long for the database still comes to its end.
    if (ctx.headerSent) return void log.debug({ err: error }, 'a request failed after its answer');
    const reference = randomBytes(6).toString('hex');
    log.error({ reference, err: error }, 'request failed');
    answer(ctx, { kind: 'internal', status: 500, code: 'server_error', reference });
  };

  /** The cause in a developer's words, in the sandbox only. */
  const causeOf = (ctx: Koa.Context, error: unknown, language: 'de' | 'en'): Described | undefined => {
    if (sandbox === undefined || !(error instanceof oidcErrors.OIDCProviderError)) return undefined;
    const failure = failures.explain(ctx as KoaContextWithOIDC, ctx.path, error);
    return failure && describe(failure, language);
  };

  const refused = (ctx: Koa.Context, error: ProtocolFault): void => {
    failures.note(ctx as KoaContextWithOIDC, ctx.path, error);
    const { error: code, error_description: detail, statusCode: status } = error;
    answer(ctx, { kind: code === 'login_required' ? 'expired' : kindOf(code, status, error), status, code, detail });
  };

  return {
    /** oidc-provider's `renderError`: an error that cannot go back to the service by redirect. */
    render(ctx: KoaContextWithOIDC, out: ErrorOut, error: unknown): void {
      const { status } = ctx;
      // A redirect may have been prepared before the store refused what it was to bring.
      ctx.remove('location');
      if (error instanceof ServiceUnavailable) {
        unavailable(ctx, error);
        return;
      }
      if (status >= 500) {
        failed(ctx, error);
        return;
      }
      const surroundings = shell(ctx, ctx.oidc?.params?.['ui_locales']);
      const detail = [out.error_description, (error as { error_detail?: string }).error_detail];
      sendError(ctx, surroundings, {
        kind: kindOf(out.error, status, error),
        status,
        code: out.error,
        detail: [...new Set(detail)].filter((part) => part !== undefined && part !== '').join(' · ') || undefined,
        cause: causeOf(ctx, error, surroundings.language === 'de' ? 'de' : 'en'),
      });
    },

    /** Goes around everything: an outage becomes a 503, a bug a 500 with a reference, an unknown address a page. */
    async boundary(ctx: Koa.Context, next: () => Promise<void>): Promise<void> {
      try {
        await next();
      } catch (error) {
        if (meansUnavailable(error)) unavailable(ctx, error);
        // The store refuses a request's writes (a code spent by another node) after oidc-provider has answered.
        else if (error instanceof oidcErrors.OIDCProviderError && error.expose) refused(ctx, error);
        else failed(ctx, error);
        return;
      }
      if (ctx.status === 503) ctx.set('Retry-After', String(RETRY_AFTER_SECONDS));
      if (ctx.status === 404 && ctx.body == null && wantsPage(ctx)) {
        sendError(ctx, shell(ctx), { kind: 'notFound', status: 404, code: 'not_found' });
      }
    },

    /** Completes a JSON error: where it is explained, and in the sandbox what exactly is wrong. */
    explain(ctx: Koa.Context): void {
      const body = ctx.body as { error?: unknown } | null | undefined;
      if (typeof body !== 'object' || body === null || typeof body.error !== 'string') return;
      const failure = sandbox && failures.noted(ctx);
      ctx.body = linked({
        ...(body as { error: string }),
        ...(failure && { error_detail: inOneLine(describe(failure, 'en')) }),
      });
    },

    /** Logs what oidc-provider would only emit. */
    listen(provider: Provider): void {
      provider.on('server_error', (ctx, error) => {
        if (!meansUnavailable(error) && !ctx.headerSent) log.error({ err: error }, 'oidc-provider failed');
      });
    },
  };
}
