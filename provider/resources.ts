import { createPublicKey, type KeyObject, type webcrypto } from 'node:crypto';
import { type Client, type Configuration, errors, type KoaContextWithOIDC } from 'oidc-provider';
import type { Registration, Resource } from '../accounts/town.ts';
import { adminResource, STAFF_ACCESS_TOKEN_SECONDS, STAFF_CLIENT_ID, STAFF_SCOPE } from './admin-api/staff-client.ts';
import type { Registrations } from './registrations.ts';

type ResourceIndicators = NonNullable<NonNullable<Configuration['features']>['resourceIndicators']>;

/** A JWT cannot be called back: it lives no longer than this. */
const JWT_SECONDS = 5 * 60;

/** How a JWT is encrypted to a key (RFC 7518 §4), by the key's type. */
const ENCRYPTION: Readonly<Record<string, 'ECDH-ES' | 'RSA-OAEP-256'>> = {
  EC: 'ECDH-ES',
  OKP: 'ECDH-ES',
  RSA: 'RSA-OAEP-256',
};

const keys = new WeakMap<object, KeyObject>();
const publicKey = (jwk: NonNullable<Resource['encryptionKey']>): KeyObject => {
  const key = keys.get(jwk) ?? createPublicKey({ key: jwk as webcrypto.JsonWebKey, format: 'jwk' });
  keys.set(jwk, key);
  return key;
};

/** An access token by RFC 9068; inside a JWE where only the API may read it. */
const jwtFormat = ({ encryptionKey }: Resource) => ({
  accessTokenFormat: 'jwt' as const,
  accessTokenTTL: JWT_SECONDS,
  jwt: {
    sign: { alg: 'ES256' as const },
    ...(encryptionKey !== undefined && {
      encrypt: {
        alg: ENCRYPTION[String(encryptionKey['kty'])] ?? 'ECDH-ES',
        enc: 'A256GCM' as const,
        key: publicKey(encryptionKey),
        ...(typeof encryptionKey['kid'] === 'string' && { kid: encryptionKey['kid'] }),
      },
    }),
  },
});

/** What a service may do for a citizen with an API of another organisation. */
const foreignUse = (ctx: KoaContextWithOIDC, client: Client, service: Registration | undefined, indicator: string) => {
  const use = service?.apis?.find(({ resource }) => resource === indicator);
  if (use === undefined) {
    throw new errors.InvalidTarget('resource belongs to another organisation and is not named in the registration');
  }
  // The key of one citizen's app would be the same mark at every organisation that the app calls.
  const bound = ctx.get('DPoP') !== '' || service?.boundTokens !== undefined;
  if (bound && client.clientAuthMethod === 'none') {
    throw new errors.InvalidTarget('tokens for another organisation cannot be bound to the key of an app');
  }
  return use;
};

/**
 * The APIs that tokens may be meant for (RFC 8707): those that are registered. In its own name a service gets tokens for
 * each of them; for a citizen for those of its own organisation, and for the others that its registration names.
 *
 * A token speaks to the API by the pseudonym that the API's organisation knows (`subjectForApi`). So that the service of
 * another organisation does not learn it, what it carries is unreadable to it: a JWT encrypted to the API's key or, where
 * there is none, an opaque token that the API introspects.
 *
 * Besides them only the provider's own admin API, for the administrators' command line.
 */
export const resourceIndicators = (registrations: Registrations, issuer: URL): ResourceIndicators => ({
  enabled: true,
  getResourceServerInfo(ctx, indicator, client) {
    if (client.clientId === STAFF_CLIENT_ID && indicator === adminResource(issuer)) {
      return { scope: STAFF_SCOPE, accessTokenTTL: STAFF_ACCESS_TOKEN_SECONDS, accessTokenFormat: 'opaque' };
    }
    const resource = registrations.resource(indicator);
    if (resource === undefined) throw new errors.InvalidTarget('resource is no registered API');
    const service = registrations.find(client.clientId);
    const inOwnName = ctx.oidc.params?.['grant_type'] === 'client_credentials';
    const foreign = !inOwnName && resource.organisation !== service?.organisation;
    const { scopes } = foreign ? foreignUse(ctx, client, service, indicator) : resource;
    const readable = resource.tokens === 'jwt' && (!foreign || resource.encryptionKey !== undefined);
    return {
      audience: resource.identifier,
      scope: scopes.filter((scope) => resource.scopes.includes(scope)).join(' '),
      ...(readable ? jwtFormat(resource) : { accessTokenFormat: 'opaque' as const }),
    };
  },
});

type JwtCustomizer = NonNullable<NonNullable<NonNullable<Configuration['formats']>['customizers']>['jwt']>;

/** Gives a JWT the pseudonym by which the API's organisation knows the citizen; oidc-provider puts in the service's. */
export const subjectForApi =
  (registrations: Registrations, subject: (sector: string, account: string) => string): JwtCustomizer =>
  (_ctx, token, { payload }) => {
    const api = registrations.resource(String(token.aud));
    if (!('accountId' in token) || typeof token.accountId !== 'string') return;
    if (api === undefined) throw new Error('a JWT for an API that is not registered');
    payload['sub'] = subject(api.organisation, token.accountId);
  };
