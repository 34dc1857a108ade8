import * as accounts from '../../../accounts/accounts.ts';
import * as kennungen from '../../../accounts/kennung.ts';
import * as staff from '../../../accounts/staff.ts';
import { ROLES } from '../../../accounts/terms.ts';
import { staffLetters } from '../../../interactions/citizen-letters.ts';
import { letterPdf } from '../../../interactions/letters.ts';
import { email, role } from '../fields.ts';
import { oneOf, optional, parsed, someOf, text } from '../input.ts';
import { changes, ok, reads, refuse, type Verb } from '../verb.ts';

const kennung = parsed((value) => kennungen.parse(value));

const changed = (result: staff.RoleChange) => {
  if (result.outcome === 'changed' || result.outcome === 'unchanged')
    return ok({ again: result.outcome === 'unchanged' });
  return refuse(result.outcome);
};

export const staffVerbs = {
  'me show': reads({}, async ({ by }) => ok({ name: by.name, email: by.email, roles: by.roles })),

  'staff list': reads({}, async ({ ctx }) =>
    ok({
      staff: (await staff.list(ctx)).map(({ name, email: address, roles, joined, ended }) => ({
        name,
        email: address,
        roles,
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
      const invited = await staff.invite(ctx, by.id, wanted, staffLetters(deps.town).invited(name, roles));
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
    const told = staffLetters(deps.town).granted(member?.name ?? '', input.role);
    return changed(await staff.grant(ctx, by.id, input.email, input.role, told));
  }),

  'staff revoke': changes({ email, role: optional(role) }, async ({ ctx, input }) =>
    changed(await staff.revoke(ctx, input.email, input.role)),
  ),
} as const satisfies Record<string, Verb>;
