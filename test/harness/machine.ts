import type { Registration } from '../../accounts/town.ts';

/** A program without citizens, for tests that need no more than the token endpoint. */
export const MACHINE: Registration = {
  clientId: 'maschine',
  organisation: 'stadt',
  name: { de: 'Maschine' },
  description: { de: 'Maschine' },
  kind: 'api',
  authMethod: 'client_secret_basic',
  redirectUris: [],
  postLogoutRedirectUris: [],
  claims: [],
  refreshTokens: false,
  needsEmail: false,
  corsOrigins: [],
  contacts: [],
};
