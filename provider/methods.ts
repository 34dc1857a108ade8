import type Koa from 'koa';

const READ = ['GET', 'HEAD', 'OPTIONS'];
const WRITE = ['POST', 'OPTIONS'];

/** Endpoints and what they take, for whoever comes with another method. */
const METHODS: ReadonlyMap<string, readonly string[]> = new Map([
  ['/.well-known/openid-configuration', READ],
  ['/.well-known/oauth-authorization-server', READ],
  ['/jwks', READ],
  ['/auth', [...READ, 'POST']],
  ['/session/end', [...READ, 'POST']],
  ['/userinfo', [...READ, 'POST']],
  ['/token', WRITE],
  ['/token/introspection', WRITE],
  ['/token/revocation', WRITE],
  ['/request', WRITE],
  ['/device/auth', WRITE],
]);

/**
 * Says which methods an endpoint takes (RFC 9110 §15.5.6, §9.3.7): oidc-provider answers 404, and whoever sends GET to the
 * token endpoint looks for a wrong address.
 */
export async function explainMethods(ctx: Koa.Context, next: Koa.Next): Promise<void> {
  const methods = METHODS.get(ctx.path);
  // Pages of devices lie below `/device/`: by GET, this endpoint would be taken for one of them.
  if (methods?.includes(ctx.method) !== false) await next();
  if (methods === undefined || ctx.status !== 404 || ctx.body != null) return;
  ctx.set('Allow', methods.join(', '));
  if (ctx.method === 'OPTIONS') {
    ctx.status = 204;
    return;
  }
  ctx.status = 405;
  ctx.set('Cache-Control', 'no-store');
  ctx.body = { error: 'invalid_request', error_description: `${ctx.path} takes ${methods.join(', ')}` };
}
