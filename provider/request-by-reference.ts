import type Koa from 'koa';
import { errors, type KoaContextWithOIDC } from 'oidc-provider';
import type { Registrations } from './registrations.ts';

const PATIENCE_MS = 2500;
const LIMIT_CHARACTERS = 64 * 1024;

/** The metadata by which a client names the addresses of its request objects (OpenID Connect Registration §2). */
export const REQUEST_URIS = 'request_uris';

/** Checks that metadata; a fragment (a hash of the contents) is part of an address. */
export const assertRequestUris = (value: unknown): void => {
  const addresses = Array.isArray(value) ? value : [undefined];
  if (!addresses.every((one) => typeof one === 'string' && URL.canParse(one) && /^https?:/.test(one))) {
    throw new errors.InvalidClientMetadata(`${REQUEST_URIS} must be an array of web addresses`);
  }
};

/**
 * Request objects by reference (OpenID Connect Core §6.2): fetches the object from an address that the client has
 * registered and goes on as if it had been sent. Only for standard test suites: oidc-provider has given it up, as a
 * provider that fetches what a browser names can be sent anywhere, and pushed requests (RFC 9126) do the same better.
 */
export const requestByReference =
  (registrations: Registrations, fetch: typeof globalThis.fetch) =>
  async (ctx: KoaContextWithOIDC, next: Koa.Next): Promise<void> => {
    const query = new URLSearchParams(ctx.querystring);
    const address = query.get('request_uri') ?? '';
    if (ctx.path !== '/auth' || !/^https?:/.test(address) || query.has('request')) return next();
    const client = await registrations.lookUp(query.get('client_id') ?? '');
    const registered = client?.[REQUEST_URIS];
    if (!Array.isArray(registered) || !registered.includes(address)) return next();
    query.delete('request_uri');
    query.set('request', await read(fetch, address));
    ctx.querystring = query.toString();
    await next();
  };

/** The object, or what oidc-provider refuses as none. */
const read = async (fetch: typeof globalThis.fetch, address: string): Promise<string> => {
  try {
    const answer = await fetch(address, { signal: AbortSignal.timeout(PATIENCE_MS), redirect: 'error' });
    const text = answer.ok ? (await answer.text()).trim() : '';
    return text.length > LIMIT_CHARACTERS ? '-' : text || '-';
  } catch {
    return '-';
  }
};
