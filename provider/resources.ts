import { type Configuration, errors } from 'oidc-provider';
import type { Registrations } from './registrations.ts';

type ResourceIndicators = NonNullable<NonNullable<Configuration['features']>['resourceIndicators']>;

/** A JWT cannot be called back: it lives no longer than this. */
const JWT_SECONDS = 5 * 60;

/**
 * The APIs that tokens may be meant for (RFC 8707): those that are registered, and only for a service in its own name.
 * A token of a citizen would carry the pseudonym that the calling service knows, and so tell it to the API.
 */
export const resourceIndicators = (registrations: Registrations): ResourceIndicators => ({
  enabled: true,
  getResourceServerInfo(ctx, indicator) {
    const resource = registrations.resource(indicator);
    if (resource === undefined || ctx.oidc.params?.['grant_type'] !== 'client_credentials') {
      throw new errors.InvalidTarget();
    }
    return {
      audience: resource.identifier,
      scope: resource.scopes.join(' '),
      accessTokenFormat: resource.tokens,
      ...(resource.tokens === 'jwt' && { accessTokenTTL: JWT_SECONDS, jwt: { sign: { alg: 'ES256' as const } } }),
    };
  },
});
