/** oidc-provider's own addresses, each an area of its own. */
const PROTOCOL: Readonly<Record<string, string>> = {
  '/auth': 'authorization',
  '/request': 'pushed request',
  '/device/auth': 'device',
  '/device': 'device',
  '/token': 'token',
  '/token/introspection': 'introspection',
  '/token/revocation': 'revocation',
  '/userinfo': 'userinfo',
  '/jwks': 'jwks',
  '/session/end': 'logout',
  '/session/end/confirm': 'logout',
  '/session/end/success': 'logout',
  '/.well-known/openid-configuration': 'discovery',
};
const FIRST_PARTS: Readonly<Record<string, string>> = {
  auth: 'authorization',
  interaction: 'sign-in',
  konto: 'account',
  public: 'asset',
  assets: 'asset',
  admin: 'admin',
  healthz: 'health',
  readyz: 'health',
};

/** The area of a path, from a closed list: identifiers in paths never become labels. */
export const areaOf = (url: string): string => {
  const [path = ''] = url.split('?', 1);
  const exact = PROTOCOL[path];
  if (exact !== undefined) return exact;
  return FIRST_PARTS[path.split('/', 2)[1] ?? ''] ?? (path === '/' ? 'start' : 'other');
};
