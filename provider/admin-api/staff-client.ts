import { PHISHING_RESISTANT } from '../../accounts/assurance.ts';
import type { Registration } from '../../accounts/town.ts';
import type { ClientMetadata } from '../client-metadata.ts';

/** The administrators' command line as a client of the provider: built in, in no town's file. */
export const STAFF_CLIENT_ID = 'verwaltung';
export const STAFF_SCOPE = 'verwaltung';
/** Seconds. A stolen token is of no use without its key, and after this of none at all. */
export const STAFF_ACCESS_TOKEN_SECONDS = 5 * 60;
/** A working day: then the passkey is asked for again. */
export const STAFF_REFRESH_TOKEN_SECONDS = 9 * 60 * 60;

/** The resource (RFC 8707) that the tokens of staff are good for, and nothing else is. */
export const adminResource = (issuer: URL): string => `${issuer.origin}/admin/api`;

export const staffRegistration: Registration = {
  clientId: STAFF_CLIENT_ID,
  organisation: 'verwaltung',
  name: { de: 'Verwaltung des Stadtschlüssels', en: 'Administration of Stadtschlüssel' },
  description: { de: 'Kommandozeile der Verwaltung', en: 'Command line of the administration' },
  kind: 'native',
  // RFC 8252 §7.3: the port is free. The literal address and not `localhost`, which may be anything (§8.3).
  redirectUris: ['http://127.0.0.1/callback'],
  postLogoutRedirectUris: [],
  authMethod: 'none',
  claims: [],
  refreshTokens: true,
  needsEmail: false,
  corsOrigins: [],
  contacts: [],
  staff: true,
  // A session that rests on another provider's word is not enough here.
  minAcr: PHISHING_RESISTANT,
};

export const staffMetadata: ClientMetadata = {
  client_id: STAFF_CLIENT_ID,
  client_name: staffRegistration.name.de,
  application_type: 'native',
  grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
  response_types: ['code'],
  redirect_uris: [...staffRegistration.redirectUris],
  token_endpoint_auth_method: 'none',
  // The device flow of a public client has no sector; the subject is seen by nobody but the provider itself.
  subject_type: 'public',
  id_token_signed_response_alg: 'ES256',
  dpop_bound_access_tokens: true,
};
