import * as assurance from '../../accounts/assurance.ts';
import type { IdentityLevel, Proof } from '../../accounts/identities.ts';
import type { AccountId } from '../../accounts/ids.ts';
import type { Progress } from '../progress.ts';
import { proofNow, withProof } from '../proofs.ts';
import type { Visit } from '../visit.ts';

/** Adds what a source has proven to what one person has shown in this interaction. */
export const withIdentity = (
  visit: Visit,
  progress: Progress,
  account: AccountId,
  proof: Pick<Proof, 'source'> & { readonly level: IdentityLevel },
): Progress => {
  // A password at BundID is one factor, as it would be here.
  const weak = proof.source !== 'eid' && (proof.level === 'none' || proof.level === 'low');
  return withProof(progress, account, proofNow(visit, proof.source, weak));
};

/** Whether the strongest factor that the account has was shown just now: nothing less changes how one signs in. */
export const freshlyShown = ({ has, proofs, domain }: Visit): boolean =>
  has !== undefined && assurance.covers(assurance.FRESH, { proofs }, has, Math.floor(domain.now().getTime() / 1000));
