import { OWN_CLIENT } from '../accounts/assurance.ts';
import type { Registration } from '../accounts/town.ts';

/**
 * The registration of the citizen's own pages (/konto): they ask for a sign-in as every service does. Their code is
 * never redeemed; they look at the provider's session itself.
 */
export const ownPages = (issuer: URL): Registration => ({
  clientId: OWN_CLIENT,
  organisation: OWN_CLIENT,
  name: { de: 'Mein Konto', en: 'My account' },
  description: { de: 'Anmeldung, Geräte und Sicherheit', en: 'Sign-in, devices and security' },
  kind: 'web',
  redirectUris: [`${issuer.origin}/konto/angemeldet`],
  postLogoutRedirectUris: [],
  authMethod: 'none',
  claims: [],
  refreshTokens: false,
  needsEmail: false,
  corsOrigins: [],
  contacts: [],
});
