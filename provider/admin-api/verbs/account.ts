import * as accounts from '../../../accounts/accounts.ts';
import { parsePostalAddress } from '../../../accounts/attributes.ts';
import * as desk from '../../../accounts/desk.ts';
import { LOCK_REASONS } from '../../../accounts/terms.ts';
import { letterPdf } from '../../../interactions/letters.ts';
import { accountFields, delivery, evidence, language, ticket } from '../fields.ts';
import { oneOf, optional, parsed, text } from '../input.ts';
import { accountOf } from '../named-account.ts';
import { type Answer, changes, ok, reads, refuse, type Verb } from '../verb.ts';

const why = { reason: oneOf(LOCK_REASONS), ticket } as const;

const birthdate = parsed((value): string | undefined => {
  if (typeof value !== 'string' || !/^(19|20)\d\d-\d\d-\d\d$/.test(value)) return undefined;
  const at = new Date(`${value}T00:00:00Z`);
  return !Number.isNaN(at.getTime()) && at.toISOString().startsWith(value) ? value : undefined;
});

const changed = (result: desk.StatusChange): Answer => {
  switch (result.outcome) {
    case 'changed':
      return ok({ again: false });
    case 'unchanged':
      return ok({ again: true });
    case 'not-possible':
      return refuse('not-possible', { status: result.status });
    default:
      return refuse(result.outcome);
  }
};

export const accountVerbs = {
  'account find': reads(accountFields, async ({ ctx, kept, by, deps, input }) => {
    const named = await accountOf(kept, deps, by, input);
    if (!('account' in named)) return named;
    const account = await accounts.load(ctx, named.account);
    return account === undefined ? refuse('no-account') : ok({ kennung: account.kennung, status: account.status });
  }),

  'account show': reads(accountFields, async ({ ctx, kept, by, deps, input }) => {
    const named = await accountOf(kept, deps, by, input);
    if (!('account' in named)) return named;
    const account = await desk.view(ctx, named.account);
    return account === undefined ? refuse('no-account') : ok({ account });
  }),

  'account lock': changes({ ...accountFields, ...why }, async ({ ctx, kept, by, deps, input }) => {
    const named = await accountOf(kept, deps, by, input);
    if (!('account' in named)) return named;
    const { reason, ticket: number } = input;
    const services = await deps.servicesOf(named.account);
    return changed(await desk.lock(ctx, by.id, named.account, { reason, ticket: number }, services));
  }),

  'account unlock': changes({ ...accountFields, ...why }, async ({ ctx, kept, by, deps, input }) => {
    const named = await accountOf(kept, deps, by, input);
    if (!('account' in named)) return named;
    return changed(await desk.unlock(ctx, by.id, named.account, { reason: input.reason, ticket: input.ticket }));
  }),

  'account close': changes({ ...accountFields, ...why }, async ({ ctx, kept, by, deps, input }) => {
    const named = await accountOf(kept, deps, by, input);
    if (!('account' in named)) return named;
    return changed(await desk.close(ctx, by.id, named.account, { reason: input.reason, ticket: input.ticket }));
  }),

  'account create': changes(
    {
      given_name: text(120),
      family_name: text(120),
      birthdate: optional(birthdate),
      street: optional(text(120)),
      postal_code: optional(text(12)),
      locality: optional(text(120)),
      language: optional(language),
      evidence,
      ticket,
      delivery: optional(delivery),
    },
    async ({ ctx, by, deps, input, commit }) => {
      const address = parsePostalAddress({
        street_address: input.street,
        postal_code: input.postal_code,
        locality: input.locality,
      });
      if (address === undefined && [input.street, input.postal_code, input.locality].some((part) => part !== undefined))
        return refuse('address-incomplete');
      const way = input.delivery ?? 'hand';
      const created = await desk.create(ctx, by.id, deps.town, {
        language: input.language ?? 'de',
        attributes: {
          given_name: input.given_name,
          family_name: input.family_name,
          ...(input.birthdate !== undefined && { birthdate: input.birthdate }),
          ...(address !== undefined && { address }),
        },
        evidence: input.evidence,
        ticket: input.ticket,
        delivery: way,
      });
      if (created.outcome !== 'created') return refuse(created.outcome);
      const { kennung, expiresAt, again } = created;
      if (!commit) return ok({ expiresAt, again, delivery: way });
      const pdf = await letterPdf({
        town: deps.town,
        issuer: deps.issuer,
        purpose: 'activation',
        language: input.language ?? 'de',
        code: created.code,
        validFrom: ctx.now(),
        expiresAt,
        date: ctx.now(),
        kennung,
        ...(way === 'post' &&
          address !== undefined && { recipient: { name: `${input.given_name} ${input.family_name}`, address } }),
      });
      return ok({ kennung, expiresAt, again, delivery: way, letter: pdf.toString('base64') });
    },
  ),
} as const satisfies Record<string, Verb>;
