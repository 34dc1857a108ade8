import * as accounts from '../../../accounts/accounts.ts';
import * as audit from '../../../accounts/audit.ts';
import * as chain from '../../../accounts/audit-chain.ts';
import * as auditSearch from '../../../accounts/audit-search.ts';
import type { Context } from '../../../accounts/context.ts';
import * as staff from '../../../accounts/staff.ts';
import { email, recoveryNumber, ticket } from '../fields.ts';
import { integer, optional, parsed, text, time } from '../input.ts';
import { ok, reads, readsLong, refuse, type Verb } from '../verb.ts';

const PAGE = 1000;
const MAX_CHECKPOINTS = 100_000;

const checkpoints = parsed((value): chain.Checkpoint[] | undefined => {
  if (!Array.isArray(value) || value.length > MAX_CHECKPOINTS) return undefined;
  const read = value.map((line) => (typeof line === 'string' ? chain.parseCheckpoint(line) : undefined));
  return read.every((one) => one !== undefined) ? read : undefined;
});

/** Members of staff by name; accounts stay ids, of which nobody outside knows the citizen. */
const shown = async (ctx: Context, entries: readonly auditSearch.AuditEntry[]) => {
  const names = new Map((await staff.list(ctx)).map(({ id, name }) => [id, name]));
  return entries.map(({ actor, ...entry }) => ({
    ...entry,
    actor: actor.staff === undefined ? (actor.part ?? actor.kind) : (names.get(actor.staff) ?? actor.staff),
  }));
};

export const auditVerbs = {
  'audit search': reads(
    {
      event: optional(text(60)),
      staff: optional(email),
      kennung: optional(text(40)),
      recovery: optional(recoveryNumber),
      ticket: optional(ticket),
      since: optional(time),
      until: optional(time),
      limit: optional(integer(1, 1000)),
    },
    async ({ ctx, input }) => {
      const { kennung, staff: address, limit, ...filter } = input;
      const member = address === undefined ? undefined : await staff.find(ctx, address);
      if (address !== undefined && member === undefined) return refuse('unknown');
      const account = kennung === undefined ? undefined : await accounts.findByIdentifier(ctx, kennung);
      if (kennung !== undefined && account === undefined) return refuse('no-account');
      const named = Object.entries(input).flatMap(([name, value]) => (value === undefined ? [] : [name]));
      await audit.record(ctx, 'audit-searched', {
        ...(account !== undefined && { account }),
        detail: { filter: named },
      });
      const found = await auditSearch.search(ctx, {
        ...filter,
        ...(member !== undefined && { staff: member.id }),
        ...(account !== undefined && { account }),
        limit: limit ?? 100,
      });
      return ok({ entries: await shown(ctx, found) });
    },
  ),

  'audit export': reads({ after: optional(integer(0, Number.MAX_SAFE_INTEGER)) }, async ({ ctx, input }) => {
    const after = input.after ?? 0;
    const entries = await auditSearch.page(ctx, after, PAGE);
    const last = entries.at(-1)?.seq;
    // Once for an export, not for each of its pages.
    if (after === 0) await audit.record(ctx, 'audit-exported', { detail: { rows: entries.length } });
    return ok({ entries, ...(entries.length === PAGE && last !== undefined && { next: last }) });
  }),

  'audit verify': readsLong({ checkpoints: optional(checkpoints) }, async ({ ctx, deps, input }) => {
    await chain.advance(deps.context());
    const kept = await deps.keeper.kept();
    const verified = await chain.verify(ctx, [...kept, ...(input.checkpoints ?? [])]);
    await audit.record(ctx, 'audit-verified', { detail: { faults: verified.faults.length } });
    return ok({ ...verified, faults: verified.faults.slice(0, 100), faultsFound: verified.faults.length });
  }),
} as const satisfies Record<string, Verb>;
