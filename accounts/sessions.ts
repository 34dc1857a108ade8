import type { Context } from './context.ts';
import type { AccountId, ClientId } from './ids.ts';
import * as logoutNotices from './logout-notices.ts';

/** A service that has a session with a citizen: it is told when that session ends. */
export type ServiceSession = { readonly clientId: ClientId; readonly sid: string };

/**
 * Ends every session and grant of an account, and with the grants every token, within the caller's transaction; the
 * services are told from the outbox. Sessions first: a sign-in under way then finds its session gone, or has its grant
 * deleted by the second statement.
 */
export const endAll = async (ctx: Context, account: AccountId, services: readonly ServiceSession[]): Promise<void> => {
  for (const { clientId, sid } of services) await logoutNotices.enqueue(ctx, { clientId, accountId: account, sid });
  await ctx.db('oidc_sessions').where({ account_id: account }).delete();
  await ctx.db('oidc_grants').where({ account_id: account }).delete();
};
