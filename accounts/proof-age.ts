import type { AttributeName } from './attributes.ts';

/** For how many days a proof is believed, by what was proofed; what is not named is believed as long as it stands. */
export type ProofDays = {
  /** Who somebody is: the level of the account. */
  readonly identity?: number;
  /** Where somebody lives. */
  readonly residence?: number;
  readonly names?: number;
  readonly birthdate?: number;
};

/** People move; and no card is good for more than ten years (§ 6 PAuswG). */
const DEFAULT_DAYS: ProofDays = { identity: 3653, residence: 365 };

const KINDS: Readonly<Record<AttributeName, keyof ProofDays>> = {
  given_name: 'names',
  family_name: 'names',
  birthdate: 'birthdate',
  age_over: 'birthdate',
  address: 'residence',
  resident: 'residence',
};

const DAY_MILLISECONDS = 86_400_000;

const daysOf = (what: keyof ProofDays, rules: ProofDays = {}): number | undefined => rules[what] ?? DEFAULT_DAYS[what];

/** The moment from which a proof of an attribute, or of the identity itself, is believed no more; undefined: never. */
export const believedUntil = (
  what: AttributeName | 'identity',
  provenAt: Date,
  rules: ProofDays | undefined,
): Date | undefined => {
  const days = daysOf(what === 'identity' ? what : KINDS[what], rules);
  return days === undefined ? undefined : new Date(provenAt.getTime() + days * DAY_MILLISECONDS);
};

/** Proofs made at or before this moment are believed no more; undefined: there are none. */
export const expiredBefore = (
  what: AttributeName | 'identity',
  now: Date,
  rules: ProofDays | undefined,
): Date | undefined => {
  const days = daysOf(what === 'identity' ? what : KINDS[what], rules);
  return days === undefined ? undefined : new Date(now.getTime() - days * DAY_MILLISECONDS);
};

/** Whether a proof of `name` made on a day (YYYY-MM-DD) is still believed. */
export const isBelieved = (name: AttributeName, on: string, now: Date, rules: ProofDays | undefined): boolean => {
  const until = believedUntil(name, new Date(`${on}T00:00:00Z`), rules);
  return until === undefined || now < until;
};
