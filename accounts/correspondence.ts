import * as attributes from './attributes.ts';
import type { Context } from './context.ts';
import { sealOf } from './data-key.ts';
import type { AccountId } from './ids.ts';
import * as letters from './letters.ts';
import * as notices from './notices.ts';

/** Whom to write to: by e-mail where there is an address, or else on paper. */
export type Recipient = { readonly id: AccountId; readonly email?: string | undefined };
/** Subject and text in the citizen's language. */
export type Message = { readonly subject: string; readonly text: string };

const DAY_MILLISECONDS = 24 * 3600 * 1000;

/**
 * Tells a citizen something within the transaction of the use case: by mail, or else by a letter, where there is a postal
 * address. Whoever can be reached by neither finds it on the security page, as everybody does.
 * @param letterEveryDays at most one letter with this subject in so many days; for what may happen at every visit
 */
export const tell = async (
  ctx: Context,
  to: Recipient,
  message: Message,
  { letterEveryDays }: { readonly letterEveryDays?: number } = {},
): Promise<'mail' | 'letter' | 'none'> => {
  if (to.email !== undefined) {
    await notices.enqueue(ctx, { to: to.email, ...message });
    return 'mail';
  }
  const { address } = await attributes.read(ctx, to.id);
  const seal = address && (await sealOf(ctx, to.id));
  if (address === undefined || seal === undefined) return 'none';
  if (letterEveryDays !== undefined) {
    const since = new Date(ctx.now().getTime() - letterEveryDays * DAY_MILLISECONDS);
    if (await letters.isOnItsWay(ctx, to.id, seal, message.subject, since)) return 'none';
  }
  await letters.enqueue(ctx, to.id, seal, { address, ...message });
  return 'letter';
};
