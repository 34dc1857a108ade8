import type { AdapterPayload, Provider } from 'oidc-provider';
import type { AccountId } from '../accounts/ids.ts';
import type { OidcStore } from '../adapters/oidc-store.ts';
import type { PageDeps } from '../interactions/deps.ts';
import { savedAt } from './assurance.ts';

type ClientSide = { backchannelLogoutUri?: string; backchannelLogout: (account: string, sid: string) => Promise<void> };

/** Queues a logout token for every service of a session (the outbox stands in place of the sending, logout.ts). */
const tellServices = async (provider: Provider, account: AccountId, session: AdapterPayload): Promise<void> => {
  for (const [clientId, { sid }] of Object.entries(session.authorizations ?? {})) {
    const client = (await provider.Client.find(clientId)) as unknown as ClientSide | undefined;
    if (client?.backchannelLogoutUri && sid !== undefined) await client.backchannelLogout(account, sid);
  }
};

/** What was granted to services and apps in these sessions, by id. */
const grantsOf = (sessions: readonly AdapterPayload[]): string[] =>
  sessions.flatMap(({ authorizations = {} }) =>
    Object.values(authorizations).flatMap(({ grantId }) => (grantId === undefined ? [] : [grantId])),
  );

/** The running sessions for the pages; ending one acts on all nodes at once, as the store is the one place they are in. */
export const sessionsFor = (provider: () => Provider, store: OidcStore): PageDeps['sessions'] => ({
  async list(account) {
    const running = await store.sessionsOf(account);
    return running.map((session) => {
      const facts = session as { exp?: number; loginTs?: number; transient?: boolean };
      return {
        uid: session.uid ?? '',
        shared: facts.transient === true,
        usedAt: new Date(Math.max(savedAt(facts), facts.loginTs ?? 0) * 1000),
      };
    });
  },

  async end(account, which) {
    const all = await store.sessionsOf(account);
    const ended = all.filter(({ uid }) => {
      if (which === undefined) return true;
      return 'only' in which ? uid === which.only : uid !== which.except;
    });
    // Told first: if the process dies in between, a service has ended a session too early and not too late.
    for (const session of ended) await tellServices(provider(), account, session);
    if (which === undefined) await store.revokeAccount(account);
    else if ('except' in which) {
      await store.endSessions(account, which.except);
      // Apps as well: an app of whoever has to be locked out would go on for a month.
      await store.endGrants(account, grantsOf(all.filter(({ uid }) => uid === which.except)));
    } else if (ended.length > 0) {
      const session = await provider().Session.findByUid(which.only);
      await session?.destroy();
      for (const id of grantsOf(ended)) await (await provider().Grant.find(id))?.destroy();
    }
    return ended.length;
  },
});
