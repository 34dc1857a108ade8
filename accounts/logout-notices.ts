import { randomUUID } from 'node:crypto';
import type { Context } from './context.ts';
import type { AccountId, ClientId } from './ids.ts';
import * as outbox from './outbox.ts';

/** A logout token that a service is to get (OpenID Connect Back-Channel Logout 1.0 §2.5). */
export type Logout = { readonly clientId: ClientId; readonly accountId: AccountId; readonly sid: string };

export type LogoutNotice = Logout & { readonly id: string };

const TABLE = { table: 'logout_notices', purpose: 'logout notice' } as const;
/** After a day the service's own session is over anyway. */
const LIFE_SECONDS = 24 * 3600;

/** Queues a logout token, sealed: citizen and service never stand next to each other in plain text. */
export const enqueue = async (ctx: Context, logout: Logout): Promise<void> => {
  const expiresAt = new Date(ctx.now().getTime() + LIFE_SECONDS * 1000);
  await outbox.insert(ctx, TABLE, { id: randomUUID(), expiresAt, content: { ...logout } });
};

/** Takes up to `limit` that are due, leased for a minute; parallel callers get different ones. */
export const takeDue = async (ctx: Context, limit: number): Promise<LogoutNotice[]> =>
  (await outbox.takeDue<Logout>(ctx, TABLE, limit)).map(({ id, content }) => ({ ...content, id }));

/** The service has answered; the row is removed. */
export const done = (ctx: Context, id: string): Promise<void> => outbox.done(ctx, TABLE, id);

/** The service could not be reached; it is tried again after 5 s, then ever later up to 1 h, for 24 h. */
export const failed = (ctx: Context, id: string, code: string): Promise<void> => outbox.failed(ctx, TABLE, id, code);
