import { type Configuration, errors } from 'oidc-provider';
import { adminResource, STAFF_ACCESS_TOKEN_SECONDS, STAFF_CLIENT_ID, STAFF_SCOPE } from './admin-api/staff-client.ts';
import type { Registrations } from './registrations.ts';

type ResourceIndicators = NonNullable<NonNullable<Configuration['features']>['resourceIndicators']>;

/** A JWT cannot be called back: it lives no longer than this. */
const JWT_SECONDS = 5 * 60;

/**
 * The APIs that tokens may be meant for (RFC 8707): those that are registered. In its own name a service gets tokens for
 * each of them; for a citizen only for APIs of its own organisation, as such a token carries the pseudonym by which the
 * organisation knows the citizen, and would tell it to another one.
 * Besides them only the provider's own admin API, for the administrators' command line.
 */
export const resourceIndicators = (registrations: Registrations, issuer: URL): ResourceIndicators => ({
  enabled: true,
  getResourceServerInfo(ctx, indicator, client) {
    if (client.clientId === STAFF_CLIENT_ID && indicator === adminResource(issuer)) {
      return { scope: STAFF_SCOPE, accessTokenTTL: STAFF_ACCESS_TOKEN_SECONDS, accessTokenFormat: 'opaque' };
    }
    const resource = registrations.resource(indicator);
    const inOwnName = ctx.oidc.params?.['grant_type'] === 'client_credentials';
    const organisation = registrations.find(client.clientId)?.organisation;
    if (resource === undefined) throw new errors.InvalidTarget('resource is no registered API');
    if (!inOwnName && resource.organisation !== organisation) {
      throw new errors.InvalidTarget('resource belongs to another organisation');
    }
    return {
      audience: resource.identifier,
      scope: resource.scopes.join(' '),
      accessTokenFormat: resource.tokens,
      ...(resource.tokens === 'jwt' && { accessTokenTTL: JWT_SECONDS, jwt: { sign: { alg: 'ES256' as const } } }),
    };
  },
});
