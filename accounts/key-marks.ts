import type { Context } from './context.ts';

/** The keys that are for ever: with another pseudonym or index key every citizen would be a stranger. */
const FOR_EVER = ['pseudonym', 'index'] as const;
export type LastingKey = (typeof FOR_EVER)[number];

/**
 * Which of the lasting keys are not those that this database was begun with. The first process to ask leaves their marks;
 * of several that ask at once with different keys, one is right and the others are told.
 */
export const changedKeys = async (ctx: Context): Promise<LastingKey[]> => {
  const marks = FOR_EVER.map((name) => ({ name, mark: ctx.keys.mark(name) }));
  await ctx.db('key_marks').insert(marks).onConflict('name').ignore();
  const kept = await ctx.db('key_marks').select('name', 'mark');
  return marks
    .filter(({ name, mark }) => kept.some((one) => one.name === name && !mark.equals(one.mark)))
    .map(({ name }) => name);
};
