import { type AccountId, parseClientId } from '../accounts/ids.ts';
import type { ServiceSession } from '../accounts/sessions.ts';
import type { OidcStore } from '../adapters/oidc-store.ts';
import { available } from './availability.ts';

/** The services that have a session with an account now: whom to tell when it ends. */
export const servicesOf = async (store: OidcStore, account: AccountId): Promise<ServiceSession[]> =>
  (await available(() => store.sessionsOf(account))).flatMap(({ authorizations }) =>
    Object.entries(authorizations ?? {}).flatMap(([client, { sid }]) => {
      const clientId = parseClientId(client);
      return clientId === undefined || sid === undefined ? [] : [{ clientId, sid }];
    }),
  );
