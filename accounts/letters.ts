import { randomUUID } from 'node:crypto';
import type { PostalAddress } from './attributes.ts';
import { startOfDay } from './coarse-time.ts';
import { type Context, inTransaction } from './context.ts';
import { type AccountSeal, sealOf } from './data-key.ts';
import type { AccountId } from './ids.ts';

/** A letter for a citizen without e-mail. */
export type Letter = { readonly address: PostalAddress; readonly subject: string; readonly text: string };

const column = (id: string): string => `letters.sealed ${id}`;

/** Queues a letter, sealed under the citizen's own key: it dies with the account. */
export const enqueue = async (ctx: Context, account: AccountId, seal: AccountSeal, letter: Letter): Promise<void> => {
  const id = randomUUID();
  await ctx.db('letters').insert({
    id,
    account_id: account,
    sealed: seal.seal(column(id), JSON.stringify(letter)),
    created_at: startOfDay(ctx.now()),
  });
};

/** Whether a letter with this subject was queued for the account since then. */
export const isOnItsWay = async (
  ctx: Context,
  account: AccountId,
  seal: AccountSeal,
  subject: string,
  since: Date,
): Promise<boolean> => {
  const rows = await ctx
    .db('letters')
    .where({ account_id: account })
    .where('created_at', '>=', startOfDay(since))
    .select('id', 'sealed');
  return rows.some(({ id, sealed }) => (JSON.parse(seal.open(column(id), sealed)) as Letter).subject === subject);
};

/** Takes the letters that wait to be printed, at most `limit`; `print` must succeed for them to count as printed. */
export const printWaiting = (
  ctx: Context,
  limit: number,
  print: (letters: readonly Letter[]) => Promise<void>,
): Promise<number> =>
  inTransaction(ctx, async (tx) => {
    const rows = await tx
      .db('letters')
      .whereNull('printed_at')
      .orderBy('created_at')
      .limit(limit)
      .forUpdate()
      .skipLocked()
      .select('id', 'account_id', 'sealed');
    const waiting: Letter[] = [];
    for (const { id, account_id, sealed } of rows) {
      const seal = await sealOf(tx, account_id);
      if (seal !== undefined) waiting.push(JSON.parse(seal.open(column(id), sealed)));
    }
    await print(waiting);
    const ids = rows.map(({ id }) => id);
    await tx.db('letters').whereIn('id', ids).update({ printed_at: tx.now() });
    return waiting.length;
  });
