import { errors, type Provider } from 'oidc-provider';
import type { Registration } from '../accounts/town.ts';

/** OAuth client metadata (RFC 7591) as oidc-provider reads it, with our own additions. */
export type ClientMetadata = Record<string, unknown> & { client_id: string };

/** Our additions to the standard metadata; oidc-provider must be told of each. */
export const EXTRA_CLIENT_METADATA = ['organisation', 'secret_hashes'] as const;

const DEVICE_CODE = 'urn:ietf:params:oauth:grant-type:device_code';

const GRANT_TYPES: Record<Registration['kind'], readonly string[]> = {
  web: ['authorization_code'],
  spa: ['authorization_code'],
  native: ['authorization_code'],
  device: [DEVICE_CODE],
  api: ['client_credentials'],
};

/** Authentication methods that compare a secret. */
const SECRET_METHODS = new Set(['client_secret_basic', 'client_secret_post']);

/**
 * The sector that pairwise subjects belong to is the organisation (OpenID Connect Core §8.1 leaves the choice to the
 * provider). The URI is a name only and never fetched; two organisations never share one.
 */
export const sectorIdentifierUri = (organisation: string, issuer: URL): string =>
  `https://${organisation}.sector.${issuer.hostname}/`;

const TLS_SUBJECTS = {
  subjectDn: 'tls_client_auth_subject_dn',
  sanDns: 'tls_client_auth_san_dns',
  sanUri: 'tls_client_auth_san_uri',
} as const;

/** What makes a client's requests, answers and tokens of use to nobody else. */
const securityMetadata = (registration: Registration): Record<string, unknown> => {
  const { securityProfile, boundTokens, signedRequests, tlsSubject } = registration;
  const messageSigning = securityProfile === 'fapi2-message-signing';
  const subject = Object.entries(tlsSubject ?? {}).map(([name, value]) => [
    TLS_SUBJECTS[name as keyof typeof TLS_SUBJECTS],
    value,
  ]);
  return {
    // FAPI 2.0 Security Profile §5.3.2.2: authorization requests are pushed, and nothing else is taken.
    ...(securityProfile !== undefined && { require_pushed_authorization_requests: true }),
    ...(messageSigning && { response_modes: ['jwt', 'query.jwt', 'fragment.jwt', 'form_post.jwt'] }),
    ...((messageSigning || signedRequests === true) && { require_signed_request_object: true }),
    ...(boundTokens === 'dpop' && { dpop_bound_access_tokens: true }),
    ...(boundTokens === 'mtls' && { tls_client_certificate_bound_access_tokens: true }),
    ...Object.fromEntries(subject),
  };
};

/** Translates a registration. Secrets stay hashes: oidc-provider never learns a plain one. */
export function clientMetadata(
  registration: Registration,
  secretHashes: readonly string[],
  issuer: URL,
): ClientMetadata {
  const grantTypes = [...GRANT_TYPES[registration.kind]];
  if (registration.refreshTokens) grantTypes.push('refresh_token');
  return {
    client_id: registration.clientId,
    client_name: registration.name.de,
    application_type: registration.kind === 'native' || registration.kind === 'device' ? 'native' : 'web',
    grant_types: grantTypes,
    response_types: grantTypes.includes('authorization_code') ? ['code'] : [],
    redirect_uris: [...registration.redirectUris],
    post_logout_redirect_uris: [...registration.postLogoutRedirectUris],
    token_endpoint_auth_method: registration.authMethod,
    subject_type: 'pairwise',
    sector_identifier_uri: sectorIdentifierUri(registration.organisation, issuer),
    id_token_signed_response_alg: registration.rs256 === undefined ? 'ES256' : 'RS256',
    authorization_signed_response_alg: 'ES256',
    introspection_signed_response_alg: 'ES256',
    organisation: registration.organisation,
    secret_hashes: [...secretHashes],
    // oidc-provider demands a value; `compareClientSecret` (configuration.ts) never looks at it.
    ...(SECRET_METHODS.has(registration.authMethod) && { client_secret: 'only-hashes-are-stored' }),
    ...(registration.homepage !== undefined && { client_uri: registration.homepage }),
    ...(registration.backchannelLogoutUri !== undefined && {
      backchannel_logout_uri: registration.backchannelLogoutUri,
      backchannel_logout_session_required: true,
    }),
    ...(registration.jwks !== undefined && { jwks: registration.jwks }),
    ...(registration.jwksUri !== undefined && { jwks_uri: registration.jwksUri }),
    ...securityMetadata(registration),
  };
}

/** What oidc-provider makes of a client's metadata when it checks them. */
type Schema = { grant_types: string[]; subject_type: string; sector_identifier_uri?: string };
type ClientClass = { Schema: new (metadata: Readonly<Record<string, unknown>>, ...rest: unknown[]) => Schema };

/**
 * Takes the grant of devices from clients without keys. oidc-provider refuses it to those with pairwise subjects, as it
 * would derive their sector from where the keys are (OpenID Connect Core §8.1); where the sector is known otherwise, the
 * reason does not hold.
 */
export function permitDeviceCodes(provider: Provider): void {
  const model = provider.Client as unknown as ClientClass;
  const { Schema: Checked } = model;
  class WithDevices extends Checked {
    constructor(metadata: Readonly<Record<string, unknown>>, ...rest: unknown[]) {
      const grants: readonly unknown[] = Array.isArray(metadata['grant_types']) ? metadata['grant_types'] : [];
      const others = grants.filter((grant) => grant !== DEVICE_CODE);
      super(others.length < grants.length ? { ...metadata, grant_types: others } : metadata, ...rest);
      if (others.length === grants.length) return;
      // The sector is a default where clients register themselves in a sandbox, and the organisation's for the town's.
      if (this.subject_type === 'pairwise' && this.sector_identifier_uri === undefined) {
        throw new errors.InvalidClientMetadata('clients with codes of devices need a sector_identifier_uri');
      }
      this.grant_types.push(DEVICE_CODE);
    }
  }
  Object.defineProperty(model, 'Schema', { value: WithDevices });
}
