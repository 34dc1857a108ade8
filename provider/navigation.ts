import type Koa from 'koa';
import type { KoaContextWithOIDC } from 'oidc-provider';
import { sendPage, shellOf } from '../interactions/http.ts';
import { continuePage } from '../interactions/layout.view.ts';

export const HSTS_SECONDS = 2 * 365 * 24 * 60 * 60;

/** Headers of every answer; a page's own Content-Security-Policy replaces the one set here. */
export function securityHeaders(ctx: Koa.Context, issuer: URL): void {
  ctx.set({
    'Content-Security-Policy':
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; " +
      "form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    'Referrer-Policy': 'no-referrer',
    'X-Content-Type-Options': 'nosniff',
    'X-Frame-Options': 'DENY',
    ...(issuer.protocol === 'https:' && { 'Strict-Transport-Security': `max-age=${HSTS_SECONDS}; includeSubDomains` }),
  });
}

/** Whether a browser that speaks Fetch Metadata follows a form or link here. */
const browserNavigates = (ctx: Koa.Context): boolean => ctx.get('sec-fetch-mode') === 'navigate';

/**
 * Ends a form's navigation before the citizen leaves for a service.
 *
 * Chrome applies `form-action` to every hop of the redirects after a form, also to hosts that the service redirects on
 * to and that nobody here knows. So the policy stays `'self'` and the way out is a page that moves on by itself. Engines
 * without Fetch Metadata do not apply the rule; they get the plain redirect.
 */
export const leaveForm =
  (parts: Parameters<typeof shellOf>[1]) =>
  async (ctx: KoaContextWithOIDC, next: () => Promise<void>): Promise<void> => {
    await next();
    const location = ctx.response.get('location');
    if (ctx.method === 'POST' && location !== '' && browserNavigates(ctx)) {
      ctx.remove('location');
      sendPage(ctx, 200, continuePage(location, shellOf(ctx, parts, ctx.oidc?.params?.['ui_locales'])));
    }
    // The form of `response_mode=form_post` goes to the service, and what it redirects on to is unknown here as well. It
    // holds nothing that somebody typed, and its script is admitted by hash.
    if (ctx.oidc?.params?.['response_mode'] === 'form_post' && ctx.response.is('html')) {
      const policy = ctx.response.get('content-security-policy');
      ctx.set('content-security-policy', policy.replace(/form-action[^;]*;?\s*/, ''));
    }
  };
