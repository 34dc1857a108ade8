import type { AdapterFactory, Client, Configuration, JWKS, KoaContextWithOIDC } from 'oidc-provider';
import { errors } from 'oidc-provider';
import { ACR, PHISHING_RESISTANT } from '../accounts/assurance.ts';
import { CLAIM_CATALOGUE, SCOPE_CLAIMS, VERIFIABLE_CLAIMS } from '../accounts/claims.ts';
import { hashSecret, secretMatches } from '../accounts/clients.ts';
import type { Context } from '../accounts/context.ts';
import * as exemptions from '../accounts/exemptions.ts';
import { Secret } from '../accounts/secret.ts';
import type { Town } from '../accounts/town.ts';
import { TRUST_FRAMEWORK } from '../accounts/verified-claims.ts';
import { noteBegun } from '../interactions/begun-here.ts';
import type { Keys } from '../keys/keys.ts';
import { STAFF_CLIENT_ID, STAFF_REFRESH_TOKEN_SECONDS } from './admin-api/staff-client.ts';
import { findAccount, isActive, type ReadAccount } from './claims.ts';
import { EXTRA_CLIENT_METADATA } from './client-metadata.ts';
import { cookieSigning } from './cookie-signing.ts';
import {
  assertRedirectUris,
  defaultAlgorithms,
  type RegistrationMode,
  registrationFeatures,
  trialDefaults,
} from './dynamic-registration.ts';
import { loadExistingGrant } from './grants.ts';
import type { LogoutPages } from './logout.ts';
import { endpointAliases, mutualTls } from './mtls.ts';
import { outboundFetch } from './outbound.ts';
import { createPolicy } from './policy.ts';
import type { Registrations } from './registrations.ts';
import { assertRequestUris, REQUEST_URIS } from './request-by-reference.ts';
import { resourceIndicators, subjectForApi } from './resources.ts';
import {
  assertClientAssertion,
  assertRequestObject,
  CLOCK_TOLERANCE_SECONDS,
  fapi,
  PROFILE_ALGORITHMS,
} from './security-profile.ts';
import { SESSION_IDLE_SECONDS, SESSION_MAX_SECONDS, SHARED_IDLE_SECONDS } from './session-limits.ts';
import { stepUpClaims } from './step-up.ts';

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const REFRESH_TOKEN_SECONDS = 30 * DAY;
const INTERACTION_SECONDS = 30 * MINUTE;

/** OpenID Connect Core §3, all flows; the names as OAuth 2.0 Multiple Response Types writes them. */
const RESPONSE_TYPES = [
  'code',
  'id_token',
  'id_token token',
  'code id_token',
  'code token',
  'code id_token token',
] as const;

type DeviceFlow = NonNullable<NonNullable<Configuration['features']>['deviceFlow']>;

export type ConfigurationParts = {
  issuer: URL;
  town: Town;
  keys: Keys;
  context: () => Context;
  registrations: Registrations;
  adapter: AdapterFactory;
  readAccount: ReadAccount;
  /** Sends the request's waiting writes now. */
  flush: () => Promise<void>;
  /** Tells the store when a proof was issued. */
  noteProof: (issuedAt: number | undefined) => void;
  jwks: JWKS;
  logoutPages: LogoutPages;
  renderError: NonNullable<Configuration['renderError']>;
  /** Outbound requests may reach private addresses: only where services live beside the provider. */
  allowPrivateAddresses: boolean;
  /** The host for mutual TLS, where there is one. */
  mtlsOrigin?: URL | undefined;
  deviceFlow: DeviceFlow;
  /** Open only where citizens are fictitious. */
  registration: RegistrationMode;
  /** Clients that registered themselves may ask for tokens in the address, and refer to request objects: see 0085. */
  testSuites: boolean;
};

/** Claims that no scope stands for: they are asked for by the `claims` parameter. */
const claimsWithoutScope = Object.keys(CLAIM_CATALOGUE).filter(
  (claim) => !Object.values(SCOPE_CLAIMS).some((claims) => claims.includes(claim)),
);

/** A client that registered itself may bring a sector along; it is never mistaken for an organisation of the town. */
const sectorOf = (client: Client): string =>
  typeof client.organisation === 'string' ? client.organisation : `trial ${String(client.sectorIdentifier)}`;

const epochSeconds = (): number => Math.floor(Date.now() / 1000);

type SessionFacts = { loginTs?: number | undefined; transient?: boolean | undefined };

function sessionSeconds(_ctx: KoaContextWithOIDC, session: SessionFacts): number {
  const idle = session.transient === true ? SHARED_IDLE_SECONDS : SESSION_IDLE_SECONDS;
  if (session.loginTs === undefined) return idle;
  const left = session.loginTs + SESSION_MAX_SECONDS - epochSeconds();
  return Math.max(1, Math.min(idle, left));
}

/** The settings of oidc-provider; each one that is not obvious says why. */
export function createConfiguration(parts: ConfigurationParts): Configuration {
  const { issuer, keys, registrations, context } = parts;
  const secure = issuer.protocol === 'https:';
  const cookie = { httpOnly: true, sameSite: 'lax', secure, signed: true, overwrite: true } as const;
  // RS256 for clients that register themselves: standard test suites and old libraries know nothing else.
  const accepted = parts.registration === 'open' ? ([...PROFILE_ALGORITHMS, 'RS256'] as const) : PROFILE_ALGORITHMS;
  // What the provider signs with follows from its keys: there is one for RS256 only where a registration needs it.
  const signed = [...PROFILE_ALGORITHMS, 'RS256'] as const;
  const refreshes = ({ clientId = '' }: { clientId?: string | undefined }): boolean =>
    registrations.find(clientId)?.refreshTokens === true;

  return {
    adapter: parts.adapter,
    jwks: parts.jwks,
    findAccount: findAccount(context, registrations, parts.town, parts.readAccount),
    loadExistingGrant: loadExistingGrant(context, registrations, parts.readAccount),
    renderError: parts.renderError,
    interactions: {
      policy: createPolicy({ context, registrations }),
      url(ctx, interaction) {
        noteBegun(ctx, issuer, interaction.uid, INTERACTION_SECONDS);
        return `/interaction/${interaction.uid}`;
      },
    },
    routes: { userinfo: '/userinfo' },

    // RFC 9700 §2.1.2: no token in an address. OpenID Connect Core §15.2 demands it of dynamic providers all the same.
    responseTypes: parts.testSuites ? [...RESPONSE_TYPES] : ['code'],
    // Public subjects for the administrators' command line alone (staff-client.ts).
    subjectTypes: ['pairwise', 'public'],
    acrValues: [...Object.values(ACR), PHISHING_RESISTANT],
    // An API asks about a citizen by introspection: it is told the name that its own organisation knows, and not that of
    // the service which has the token. Called without a context for logout tokens.
    pairwiseIdentifier: (ctx, account, client) =>
      keys.subject(sectorOf(ctx?.oidc.route === 'introspection' ? (ctx.oidc.client ?? client) : client), account),
    formats: { customizers: { jwt: subjectForApi(registrations, keys.subject) } },
    // Our own name for an organisation is not fetched; one that a client brought along is.
    sectorIdentifierUriValidate: (client) =>
      client.organisation === undefined && client.sectorIdentifierUri !== trialDefaults(issuer).sector_identifier_uri,
    // Refresh tokens depend on the registration; but clients that ask for them by scope do so again when they refresh.
    scopes: ['openid', 'offline_access', ...Object.keys(SCOPE_CLAIMS)],
    claims: {
      acr: null,
      amr: null,
      auth_time: null,
      iss: null,
      sid: null,
      openid: ['sub'],
      ...SCOPE_CLAIMS,
      ...Object.fromEntries(claimsWithoutScope.map((claim) => [claim, null])),
    },
    conformIdTokenClaims: true,
    extraTokenClaims: stepUpClaims(registrations),
    discovery: {
      claims_locales_supported: parts.town.languages,
      ui_locales_supported: parts.town.languages,
      op_policy_uri: parts.town.pages.privacy,
      service_documentation: `${issuer.origin}/entwickler`,
      ...(parts.mtlsOrigin !== undefined && { mtls_endpoint_aliases: endpointAliases(parts.mtlsOrigin) }),
      subject_types_supported: ['pairwise'],
      // OpenID Connect for Identity Assurance 1.0 §8. Evidence is not given out, so that none is named; the first member
      // is of its drafts, and what clients look for.
      verified_claims_supported: true,
      trust_frameworks_supported: [TRUST_FRAMEWORK],
      claims_in_verified_claims_supported: VERIFIABLE_CLAIMS,
    },

    clientDefaults:
      parts.registration === 'open'
        ? trialDefaults(issuer)
        : { ...defaultAlgorithms('ES256'), subject_type: 'pairwise' },
    extraClientMetadata: {
      properties: [...EXTRA_CLIENT_METADATA, ...(parts.testSuites ? [REQUEST_URIS] : [])],
      // With a context, the client describes itself: what only a registration of the town may say, it may not.
      validator(ctx, name, value, metadata) {
        if (ctx !== undefined) assertRedirectUris(metadata, parts.registration);
        if (name === REQUEST_URIS) {
          if (value !== undefined) assertRequestUris(value);
        } else if (ctx !== undefined && value !== undefined) {
          throw new errors.InvalidClientMetadata(`${name} cannot be registered`);
        }
        if (metadata['subject_type'] === 'public' && metadata.client_id !== STAFF_CLIENT_ID) {
          throw new errors.InvalidClientMetadata('subject_type must be pairwise');
        }
      },
    },
    clientAuthMethods: [
      'client_secret_basic',
      'client_secret_post',
      'private_key_jwt',
      'none',
      ...(parts.mtlsOrigin === undefined ? [] : (['tls_client_auth', 'self_signed_tls_client_auth'] as const)),
    ],
    clientBasedCORS: (_ctx, origin, client) =>
      registrations.find(client.clientId)?.corsOrigins.includes(origin) === true,
    allowOmittingSingleRegisteredRedirectUri: false,
    acceptQueryParamAccessTokens: false,
    enableHttpPostMethods: false,
    pkce: {
      required: (_ctx, client) => {
        const registration = registrations.find(client.clientId);
        if (registration?.trial === true && client.clientAuthMethod !== 'none') return false;
        return !exemptions.holds(registration?.pkceExemption, context().now());
      },
    },
    assertJwtClientAuthClaimsAndHeader: (ctx, claims, header, client) => {
      parts.noteProof(typeof claims.iat === 'number' ? claims.iat : undefined);
      return assertClientAssertion(issuer, registrations, context)(ctx, claims, header, client);
    },
    enabledJWA: {
      clientAuthSigningAlgValues: [...accepted],
      idTokenSigningAlgValues: [...signed],
      userinfoSigningAlgValues: [...signed],
      introspectionSigningAlgValues: [...signed],
      authorizationSigningAlgValues: [...signed],
      requestObjectSigningAlgValues: [...accepted],
      dPoPSigningAlgValues: ['ES256', 'PS256', 'EdDSA'],
    },

    clockTolerance: CLOCK_TOLERANCE_SECONDS,
    cookies: {
      // Interaction cookies carry a path, which `__Host-` forbids; without TLS neither prefix is accepted by browsers.
      names: secure
        ? { session: '__Host-session', interaction: '__Secure-interaction', resume: '__Secure-resume' }
        : { session: 'session', interaction: 'interaction', resume: 'resume' },
      long: cookie,
      short: cookie,
      keys: cookieSigning(keys.cookieKeys),
    },
    ttl: {
      AuthorizationCode: MINUTE,
      DeviceCode: 10 * MINUTE,
      // An API may want less (resources.ts): a JWT cannot be called back.
      AccessToken: (_ctx, token) => token.resourceServer?.accessTokenTTL ?? 10 * MINUTE,
      ClientCredentials: (_ctx, token) => token.resourceServer?.accessTokenTTL ?? 10 * MINUTE,
      IdToken: 10 * MINUTE,
      Interaction: INTERACTION_SECONDS,
      Session: sessionSeconds,
      Grant: (_ctx, grant) => (refreshes(grant) ? REFRESH_TOKEN_SECONDS : SESSION_MAX_SECONDS) + HOUR,
      // Absolute: a rotated token never lives longer than the one it replaces.
      RefreshToken: (ctx, _token, client) =>
        ctx.oidc?.entities.RotatedRefreshToken?.remainingTTL ??
        (client.clientId === STAFF_CLIENT_ID ? STAFF_REFRESH_TOKEN_SECONDS : REFRESH_TOKEN_SECONDS),
    },
    issueRefreshToken: async (_ctx, client) => {
      const issued = client.grantTypeAllowed('refresh_token') && refreshes(client);
      // Nothing else is stored after this: a refused write surfaces here, before the tokens count as issued.
      if (!issued) await parts.flush();
      return issued;
    },
    // An app stays signed in when the browser's session ends; everything else ends with it.
    expiresWithSession: (ctx) => ctx.oidc.client !== undefined && !refreshes(ctx.oidc.client),
    rotateRefreshToken: (ctx) => {
      const { RefreshToken: token, Client: client } = ctx.oidc.entities;
      return client?.clientAuthMethod === 'none' && token?.isSenderConstrained() === false;
    },

    features: {
      devInteractions: { enabled: false },
      claimsParameter: { enabled: true },
      backchannelLogout: { enabled: true },
      rpInitiatedLogout: { enabled: true, ...parts.logoutPages },
      revocation: { enabled: true, allowedPolicy: (_ctx, client, token) => token.clientId === client.clientId },
      introspection: {
        enabled: true,
        // Introspection never looks for the account by itself; a locked one's tokens must not be called active.
        // Beside the service that has the token it is the API that it is for which may ask.
        async allowedPolicy(_ctx, client, token) {
          if (token.clientId !== client.clientId) {
            const { resource } = registrations.find(client.clientId) ?? {};
            if (!('aud' in token) || resource === undefined || token.aud !== resource.identifier) return false;
            // The session of the service is none of the API's business; it would be told along.
            if ('sid' in token) Object.assign(token, { sid: undefined });
          }
          return !('accountId' in token) || isActive(parts.readAccount, token.accountId);
        },
      },
      jwtIntrospection: { enabled: true },
      requestObjects: { enabled: true, assertJwtClaimsAndHeader: assertRequestObject(registrations) },
      jwtResponseModes: { enabled: true },
      mTLS: mutualTls(parts.mtlsOrigin, () => context().now()),
      fapi: fapi(registrations),
      deviceFlow: parts.deviceFlow,
      pushedAuthorizationRequests: { enabled: true },
      dPoP: { enabled: true },
      // For keys that sign in this process (sync-signing-key.ts).
      externalSigningSupport: { enabled: true, ack: 'experimental-01' },
      ...registrationFeatures(parts.registration),
      clientCredentials: { enabled: true },
      resourceIndicators: resourceIndicators(registrations, issuer),
    },
    fetch: outboundFetch(parts.allowPrivateAddresses),
    fetchResponseBodyLimits: { jwks_uri: 64 * 1024, sector_identifier_uri: 64 * 1024 },
  };
}

/** Client secrets are stored hashed; this is the one comparison that oidc-provider makes with one. */
export function compareHashedSecret(this: Client, actual: string): boolean {
  const { secret_hashes: hashes, clientSecret } = this as Client & { secret_hashes?: unknown };
  if (Array.isArray(hashes)) return secretMatches(hashes.map(String), actual);
  // A client that registered itself reads its secret again (RFC 7592 §2.1), so that is kept, sealed.
  return clientSecret !== undefined && secretMatches([hashSecret(new Secret(clientSecret))], actual);
}
