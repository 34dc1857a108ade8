import type { IdentityLevel, Proof } from '../../accounts/identities.ts';
import type { AccountId } from '../../accounts/ids.ts';
import type { Progress } from '../progress.ts';
import type { Visit } from '../visit.ts';

/** RFC 8176: a card with its PIN; an account elsewhere says about the factors nothing that could be repeated here. */
const amrOf = (proof: Pick<Proof, 'source' | 'level'>): readonly string[] =>
  proof.source === 'eid' ? ['sc', 'pin', 'mfa'] : proof.level === 'none' ? [] : ['mfa'];

/** Adds what a source has proven to what one person has shown in this interaction. */
export const withIdentity = (
  visit: Visit,
  progress: Progress,
  account: AccountId,
  proof: Pick<Proof, 'source'> & { readonly level: IdentityLevel },
): Progress => {
  const at = Math.floor(visit.domain.now().getTime() / 1000);
  const before = progress.evidence?.account === account ? progress.evidence.amr : [];
  const amr = [...new Set([...before, ...amrOf(proof)])];
  return { ...progress, path: 'sign-in', evidence: { account, amr, at } };
};

const FRESH_SECONDS = 10 * 60;

/** How the account was proven just now: undefined if not in this interaction, or too long ago for a change. */
export const freshlyShown = (visit: Visit): readonly string[] | undefined => {
  const { evidence } = visit.progress;
  if (evidence === undefined || evidence.account !== visit.account?.id) return undefined;
  return visit.domain.now().getTime() / 1000 - evidence.at <= FRESH_SECONDS ? evidence.amr : undefined;
};
