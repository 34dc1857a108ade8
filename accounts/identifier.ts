import type { Context } from './context.ts';
import { emailIndex, parseEmail } from './email.ts';
import * as kennung from './kennung.ts';

export type Column = { readonly column: 'email_index' | 'kennung_index'; readonly index: Buffer };

/** The blind index of an e-mail address or Kennung as a person types it; undefined if it is neither. */
export const identifierIndex = (ctx: Context, identifier: string): Column | undefined => {
  if (identifier.includes('@')) {
    const email = parseEmail(identifier);
    return email && { column: 'email_index', index: emailIndex(ctx.keys, email) };
  }
  const parsed = kennung.parse(identifier);
  return parsed && { column: 'kennung_index', index: kennung.kennungIndex(ctx.keys, parsed) };
};

/** The same for look-ups that must not differ for what is neither: an index under which nothing is found. */
export const accountIndex = (ctx: Context, identifier: string): Column =>
  identifierIndex(ctx, identifier) ?? {
    column: 'kennung_index',
    index: ctx.keys.index('no identifier', identifier),
  };
