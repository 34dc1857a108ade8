import * as consents from '../accounts/consents.ts';
import type { Context } from '../accounts/context.ts';
import type { AccountId, ClientId } from '../accounts/ids.ts';
import * as logoutNotices from '../accounts/logout-notices.ts';
import type { OidcStore } from '../adapters/oidc-store.ts';
import { available } from './availability.ts';
import type { Registrations } from './registrations.ts';

type Parts = {
  context: () => Context;
  registrations: Registrations;
  store: Pick<OidcStore, 'revokeService' | 'sessionsOf'>;
  /** Logout tokens wait to be sent. */
  wake: () => void;
};

/**
 * Withdraws a citizen's consent to a service: the decision goes, the service's grants and opaque tokens end with it, and
 * the service learns it by a security event and by a logout token for each of its sessions.
 */
export const withdrawal =
  ({ context, registrations, store, wake }: Parts) =>
  async (account: AccountId, clientId: ClientId): Promise<{ outcome: 'withdrawn' | 'unknown' }> => {
    const service = registrations.find(clientId);
    const tell = async (tx: Context): Promise<void> => {
      if (service?.backchannelLogoutUri === undefined) return;
      for (const session of await store.sessionsOf(account)) {
        const sid = session.authorizations?.[clientId]?.sid;
        if (sid !== undefined) await logoutNotices.enqueue(tx, { clientId, accountId: account, sid });
      }
    };
    const outcome = await available(() =>
      consents.withdraw(
        { ...context(), actor: { kind: 'citizen', account } },
        account,
        { organisation: '', ...service, clientId },
        { tell, end: () => store.revokeService(account, clientId) },
      ),
    );
    wake();
    return outcome;
  };
