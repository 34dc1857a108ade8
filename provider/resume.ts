import type Koa from 'koa';
import { errors, type Provider } from 'oidc-provider';
import { forgetBegun, isBegunHere } from '../interactions/begun-here.ts';

/** Where the browser goes on after the pages; the uid is that of the interaction. */
const RESUME = /^\/(?:auth|device)\/([A-Za-z0-9_-]{22,64})$/;

/** Lets only that browser go on with an interaction that began it; oidc-provider looks at a cookie which others can set. */
export const refuseForeignResume =
  (provider: Provider, issuer: URL) =>
  async (ctx: Koa.Context, next: () => Promise<void>): Promise<void> => {
    const uid = RESUME.exec(ctx.path)?.[1];
    if (uid === undefined) return next();
    const cookie = provider.cookieName('resume');
    const named = ctx.cookies.get(cookie, { signed: true });
    if (named !== undefined && (named !== uid || !isBegunHere(ctx, issuer, uid)))
      throw new errors.SessionNotFound('the interaction was not begun in this browser');
    await next();
    // It may come here more than once, when another citizen's session has to end first.
    const lines = [ctx.response.headers['set-cookie'] ?? []].flat();
    if (lines.some((line) => line.startsWith(`${cookie}=;`))) forgetBegun(ctx, issuer, uid);
  };
