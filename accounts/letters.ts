import { randomUUID } from 'node:crypto';
import * as attributes from './attributes.ts';
import * as audit from './audit.ts';
import { newNumber } from './case-number.ts';
import { startOfDay } from './coarse-time.ts';
import { type Context, inTransaction } from './context.ts';
import { type AccountSeal, sealOf } from './data-key.ts';
import type { AccountId } from './ids.ts';

/** A letter for a citizen without e-mail. */
export type Letter = { readonly address: attributes.PostalAddress; readonly subject: string; readonly text: string };

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

/** Letters that somebody has taken to print them. */
export type Batch = {
  readonly number: string;
  readonly takenBy: string;
  readonly takenAt: Date;
  readonly letters: number;
};

/** What waits, and what was taken and is not on paper yet. The day of the oldest, where one waits. */
export const overview = async (ctx: Context): Promise<{ waiting: number; since?: Date; batches: Batch[] }> => {
  const [row] = await ctx
    .db('letters')
    .whereNull('printed_at')
    .whereNull('batch')
    .count({ waiting: '*' })
    .min({ since: 'created_at' });
  const batches = await ctx
    .db('letters')
    .whereNull('printed_at')
    .whereNotNull('batch')
    .groupBy('batch', 'taken_by', 'taken_at')
    .orderBy('taken_at')
    .select(
      'batch as number',
      'taken_by as takenBy',
      'taken_at as takenAt',
      ctx.db.raw('count(*)::integer AS letters'),
    );
  const since = row?.['since'] as Date | null | undefined;
  return { waiting: Number(row?.['waiting'] ?? 0), ...(since && { since }), batches };
};

const inBatch = async (ctx: Context, number: string): Promise<Printed[]> => {
  const rows = await ctx
    .db('letters as l')
    .join('accounts as a', 'a.id', 'l.account_id')
    .where({ 'l.batch': number })
    .whereNull('l.printed_at')
    .orderBy('l.id')
    .select('l.id', 'l.account_id', 'l.sealed', 'a.language');
  const opened: Printed[] = [];
  for (const { id, account_id, sealed, language } of rows) {
    const seal = await sealOf(ctx, account_id);
    if (seal === undefined) continue;
    const known = await attributes.read(ctx, account_id);
    const name = [known.given_name, known.family_name].filter((part) => part !== undefined).join(' ');
    const letter = JSON.parse(seal.open(column(id), sealed)) as Letter;
    opened.push({ ...letter, language, ...(name !== '' && { name }) });
  }
  return opened;
};

/** A letter as it is printed, with the language it is written in and the name for the envelope. */
export type Printed = Letter & { readonly language: string; readonly name?: string };

/**
 * Takes letters that wait, the oldest first, to print them. Until `printed` says that they are on paper, the same person
 * gets the same ones again: whatever was lost, a connection or a sheet, no letter is. Parallel callers get different ones.
 */
export const take = (
  ctx: Context,
  by: string,
  limit: number,
): Promise<{ number: string; letters: Printed[]; again: boolean } | undefined> =>
  inTransaction(ctx, async (tx) => {
    // One batch at a time for a person, also when two of their terminals ask at once.
    await tx.db.raw("SELECT pg_advisory_xact_lock(hashtext('letters ' || ?))", [by]);
    const [open] = await tx.db('letters').where({ taken_by: by }).whereNull('printed_at').limit(1).select('batch');
    if (open !== undefined) return { number: open.batch, letters: await inBatch(tx, open.batch), again: true };
    const number = newNumber('B');
    const due = tx
      .db('letters')
      .whereNull('printed_at')
      .whereNull('batch')
      .orderBy('created_at')
      .limit(limit)
      .forUpdate()
      .skipLocked()
      .select('id');
    const taken = await tx
      .db('letters')
      .whereRaw('id = ANY(ARRAY(?))', [due])
      .update({ batch: number, taken_by: by, taken_at: tx.now() });
    if (taken === 0) return undefined;
    await audit.record(tx, 'letters-taken', { detail: { batch: number, letters: taken } });
    return { number, letters: await inBatch(tx, number), again: false };
  });

export type OnPaper = { outcome: 'printed'; letters: number; again: boolean } | { outcome: 'unknown' };

/** The letters of a batch are on paper; any colleague can say so. */
export const printed = (ctx: Context, number: string): Promise<OnPaper> =>
  inTransaction(ctx, async (tx): Promise<OnPaper> => {
    const letters = await tx
      .db('letters')
      .where({ batch: number })
      .whereNull('printed_at')
      .update({ printed_at: tx.now() });
    if (letters > 0) {
      await audit.record(tx, 'letters-printed', { detail: { batch: number, letters } });
      return { outcome: 'printed', letters, again: false };
    }
    const [known] = await tx.db('letters').where({ batch: number }).limit(1).select('id');
    return known === undefined ? { outcome: 'unknown' } : { outcome: 'printed', letters: 0, again: true };
  });
