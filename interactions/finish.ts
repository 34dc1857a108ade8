import type { InteractionResults } from 'oidc-provider';
import * as assurance from '../accounts/assurance.ts';
import { isShared, meetDevice } from './device.ts';
import { sendPage } from './http.ts';
import { continuePage } from './layout.view.ts';
import * as progresses from './progress.ts';
import type { Visit } from './visit.ts';

/**
 * Leaves for the service. A browser that follows `form-action` through redirects says so by Fetch Metadata; it gets a
 * page that goes on by itself. Others get the plain redirect.
 */
const leave = (visit: Visit, url: string): void => {
  const { ctx } = visit;
  if (ctx.method === 'POST' && ctx.get('Sec-Fetch-Mode') !== '') {
    sendPage(ctx, 200, continuePage(url, visit.shell));
  } else {
    ctx.status = 303;
    ctx.redirect(url);
  }
};

const finish = async (visit: Visit, result: InteractionResults): Promise<void> => {
  const { ctx, deps, uid } = visit;
  // Merged with what an earlier interaction of the same request brought, or `prompt=login` would ask for ever.
  const url = await deps.provider().interactionResult(ctx.req, ctx.res, result, { mergeWithLastSubmission: true });
  if (visit.read.version !== undefined) await progresses.end(deps.fleeting, uid);
  leave(visit, url);
};

/**
 * Hands the proven account to the provider: what was shown and when, and nothing more. Call it when no step is left.
 * In the place of `acr` goes the line of proofs; what the service gets is worked out from it for each request.
 */
export const finishSignIn = async (visit: Visit): Promise<void> => {
  const { account, proofs } = visit;
  if (account === undefined || visit.step !== 'done') throw new Error('a sign-in is finished that is not proven');
  // Only the consent was asked for: the session's own evidence stands, and nothing is added to it.
  if (visit.interaction.prompt.name !== 'login') return finish(visit, { consent: {} });
  const ts = assurance.authTimeOf(proofs);
  if (ts === undefined || (!visit.steppingUp && visit.progress.evidence?.account !== account.id))
    throw new Error('a sign-in is finished without evidence');
  const shared = isShared(visit);
  await meetDevice(visit, account, !shared);
  return finish(visit, {
    login: {
      accountId: account.id,
      amr: assurance.amrOf(proofs),
      acr: assurance.encodeProofs(proofs),
      ts,
      remember: !shared,
    },
    consent: {},
  });
};

/** Goes back to a service whose level the citizen cannot reach (RFC 9470 §3, OpenID Connect UAR 1.0). */
export const finishUnmet = (visit: Visit): Promise<void> =>
  finish(visit, {
    error: 'unmet_authentication_requirements',
    error_description: 'the account does not reach the level that the service requires',
  });

/** Goes back to the service without a sign-in (RFC 6749 §4.1.2.1). */
export const finishWithoutSignIn = (visit: Visit): Promise<void> =>
  finish(visit, { error: 'access_denied', error_description: 'the citizen cancelled' });
