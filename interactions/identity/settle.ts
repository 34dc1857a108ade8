import * as identities from '../../accounts/identities.ts';
import { nextStep } from '../next-step.ts';
import type { Flash, IdentityFault, Progress } from '../progress.ts';
import type { Outcome, Visit } from '../visit.ts';
import { withIdentity } from './evidence.ts';
import type { SourceAnswer } from './sources.ts';

const without = (progress: Progress): Progress => {
  const { exchange: _, ...rest } = progress;
  return rest;
};

/** On to the page that comes next, the exchange over; with a word about what went wrong, if something did. */
const on = (
  visit: Visit,
  apply: (progress: Progress) => Progress = (progress) => progress,
  fault?: IdentityFault,
): Outcome => {
  const change = (progress: Progress): Progress => apply(without(progress));
  if (fault === undefined) return { go: 'on', apply: change };
  const step = nextStep(change(visit.progress), visit.needs);
  const flash: Flash = { step, faults: [{ code: 'identity', identity: fault }] };
  return { go: 'on', apply: change, flash };
};

/** Nobody is known yet: the identity signs in, or is new. */
const signIn = async (visit: Visit, proof: identities.Proof): Promise<Outcome> => {
  if (!identities.isLinkable(proof)) return on(visit, undefined, 'temporary');
  const found = await identities.signIn(visit.domain, proof);
  switch (found.outcome) {
    case 'proven':
      // Whoever shows the linked card is proofed anew; what contradicts an earlier proof is not recorded.
      await identities.proof(visit.domain, found.account, proof);
      return on(visit, (progress) => {
        const { draft: _, identity: __, ...rest } = progress;
        return withIdentity(visit, rest, found.account, proof);
      });
    case 'unknown':
      return on(visit, (progress) => ({ ...progress, identity: { proof } }));
    case 'retired':
      return on(visit, undefined, 'retired');
    case 'not-active':
      return on(visit, undefined, 'not-active');
  }
};

/** The citizen is known: what was proven is about this account, or about another one, or can be linked to this one. */
const aboutAccount = async (
  visit: Visit,
  account: NonNullable<Visit['account']>,
  proof: identities.Proof,
): Promise<Outcome> => {
  const found = identities.isLinkable(proof) ? await identities.signIn(visit.domain, proof) : undefined;
  if (identities.isLinkable(proof) && found?.outcome === 'unknown')
    return on(visit, (progress) => ({ ...progress, identity: { proof, intent: 'link' } }));
  if (found?.outcome === 'retired') return on(visit, undefined, 'retired');
  if (found?.outcome === 'not-active') return on(visit, undefined, 'not-active');
  if (identities.isLinkable(proof) && found?.outcome === 'proven' && found.account !== account.id) {
    // Accounts of staff are their employer's: nobody closes one here.
    if (proof.source === 'staff') return on(visit, undefined, 'taken');
    return on(visit, (progress) => ({ ...progress, identity: { proof, intent: 'double', other: found.account } }));
  }
  const recorded = await identities.proof(visit.domain, account.id, proof);
  switch (recorded.outcome) {
    case 'recorded':
      // Asked for a proof, the card has answered no: not old enough, or no such detail on it.
      if (Object.keys(proof.attributes).length === 0 && nextStep(without(visit.progress), visit.needs) === 'details')
        return on(visit, undefined, 'not-confirmed');
      // A temporary login tells nothing of who has come back with it.
      return on(visit, (progress) =>
        found === undefined ? progress : withIdentity(visit, progress, account.id, proof),
      );
    case 'contradiction':
      return on(visit, undefined, 'contradiction');
    case 'not-linked':
    case 'stale':
      return on(visit, undefined, 'not-active');
  }
};

/** What the answer of a source means for this interaction. The answer was taken from its place: it counts once. */
export const settle = async (visit: Visit, answer: SourceAnswer): Promise<Outcome> => {
  if ('fault' in answer) {
    if (answer.code !== undefined)
      visit.deps.log.warn({ fault: answer.fault, minor: answer.code }, 'an identity source refused');
    return on(visit, undefined, answer.fault);
  }
  const { identity } = visit.progress;
  // The same new card once more, with the name on it.
  if (
    identity?.intent === 'link' &&
    identities.isLinkable(answer.proof) &&
    answer.proof.identifier === identity.proof.identifier
  ) {
    const { proof } = answer;
    return on(visit, (progress) => ({ ...progress, identity: { proof, intent: 'link' } }));
  }
  return visit.account === undefined ? signIn(visit, answer.proof) : aboutAccount(visit, visit.account, answer.proof);
};

/** Nothing has come back, or not to this page: the exchange goes on waiting, or is given up. */
export const giveUp = (visit: Visit): Outcome => on(visit);
