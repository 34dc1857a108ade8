import * as consents from '../../accounts/consents.ts';
import type { ClaimUse } from '../../accounts/town.ts';
import type { Visit } from '../visit.ts';

/** The name of a claim's checkbox. */
export const checkboxOf = (claim: string): string => `claim.${claim}`;

/** The claims that this request is about, as they are registered. */
export const usesOf = (visit: Visit): ClaimUse[] =>
  visit.registration.claims.filter(({ claim }) => visit.requested.includes(claim));

/** What was shown: whose values, and which registration. A decision about anything else is not taken. */
export const shown = (visit: Visit): string =>
  visit.domain.keys.formToken(
    [
      'consent',
      visit.uid,
      visit.account?.id,
      consents.registrationDigest(visit.registration),
      ...visit.requested,
      ...visit.apis,
    ].join(' '),
  );
