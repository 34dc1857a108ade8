import { errors } from 'oidc-provider';
import { CLAIM_CATALOGUE } from '../accounts/claims.ts';
import { newClientSecret } from '../accounts/clients.ts';
import type { DynamicClient } from '../accounts/dynamic-clients.ts';
import type { Registration, Text } from '../accounts/town.ts';
import { sectorIdentifierUri } from './client-metadata.ts';

/** The organisation to which clients belong that registered themselves. */
export const TRIAL_ORGANISATION = { id: 'sandbox', name: { de: 'Testdienste', en: 'Trial services' } } as const;

const PURPOSE: Text = { de: 'Erprobung eines Dienstes', en: 'Trying out a service' };
const LEGAL_BASIS: Text = { de: 'keine, erfundene Personen', en: 'none, fictitious persons' };

const strings = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];

const text = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined);

const kindOf = (metadata: DynamicClient): Registration['kind'] => {
  if (metadata['application_type'] === 'native') return 'native';
  return metadata['token_endpoint_auth_method'] === 'none' ? 'spa' : 'web';
};

/** Methods of authentication that FAPI 2.0 permits. */
const BY_KEY = new Set<unknown>(['private_key_jwt', 'tls_client_auth', 'self_signed_tls_client_auth']);

/** A client that registers what FAPI 2.0 demands of one is held to the rest of it, too. */
const profileOf = (metadata: Readonly<Record<string, unknown>>): Registration['securityProfile'] => {
  const bound = metadata['dpop_bound_access_tokens'] === true;
  const byCertificate = metadata['tls_client_certificate_bound_access_tokens'] === true;
  const pushed = metadata['require_pushed_authorization_requests'] === true;
  if (!pushed || !(bound || byCertificate) || !BY_KEY.has(metadata['token_endpoint_auth_method'])) return undefined;
  return metadata['require_signed_request_object'] === true ? 'fapi2-message-signing' : 'fapi2';
};

/**
 * FAPI 2.0 Security Profile §5.3.2.2-8: no authorization response over unencrypted connections. Where citizens are real,
 * that holds for every client but apps, which have addresses of their own on the device.
 */
export const assertRedirectUris = (metadata: Readonly<Record<string, unknown>>, mode: RegistrationMode): void => {
  const profile = profileOf(metadata) !== undefined;
  const app = metadata['application_type'] === 'native';
  if (!profile && (mode === 'open' || app)) return;
  if (
    strings(metadata['redirect_uris']).some((uri) => !uri.startsWith('https:') && (!app || uri.startsWith('http:')))
  ) {
    throw new errors.InvalidClientMetadata(
      profile ? 'redirect_uris of a FAPI 2.0 client must be https' : 'redirect_uris must be https',
    );
  }
};

/** What a client says of itself that may be believed: it concerns nobody but itself. */
const described = (metadata: DynamicClient): Omit<Registration, 'claims'> => {
  const redirectUris = strings(metadata['redirect_uris']);
  const backchannelLogoutUri = text(metadata['backchannel_logout_uri']);
  const securityProfile = profileOf(metadata);
  const [policyUri, tosUri] = [text(metadata['policy_uri']), text(metadata['tos_uri'])];
  return {
    clientId: metadata.client_id,
    organisation: TRIAL_ORGANISATION.id,
    name: { de: text(metadata['client_name']) ?? metadata.client_id },
    description: PURPOSE,
    kind: kindOf(metadata),
    redirectUris,
    postLogoutRedirectUris: strings(metadata['post_logout_redirect_uris']),
    authMethod: metadata['token_endpoint_auth_method'] as Registration['authMethod'],
    refreshTokens: strings(metadata['grant_types']).includes('refresh_token'),
    needsEmail: false,
    corsOrigins: redirectUris.filter((uri) => /^https?:/.test(uri)).map((uri) => new URL(uri).origin),
    contacts: strings(metadata['contacts']),
    ...(backchannelLogoutUri !== undefined && { backchannelLogoutUri }),
    ...(policyUri !== undefined && { policyUri }),
    ...(tosUri !== undefined && { tosUri }),
    ...(securityProfile !== undefined && { securityProfile }),
  };
};

/**
 * The registration that stands for a client which registered itself in a sandbox. Nobody has examined its purposes, so it
 * may ask for everything that the account has, and only where the citizens are fictitious.
 */
export const trialRegistration = (metadata: DynamicClient): Registration => ({
  ...described(metadata),
  claims: Object.keys(CLAIM_CATALOGUE).map((claim) => ({
    claim,
    purpose: PURPOSE,
    legalBasis: LEGAL_BASIS,
    required: true,
  })),
  trial: true,
});

/** The same with real citizens, by initial access token: a purpose that nobody has examined gets a pseudonym and no more. */
export const unexaminedRegistration = (metadata: DynamicClient): Registration => ({
  ...described(metadata),
  claims: [],
});

const ID_LENGTH = 24;

/** Who may register: everybody, whoever has the initial access token, or nobody. */
export type RegistrationMode = 'open' | 'off' | { readonly token: string };

/** The `registration` features of oidc-provider (RFC 7591, RFC 7592). */
export const registrationFeatures = (mode: RegistrationMode) =>
  mode === 'off'
    ? {}
    : ({
        registration: {
          enabled: true,
          idFactory: () => newClientSecret().reveal().slice(0, ID_LENGTH),
          secretFactory: () => newClientSecret().reveal(),
          ...(mode !== 'open' && { initialAccessToken: mode.token }),
        },
        registrationManagement: { enabled: true },
        // No service of the town asks for signed userinfo (some products can read plain JSON only); a suite does.
        ...(mode === 'open' && { jwtUserinfo: { enabled: true } }),
      } as const);

/** What the provider signs with for a client that does not say. */
export const defaultAlgorithms = (algorithm: 'ES256' | 'RS256') =>
  ({
    id_token_signed_response_alg: algorithm,
    authorization_signed_response_alg: algorithm,
    introspection_signed_response_alg: algorithm,
  }) as const;

/**
 * Defaults for clients that register themselves. RS256 is what OpenID Connect Dynamic Client Registration §2 prescribes;
 * the sector spares clients with several redirect hosts a `sector_identifier_uri` of their own.
 */
export const trialDefaults = (issuer: URL) =>
  ({
    ...defaultAlgorithms('RS256'),
    subject_type: 'pairwise',
    sector_identifier_uri: sectorIdentifierUri(TRIAL_ORGANISATION.id, issuer),
  }) as const;
