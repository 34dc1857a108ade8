import { errors, type interactionPolicy, type KoaContextWithOIDC, type Provider } from 'oidc-provider';
import * as assurance from '../accounts/assurance.ts';
import type { Context } from '../accounts/context.ts';
import { enrolled } from '../accounts/factors.ts';
import { parseAccountId } from '../accounts/ids.ts';
import * as sessions from '../accounts/session-notes.ts';
import { available } from './availability.ts';
import type { Registrations } from './registrations.ts';
import { SESSION_IDLE_SECONDS, SESSION_MAX_SECONDS, SHARED_IDLE_SECONDS } from './session-limits.ts';
import { isForStepUp } from './step-up.ts';

/** The `acr` that each request gets; nothing for one that has not been assessed. */
const granted = new WeakMap<object, string>();

/**
 * A session keeps what was shown and when in the place of its `acr` (the one text that a sign-in hands on unchanged).
 * What a service gets depends on what it asks for and is worked out for each request; the session's line never goes out.
 */
export const answerAcr = (provider: Provider): void => {
  const { OIDCContext } = provider as unknown as { OIDCContext: { prototype: object } };
  Object.defineProperty(OIDCContext.prototype, 'acr', {
    configurable: true,
    get(this: object) {
      return granted.get(this);
    },
  });
};

/** When oidc-provider last stored the session, in epoch seconds; it does so every few minutes of use. */
export const savedAt = (session: { exp?: number; loginTs?: number | undefined; transient?: boolean | undefined }) => {
  const idle = session.transient === true ? SHARED_IDLE_SECONDS : SESSION_IDLE_SECONDS;
  const { exp = 0, loginTs } = session;
  // Near its absolute end a session is stored for less than the idle time: then this says nothing.
  const capped = loginTs !== undefined && exp >= loginTs + SESSION_MAX_SECONDS - 1;
  return capped ? 0 : Math.max(0, exp - idle);
};

const asksForAcr = (requirement: assurance.Requirement, ctx: KoaContextWithOIDC): boolean => {
  const { claims } = ctx.oidc as unknown as { claims?: { id_token?: object } };
  return requirement.any.length > 0 || requirement.all.length > 0 || 'acr' in (claims?.id_token ?? {});
};

type Parts = { context: () => Context; registrations: Registrations };

/** Whether the citizen must show more for this request; notes the request's `acr` if not. */
export const assuranceIsDue =
  ({ context, registrations }: Parts) =>
  async (ctx: KoaContextWithOIDC): Promise<boolean> => {
    const { session, client, params = {}, result } = ctx.oidc;
    const account = parseAccountId(session?.accountId);
    // Without a session the sign-in is due anyway.
    if (session === undefined || account === undefined || client === undefined) return false;
    const { uid } = session;
    const domain = context();
    if (result?.login !== undefined) {
      const device = sessions.coarseDevice(ctx.get('user-agent'));
      await available(() => sessions.begin(domain, { uid, account, device }));
    }
    const requirement = assurance.requirementOf(
      { ...params, client_id: client.clientId },
      registrations.find(client.clientId),
    );
    // Most services ask for nothing of the kind: no look-up, and no `acr` in their tokens.
    if (!asksForAcr(requirement, ctx) && !isForStepUp(registrations, ctx)) return false;
    const now = Math.floor(domain.now().getTime() / 1000);
    const [has, noted] = await available(() => Promise.all([enrolled(domain, account), sessions.lastUse(domain, uid)]));
    const usedAt = Math.max(savedAt(session), Math.floor((noted?.getTime() ?? 0) / 1000));
    const evidence: assurance.Evidence = { proofs: assurance.decodeProofs((session as { acr?: string }).acr), usedAt };
    if (!assurance.isBound(requirement, evidence, has, now)) {
      // The pages let nobody go on without it: the citizen's factors have changed at this very moment.
      if (result?.login !== undefined) {
        throw new errors.UnmetAuthenticationRequirements('the sign-in does not reach what the service requires');
      }
      // The pages go by the note; what this request knows better, they shall know as well.
      await available(() => sessions.touch(domain, uid, new Date(usedAt * 1000)));
      return true;
    }
    // A wish is put to the citizen once, and only where it can be granted.
    const asked = result?.login !== undefined || ctx.oidc.prompts.has('none');
    const missing = assurance.missingFor(requirement, evidence, has, now);
    if (!asked && missing !== 'nothing' && missing !== 'unreachable') return true;
    granted.set(ctx.oidc, assurance.grantedAcr(requirement, evidence, has, now));
    await available(() => sessions.touch(domain, uid));
    return false;
  };

/** Takes the place of oidc-provider's own checks, which compare one value exactly (a higher level would not do). */
export const replaceAcrChecks = (login: interactionPolicy.Prompt): void => {
  login.checks.remove('essential_acrs');
  login.checks.remove('essential_acr');
};
