/** The closed lists from which staff choose. Words alone, so that the command line can have them without the domain. */

/** What the clerk has seen; kinds only, never a copy and never a document's number. */
export const EVIDENCE = [
  'identity-card',
  'passport',
  'residence-permit',
  'eid-at-counter',
  'known-representative',
] as const;
export type Evidence = (typeof EVIDENCE)[number];

/** Why somebody needs a new way in. */
export const REASONS = [
  'device-lost',
  'device-broken',
  'password-forgotten',
  'codes-lost',
  'taken-over',
  'other',
] as const;
export type Reason = (typeof REASONS)[number];

/** How a letter with a code reaches its reader. */
export const DELIVERIES = ['hand', 'post'] as const;
export type Delivery = (typeof DELIVERIES)[number];

/** Why an account is locked, unlocked or closed. */
export const LOCK_REASONS = ['device-lost', 'taken-over', 'citizen-asked', 'deceased', 'mistake', 'other'] as const;

/** What members of staff may be. */
export const ROLES = ['clerk', 'approver', 'operator', 'auditor', 'chief', 'service'] as const;
export type Role = (typeof ROLES)[number];
