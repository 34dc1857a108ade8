import type Koa from 'koa';

/** Endpoints that OpenID Connect wants to take requests by POST too (Core §3.1.2.1, RP-Initiated Logout §2). */
const PATHS = new Set(['/auth', '/session/end']);
const BODY_LIMIT_BYTES = 16 * 1024;

/**
 * Turns a request by POST into the same request by GET. A form on a service's page is sent without our `SameSite=Lax`
 * session cookie, so the citizen would have to sign in again; the redirect that answers it brings the cookie along, and
 * the cookie need not be opened to every site for it.
 */
export async function postToGet(ctx: Koa.Context, next: () => Promise<void>): Promise<void> {
  if (ctx.method !== 'POST' || !PATHS.has(ctx.path) || ctx.is('application/x-www-form-urlencoded') === false) {
    return next();
  }
  let body = '';
  for await (const chunk of ctx.req.setEncoding('latin1')) {
    body += chunk;
    if (body.length > BODY_LIMIT_BYTES) {
      ctx.status = 413;
      ctx.set('Connection', 'close');
      return;
    }
  }
  ctx.set('Cache-Control', 'no-store');
  ctx.status = 303;
  ctx.redirect(`${ctx.path}?${new URLSearchParams(body).toString()}`);
}
