import type { Registration } from '../../accounts/town.ts';

/** A web application that asks for nothing; what a test is about is what it changes. */
export const serviceWith = (clientId: string, changes: Partial<Registration> = {}): Registration => ({
  clientId,
  organisation: 'stadt',
  name: { de: clientId, en: clientId },
  description: { de: clientId, en: clientId },
  kind: 'web',
  redirectUris: [],
  postLogoutRedirectUris: [],
  authMethod: 'client_secret_basic',
  claims: [],
  refreshTokens: false,
  needsEmail: false,
  corsOrigins: [],
  contacts: ['technik@stadt.example'],
  ...changes,
});
