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
  const { source, level } = proof;
  // A password at BundID is one factor, as it would be here; of the card there is one level only.
  const weak = source !== 'eid' && (level === 'none' || level === 'low');
  const strong = source !== 'eid' && level === 'high';
  return withProof(progress, account, { ...proofNow(visit, source, weak), ...(strong && { strong }) });
};

/** Whether the strongest factor that the account has was shown just now: nothing less changes how one signs in. */
export const freshlyShown = ({ has, proofs, domain }: Visit): boolean =>
  has !== undefined && assurance.covers(assurance.FRESH, { proofs }, has, Math.floor(domain.now().getTime() / 1000));
