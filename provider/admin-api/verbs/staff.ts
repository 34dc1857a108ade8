import * as accounts from '../../../accounts/accounts.ts';
import type { Context } from '../../../accounts/context.ts';
import * as kennungen from '../../../accounts/kennung.ts';
import * as staff from '../../../accounts/staff.ts';
import * as staffRoles from '../../../accounts/staff-roles.ts';
import { ROLES } from '../../../accounts/terms.ts';
import { letterPdf } from '../../../interactions/letters.ts';
import { staffLetters } from '../../../interactions/staff-letters.ts';
import { email, role } from '../fields.ts';
import { oneOf, optional, parsed, someOf, text } from '../input.ts';
import { changes, ok, reads, refuse, type Verb } from '../verb.ts';

const kennung = parsed((value) => kennungen.parse(value));

const changed = (result: staffRoles.RoleChange) => {
  if (result.outcome === 'changed' || result.outcome === 'unchanged')
    return ok({ again: result.outcome === 'unchanged' });
  return refuse(result.outcome);
};

/** The moment, if it is still to come. */
const later = (ctx: Context, from: Date): Date | undefined => (from > ctx.now() ? from : undefined);

export const staffVerbs = {
  'me show': reads({}, async ({ by }) => ok({ name: by.name, email: by.email, roles: by.roles, waiting: by.waiting })),

  'staff list': reads({}, async ({ ctx }) =>
    ok({
      staff: (await staff.list(ctx)).map(({ name, email: address, roles, waiting, joined, ended }) => ({
        name,
        email: address,
        roles,
        waiting,
        state: ended ? 'ended' : joined ? 'active' : 'invited',
      })),
    }),
  ),

  'staff invite': changes(
    {
      name: text(120),
      email,
      roles: someOf(ROLES),
      language: optional(oneOf(['de', 'en'] as const)),
      citizen: optional(kennung),
    },
    async ({ ctx, by, deps, input, commit }) => {
      const { name, roles } = input;
      const citizen = input.citizen && (await accounts.findByIdentifier(ctx, input.citizen));
      if (input.citizen !== undefined && citizen === undefined) return refuse('no-account');
      const wanted = {
        name,
        email: input.email,
        roles,
        language: input.language ?? 'de',
        ...(citizen !== undefined && { citizen }),
      };
      const told = (from: Date) =>
        staffLetters(deps.town).invited({ name, email: input.email, roles }, later(ctx, from));
      const invited = await staff.invite(ctx, by.id, wanted, deps.staffWaitHours, told);
      if (invited.outcome !== 'invited') return refuse(invited.outcome);
      const { expiresAt, again } = invited;
      if (!commit) return ok({ expiresAt, again });
      const pdf = await letterPdf({
        town: deps.town,
        issuer: deps.issuer,
        purpose: 'invitation',
        language: wanted.language,
        code: invited.code,
        validFrom: ctx.now(),
        expiresAt,
        date: ctx.now(),
      });
      return ok({ expiresAt, again, letter: pdf.toString('base64') });
    },
  ),

  'staff grant': changes({ email, role }, async ({ ctx, by, deps, input }) => {
    const member = await staff.find(ctx, input.email);
    const about = { name: member?.name ?? '', email: input.email, roles: [input.role] };
    const told = (from: Date) => staffLetters(deps.town).granted(about, later(ctx, from));
    return changed(await staffRoles.grant(ctx, by.id, input.email, input.role, deps.staffWaitHours, told));
  }),

  'staff confirm': changes({ email }, async ({ ctx, by, deps, input }) => {
    const name = (await staff.find(ctx, input.email))?.name ?? '';
    return changed(await staffRoles.confirm(ctx, by.id, input.email, staffLetters(deps.town).confirmed(name)));
  }),

  'staff object': changes({ email }, async ({ ctx, by, deps, input }) => {
    const name = (await staff.find(ctx, input.email))?.name ?? '';
    return changed(await staffRoles.object(ctx, by.id, input.email, staffLetters(deps.town).objected(name)));
  }),

  'staff revoke': changes({ email, role: optional(role) }, async ({ ctx, deps, input }) => {
    const name = (await staff.find(ctx, input.email))?.name ?? '';
    const told = staffLetters(deps.town).revoked(name, input.role);
    return changed(await staffRoles.revoke(ctx, input.email, told, input.role));
  }),
} as const satisfies Record<string, Verb>;
