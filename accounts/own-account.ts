import * as attributes from './attributes.ts';
import type { Context } from './context.ts';
import { contradictions } from './identity-match.ts';
import type { AccountId } from './ids.ts';

/** With all of these alike, two accounts are taken for one person's. */
const PERSON = ['given_name', 'family_name', 'birthdate'] as const;

/**
 * Whether an account is a member's own as a citizen: the one named in the invitation, which the database itself guards, or
 * another one that says it belongs to the same person.
 */
export const isOwn = async (ctx: Context, staff: string, account: AccountId): Promise<boolean> => {
  const [row] = await ctx.db('staff').where({ id: staff }).select('citizen_id');
  const citizen: AccountId | null = row?.citizen_id ?? null;
  if (citizen === null) return false;
  if (citizen === account) return true;
  const one = await attributes.read(ctx, citizen);
  const other = await attributes.read(ctx, account);
  return (
    PERSON.every((name) => one[name] !== undefined && other[name] !== undefined) &&
    contradictions(one, other).length === 0
  );
};
