import { joinProofs, type Proof, type ProofKind } from '../accounts/assurance.ts';
import type { AccountId } from '../accounts/ids.ts';
import type { Progress } from './progress.ts';
import type { Visit } from './visit.ts';

/** Something shown just now. */
export const proofNow = (visit: Pick<Visit, 'domain'>, kind: ProofKind, weak = false): Proof => ({
  kind,
  at: Math.floor(visit.domain.now().getTime() / 1000),
  ...(weak && { weak }),
});

/** Adds a proof to what one person has shown in this interaction; nothing is added up between people. */
export const withProof = (progress: Progress, account: AccountId, proof: Proof): Progress => {
  const { evidence, path: _, recovery: __, ...rest } = progress;
  const before = evidence?.account === account ? evidence.proofs : [];
  return { ...rest, path: 'sign-in', evidence: { account, proofs: joinProofs(before, [proof]) } };
};
