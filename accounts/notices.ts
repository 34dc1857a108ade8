import { randomUUID } from 'node:crypto';
import type { Context } from './context.ts';
import * as outbox from './outbox.ts';

/** A mail to be delivered; `to` is the envelope's recipient. */
export type Mail = { readonly to: string; readonly subject: string; readonly text: string };

export type Notice = Mail & { readonly id: string };

const TABLE = { table: 'notices', purpose: 'notice' } as const;
/** A mail server may be away over a long weekend. */
const LIFE_SECONDS = 4 * 24 * 3600;

/**
 * Queues a mail, sealed. Called within the transaction of the use case, it goes out if and only if that is committed.
 * @param until after this nobody needs it any more (default: four days)
 */
export const enqueue = async (ctx: Context, mail: Mail, until?: Date): Promise<void> => {
  const expiresAt = until ?? new Date(ctx.now().getTime() + LIFE_SECONDS * 1000);
  await outbox.insert(ctx, TABLE, { id: randomUUID(), expiresAt, content: { ...mail } });
};

/**
 * Takes up to `limit` mails that are due. They are leased for a minute: if neither `done` nor `failed` follows (the
 * process died), they are due again. Parallel callers get different ones.
 */
export const takeDue = async (ctx: Context, limit: number): Promise<Notice[]> =>
  (await outbox.takeDue<Mail>(ctx, TABLE, limit)).map(({ id, content }) => ({ ...content, id }));

/** The mail server has taken the mail; the row is removed, as nobody needs its content any more. */
export const done = (ctx: Context, id: string): Promise<void> => outbox.done(ctx, TABLE, id);

/** The mail could not be delivered and is due again later. `code` is a short code such as `ECONNECTION`. */
export const failed = (ctx: Context, id: string, code: string): Promise<void> => outbox.failed(ctx, TABLE, id, code);
