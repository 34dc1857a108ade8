import type { Configuration, KoaContextWithOIDC, Provider } from 'oidc-provider';
import type { Logger } from 'pino';
import type { Context } from '../accounts/context.ts';
import { parseAccountId, parseClientId } from '../accounts/ids.ts';
import * as logoutNotices from '../accounts/logout-notices.ts';
import { available } from './availability.ts';
import type { Metrics } from './metrics.ts';

type RpInitiatedLogout = NonNullable<NonNullable<Configuration['features']>['rpInitiatedLogout']>;
export type LogoutPages = Required<Pick<RpInitiatedLogout, 'logoutSource' | 'postLogoutSuccessSource'>>;

/** A logout token is sent again until this many have been tried in one turn. */
const NOTICES_PER_TURN = 20;

type BackchannelLogout = (accountId: string, sid: string | undefined) => Promise<void>;
type ClientPrototype = { clientId: string; backchannelLogout: BackchannelLogout };

/** oidc-provider's own sending of a logout token, kept for the outbox that replaces the call to it. */
const sendNow = new WeakMap<Provider, BackchannelLogout>();

/**
 * Puts an outbox before back-channel logout. oidc-provider sends each token once, while the citizen waits; here ending a
 * session writes one row for each service, and `deliverLogouts` sends the tokens, again and again if need be.
 * `context` is called when a row is written.
 */
export function queueBackchannelLogout(provider: Provider, context: () => Context, wake: () => void): void {
  const prototype = provider.Client.prototype as unknown as ClientPrototype;
  sendNow.set(provider, prototype.backchannelLogout);
  prototype.backchannelLogout = async function enqueue(this: ClientPrototype, accountId, sid) {
    const account = parseAccountId(accountId);
    const clientId = parseClientId(this.clientId);
    if (account === undefined || clientId === undefined) throw new TypeError('not an account or client of ours');
    await available(() => logoutNotices.enqueue(context(), { clientId, accountId: account, sid: sid ?? '' }));
    wake();
  };
}

/** Sends a logout token now, by oidc-provider itself; rejects when the service does not take it. */
export async function sendLogout(
  provider: Provider,
  { clientId, accountId, sid }: logoutNotices.Logout,
): Promise<void> {
  const send = sendNow.get(provider);
  if (send === undefined) throw new TypeError('this provider has no outbox');
  const client = await provider.Client.find(clientId);
  // A service without back-channel logout, or gone from the town: nobody is left to tell.
  if (client?.backchannelLogoutUri) await send.call(client as unknown as ClientPrototype, accountId, sid);
}

/** Sends what is due, all services of a turn at once, as one that hangs must not hold up the others. */
export async function deliverLogouts(
  provider: Provider,
  ctx: Context,
  log: Logger,
  delivered?: Metrics['delivered'],
): Promise<void> {
  for (;;) {
    const due = await logoutNotices.takeDue(ctx, NOTICES_PER_TURN);
    await Promise.all(
      due.map(async (notice) => {
        try {
          await sendLogout(provider, notice);
          await logoutNotices.done(ctx, notice.id);
          delivered?.('logouts', true);
        } catch (error) {
          delivered?.('logouts', false);
          // The service is not named: together with the time it would say who used what.
          log.warn({ notice: notice.id, reason: (error as Error).message }, 'logout token not delivered');
          await logoutNotices.failed(ctx, notice.id, 'not delivered');
        }
      }),
    );
    if (due.length < NOTICES_PER_TURN) return;
  }
}

/** The secret that protects the logout form; oidc-provider keeps it in the session. */
export const logoutFormToken = (ctx: KoaContextWithOIDC): string => {
  const state = ctx.oidc.session?.state as { secret?: unknown } | undefined;
  return typeof state?.secret === 'string' ? state.secret : '';
};
