import type { Proof } from '../../accounts/identities.ts';
import type { BundId, BundIdAnswer } from '../../adapters/bundid.ts';
import type { CardQuestion, EidOutcome, EidSource } from '../../adapters/eid-source.ts';
import type { Upstream, UpstreamAnswer } from '../../adapters/upstream-oidc.ts';

/** The identity sources that this provider has been set up with. A source that is down is not offered. */
export type Sources = {
  readonly eid?: EidSource;
  readonly bundid?: BundId;
  readonly upstream?: Upstream;
};

export type SourceName = 'eid' | 'bundid' | 'upstream';

/** Why a source proved nothing, in the words that a page has for it. */
export type SourceFault =
  | 'cancelled'
  | 'card-refused'
  | 'card-denied'
  | 'level'
  | 'attributes'
  | 'not-read'
  | 'connection'
  | 'unavailable'
  | 'failed';

export type SourceAnswer = { readonly proof: Proof } | { readonly fault: SourceFault; readonly code?: string };

/** What AusweisApp wrote into the address (TR-03124-1 §2.5.4.2): good for nothing but words. */
const hinted = (hint: string | undefined): SourceFault | undefined => {
  if (hint === undefined) return undefined;
  return hint === 'cancellationByUser' ? 'cancelled' : 'connection';
};

/** What `getResult` or `useID` said (TR-03130-1 §3.4.1). Where that says nothing to a citizen, the hint may. */
export const eidAnswer = (outcome: EidOutcome, hint: string | undefined): SourceAnswer => {
  switch (outcome.outcome) {
    case 'proven':
      return { proof: outcome.proof };
    case 'unavailable':
      return { fault: 'unavailable' };
    case 'not-yet':
      return { fault: hinted(hint) ?? 'not-read' };
    case 'refused':
      switch (outcome.fault) {
        case 'cancellationByUser':
          return { fault: 'cancelled' };
        case 'invalidDocument':
          return { fault: 'card-refused' };
        // Also where the kind of card reaches less than was asked for.
        case 'deniedDocument':
          return { fault: 'card-denied' };
        case 'level':
          return { fault: 'level' };
        case 'tooManyOpenSessions':
          return { fault: 'unavailable', code: outcome.fault };
        default:
          return { fault: hinted(hint) ?? 'failed', code: outcome.fault };
      }
  }
};

export const bundIdAnswer = (answer: BundIdAnswer, issuer: string): SourceAnswer => {
  switch (answer.outcome) {
    case 'proven': {
      const { pseudonym, level, attributes } = answer;
      const identifier = pseudonym === undefined ? {} : { identifier: pseudonym };
      return { proof: { source: 'bundid', issuer, level, attributes, ...identifier } };
    }
    case 'untrusted':
      return { fault: 'failed' };
    case 'refused': {
      const code = answer.code === undefined ? {} : { code: answer.code };
      if (answer.fault === 'cancelled') return { fault: 'cancelled', ...code };
      if (answer.fault === 'level') return { fault: 'level', ...code };
      return { fault: answer.code === 'IDP_REQUIRED_ATTRIBUTES_MISSING' ? 'attributes' : 'failed', ...code };
    }
  }
};

export const upstreamAnswer = (answer: UpstreamAnswer): SourceAnswer => {
  switch (answer.outcome) {
    case 'proven': {
      const { issuer, subject, level } = answer;
      return { proof: { source: 'staff', issuer, identifier: subject, level, attributes: {} } };
    }
    case 'refused':
      return answer.error === 'access_denied' ? { fault: 'cancelled' } : { fault: 'failed', code: answer.error };
    case 'untrusted':
      return { fault: 'failed' };
    case 'unavailable':
      return { fault: 'unavailable' };
  }
};

const AGE = /^age_over_(\d{1,3})$/;
const READ_FOR: Readonly<Record<string, readonly CardQuestion['read'][number][]>> = {
  given_name: ['names'],
  family_name: ['names'],
  name: ['names'],
  birthdate: ['birthdate'],
  address: ['address'],
};

/** What a card has to be asked so that the claims have values: no date of birth for an age, no address for a town. */
export const cardQuestionFor = (claims: readonly string[], communityId: string): CardQuestion => {
  const read = [...new Set(claims.flatMap((claim) => READ_FOR[claim] ?? []))];
  const ages = claims.flatMap((claim) => AGE.exec(claim)?.slice(1, 2).map(Number) ?? []);
  const needsAge = ages.length > 0 && !read.includes('birthdate');
  const needsTown = claims.includes('resident') && !read.includes('address');
  return { read, ...(needsAge && { ageOver: Math.max(...ages) }), ...(needsTown && { livesIn: communityId }) };
};

/** What BundID has to be asked; it answers no yes-or-no questions. */
export const bundIdReadsFor = (claims: readonly string[]): CardQuestion['read'] => [
  ...new Set(
    claims.flatMap((claim) => {
      if (AGE.test(claim)) return ['birthdate' as const];
      return claim === 'resident' ? ['address' as const] : (READ_FOR[claim] ?? []);
    }),
  ),
];
