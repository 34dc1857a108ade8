import { type Configuration, errors } from 'oidc-provider';
import type { Registrations } from './registrations.ts';

type ResourceIndicators = NonNullable<NonNullable<Configuration['features']>['resourceIndicators']>;

/** A JWT cannot be called back: it lives no longer than this. */
const JWT_SECONDS = 5 * 60;

/**
 * The APIs that tokens may be meant for (RFC 8707): those that are registered. In its own name a service gets tokens for
 * each of them; for a citizen only for APIs of its own organisation, as such a token carries the pseudonym by which the
 * organisation knows the citizen, and would tell it to another one.
 */
export const resourceIndicators = (registrations: Registrations): ResourceIndicators => ({
  enabled: true,
  getResourceServerInfo(ctx, indicator, client) {
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
