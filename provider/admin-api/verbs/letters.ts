import * as letters from '../../../accounts/letters.ts';
import * as staff from '../../../accounts/staff.ts';
import { noticeLettersPdf } from '../../../interactions/notice-letters.ts';
import { batchNumber } from '../fields.ts';
import { integer, optional } from '../input.ts';
import { changes, ok, reads, refuse, type Verb } from '../verb.ts';

/** A pile that a clerk can fold. */
const USUAL = 50;

export const letterVerbs = {
  'letters list': reads({}, async ({ ctx }) => {
    const { batches, ...rest } = await letters.overview(ctx);
    const names = new Map((await staff.list(ctx)).map(({ id, name }) => [id, name]));
    return ok({ ...rest, batches: batches.map((one) => ({ ...one, takenBy: names.get(one.takenBy) })) });
  }),

  'letters print': changes({ limit: optional(integer(1, 200)) }, async ({ ctx, by, deps, input, commit }) => {
    const taken = await letters.take(ctx, by.id, input.limit ?? USUAL);
    if (taken === undefined) return ok({ count: 0 });
    const { number: batch, again } = taken;
    const about = { count: taken.letters.length, again };
    if (!commit || taken.letters.length === 0) return ok(again ? { ...about, batch } : about);
    const pdf = await noticeLettersPdf(taken.letters, deps.town, ctx.now());
    return ok({ ...about, batch, letter: pdf.toString('base64') });
  }),

  'letters done': changes({ batch: batchNumber }, async ({ ctx, input }) => {
    const done = await letters.printed(ctx, input.batch);
    return done.outcome === 'unknown' ? refuse('unknown') : ok({ count: done.letters, again: done.again });
  }),
} as const satisfies Record<string, Verb>;
