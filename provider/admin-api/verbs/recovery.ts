import * as accounts from '../../../accounts/accounts.ts';
import * as attributes from '../../../accounts/attributes.ts';
import * as audit from '../../../accounts/audit.ts';
import type { Context } from '../../../accounts/context.ts';
import type { AccountId } from '../../../accounts/ids.ts';
import * as recoveries from '../../../accounts/recoveries.ts';
import * as recoveryCases from '../../../accounts/recovery-cases.ts';
import * as staff from '../../../accounts/staff.ts';
import { REASONS } from '../../../accounts/terms.ts';
import { citizenLetters } from '../../../interactions/citizen-letters.ts';
import { letterPdf } from '../../../interactions/letters.ts';
import { accountFields, delivery, evidence, recoveryNumber, ticket } from '../fields.ts';
import { flag, integer, oneOf, optional } from '../input.ts';
import { accountOf } from '../named-account.ts';
import { type AdminDeps, changes, ok, reads, refuse, type Verb } from '../verb.ts';

/** As staff see a recovery: members by name, the citizen by Kennung alone. */
const shown = async (ctx: Context, all: readonly recoveryCases.Recovery[]) => {
  const names = new Map((await staff.list(ctx)).map(({ id, name }) => [id, name]));
  const views = [];
  // One after the other: a transaction has one connection.
  for (const recovery of all) {
    const account = await accounts.load(ctx, recovery.account);
    const { id: _id, account: _account, openedBy, approvedBy, ...rest } = recovery;
    views.push({
      ...rest,
      kennung: account?.kennung,
      openedBy: names.get(openedBy),
      ...(approvedBy !== undefined && { approvedBy: names.get(approvedBy) }),
    });
  }
  return views;
};

const nameOf = async (ctx: Context, account: AccountId): Promise<string> => {
  const known = await attributes.read(ctx, account);
  return [known.given_name, known.family_name].filter((part) => part !== undefined).join(' ');
};

const letters = (deps: AdminDeps) => citizenLetters(deps.town, deps.issuer);

export const recoveryVerbs = {
  'recovery open': changes(
    { ...accountFields, reason: oneOf(REASONS), ticket, evidence },
    async ({ ctx, kept, by, deps, input }) => {
      const named = await accountOf(kept, deps, by, input);
      if (!('account' in named)) return named;
      const { reason, ticket: number, evidence: seen } = input;
      const wanted = { account: named.account, reason, ticket: number, evidence: seen };
      const opened = await recoveries.open(ctx, by.id, wanted, deps.recoveryWaits, letters(deps));
      switch (opened.outcome) {
        case 'opened': {
          const [recovery] = await shown(ctx, [opened.recovery]);
          // To be compared with the card.
          const name = await nameOf(ctx, opened.recovery.account);
          return ok({ recovery, ...(name !== '' && { name }), told: opened.channels, again: opened.again });
        }
        case 'already-open':
          return refuse('already-open', { number: opened.number });
        case 'not-possible':
          return refuse('not-possible', { status: opened.status });
        default:
          return refuse(opened.outcome);
      }
    },
  ),

  'recovery approve': changes(
    { number: recoveryNumber, delivery: optional(delivery) },
    async ({ ctx, by, deps, input, commit }) => {
      const way = input.delivery ?? 'hand';
      const approved = await recoveries.approve(ctx, by.id, input.number, way, letters(deps));
      if (approved.outcome === 'not-open') return refuse('not-open', { status: approved.status });
      if (approved.outcome !== 'approved') return refuse(approved.outcome);
      const { recovery, validFrom, expiresAt, renewed } = approved;
      const [view] = await shown(ctx, [recovery]);
      // The paper is made only when the code on it will be good.
      if (!commit) return ok({ recovery: view, validFrom, expiresAt, delivery: way, renewed });
      const account = await accounts.load(ctx, recovery.account);
      const known = await attributes.read(ctx, recovery.account);
      const name = await nameOf(ctx, recovery.account);
      const pdf = await letterPdf({
        town: deps.town,
        issuer: deps.issuer,
        purpose: 'recovery',
        language: account?.language ?? 'de',
        code: approved.code,
        validFrom,
        expiresAt,
        date: ctx.now(),
        number: recovery.number,
        ...(account !== undefined && { kennung: account.kennung }),
        ...(way === 'post' &&
          known.address !== undefined && { recipient: { ...(name !== '' && { name }), address: known.address } }),
      });
      return ok({ recovery: view, validFrom, expiresAt, delivery: way, renewed, letter: pdf.toString('base64') });
    },
  ),

  'recovery reject': changes({ number: recoveryNumber }, async ({ ctx, by, deps, input }) =>
    ended(await recoveries.stopBy(ctx, by.id, input.number, 'rejected', letters(deps))),
  ),

  'recovery cancel': changes({ number: recoveryNumber }, async ({ ctx, by, deps, input }) =>
    ended(await recoveries.stopBy(ctx, by.id, input.number, 'cancelled', letters(deps))),
  ),

  'recovery list': reads({ all: optional(flag), limit: optional(integer(1, 500)) }, async ({ ctx, input }) =>
    ok({
      recoveries: await shown(
        ctx,
        await recoveryCases.list(ctx, { all: input.all ?? false, limit: input.limit ?? 100 }),
      ),
    }),
  ),

  'recovery show': reads({ number: recoveryNumber }, async ({ ctx, input }) => {
    const recovery = await recoveryCases.find(ctx, input.number);
    if (recovery === undefined) return refuse('unknown');
    await audit.record(ctx, 'recovery-viewed', { account: recovery.account, detail: { recovery: recovery.number } });
    const [view] = await shown(ctx, [recovery]);
    return ok({ recovery: view });
  }),
} as const satisfies Record<string, Verb>;

const ended = (result: recoveries.Ended) => {
  if (result.outcome === 'ended') return ok({ again: result.again });
  return result.outcome === 'not-open' ? refuse('not-open', { status: result.status }) : refuse(result.outcome);
};
