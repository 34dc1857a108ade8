import type Koa from 'koa';
import type { KoaContextWithOIDC } from 'oidc-provider';
import { SAFE_HEADERS, sendPage, shellOf } from '../interactions/http.ts';
import { continuePage, submitPage } from '../interactions/layout.view.ts';

export const HSTS_SECONDS = 2 * 365 * 24 * 60 * 60;

/** Headers of every answer; a page's own Content-Security-Policy replaces the one here. */
export const securityHeaders = (issuer: URL): Readonly<Record<string, string>> => ({
  ...SAFE_HEADERS,
  ...(issuer.protocol === 'https:' && { 'Strict-Transport-Security': `max-age=${HSTS_SECONDS}; includeSubDomains` }),
});

/** Whether a browser that speaks Fetch Metadata follows a form or link here. */
const browserNavigates = (ctx: Koa.Context): boolean => ctx.get('sec-fetch-mode') === 'navigate';

const AUTO_SUBMIT =
  /<title>Submitting Callback<\/title>[\s\S]*<form method="post" action="([^"]*)">([\s\S]*)<noscript>/;
const HIDDEN_FIELD = /<input type="hidden" name="([^"]*)" value="([^"]*)"\/>/g;
const ENTITIES: Readonly<Record<string, string>> = {
  '&amp;': '&',
  '&lt;': '<',
  '&gt;': '>',
  '&quot;': '"',
  '&#39;': "'",
};

const unescaped = (text: string): string =>
  text.replace(/&(?:amp|lt|gt|quot|#39);/g, (entity) => ENTITIES[entity] ?? entity);

/** What oidc-provider's own page would submit; it offers no way to replace that page, which speaks English only. */
function autoSubmitForm(body: string): { action: string; fields: [string, string][] } | undefined {
  const [, action, inputs] = AUTO_SUBMIT.exec(body) ?? [];
  if (action === undefined || inputs === undefined) return undefined;
  const fields = Array.from(inputs.matchAll(HIDDEN_FIELD), ([, name = '', value = '']): [string, string] => [
    unescaped(name),
    unescaped(value),
  ]);
  return { action: unescaped(action), fields };
}

/**
 * Ends a form's navigation before the citizen leaves for a service.
 *
 * Chrome applies `form-action` to every hop of the redirects after a form, also to hosts that the service redirects on
 * to and that nobody here knows. So the policy stays `'self'` and the way out is a page that moves on by itself. Engines
 * without Fetch Metadata do not apply the rule; they get the plain redirect.
 */
export const leaveForm =
  (parts: Parameters<typeof shellOf>[1] & { issuer: URL }) =>
  (ctx: KoaContextWithOIDC): void => {
    // Undefined where there is none, whatever the types say: pages that answer a form (codes of devices) stay as they are.
    const location: string | undefined = ctx.method === 'POST' ? ctx.response.get('location') : undefined;
    if (location && browserNavigates(ctx)) {
      ctx.remove('location');
      sendPage(ctx, 200, continuePage(location, shellOf(ctx, parts, ctx.oidc?.params?.['ui_locales'])));
    }
    const form = typeof ctx.body === 'string' ? autoSubmitForm(ctx.body) : undefined;
    if (form === undefined) return;
    // oidc-provider gives refusals the status of an error page; this is a way back as a redirect is one, and proxies that put
    // pages of their own in the place of errors would stop it.
    sendPage(ctx, 200, submitPage(shellOf(ctx, parts, ctx.oidc?.params?.['ui_locales']), form));
    // A form to a service: what it redirects on to is unknown here as well, and it holds nothing that somebody typed.
    const policy = ctx.response.get('content-security-policy');
    if (new URL(form.action).origin !== parts.issuer.origin) {
      ctx.set('content-security-policy', policy.replace(/form-action[^;]*;?\s*/, ''));
    }
  };
