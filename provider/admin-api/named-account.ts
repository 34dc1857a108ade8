import type { Context } from '../../accounts/context.ts';
import * as desk from '../../accounts/desk.ts';
import type { AccountId } from '../../accounts/ids.ts';
import type { Member } from '../../accounts/staff.ts';
import { type AdminDeps, type Answer, refuse } from './verb.ts';

/** The account that a request names; otherwise the refusal to answer with. Searching is throttled and on the record. */
export const accountOf = async (
  ctx: Context,
  deps: AdminDeps,
  by: Member,
  named: { kennung?: string | undefined; email?: string | undefined; pseudonym?: string | undefined },
): Promise<{ account: AccountId } | Extract<Answer, { ok: false }>> => {
  const given = [named.kennung, named.email, named.pseudonym].filter((one) => one !== undefined);
  if (given.length !== 1) return refuse('name-one') as Extract<Answer, { ok: false }>;
  const query: desk.Query =
    named.kennung !== undefined
      ? { kennung: named.kennung }
      : named.email !== undefined
        ? { email: named.email }
        : { pseudonym: named.pseudonym ?? '' };
  const found = await desk.find(ctx, by.id, deps.town, query);
  switch (found.outcome) {
    case 'found':
      return { account: found.account };
    case 'none':
      return refuse('no-account') as Extract<Answer, { ok: false }>;
    case 'wait':
      return refuse('wait', { until: found.until }) as Extract<Answer, { ok: false }>;
  }
};
