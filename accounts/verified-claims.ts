import type { AttributeName } from './attributes.ts';

/** How well an attribute was proofed, and the day (YYYY-MM-DD). */
export type Proof = { readonly level: 'low' | 'substantial' | 'high'; readonly on: string };
export type Proofs = Readonly<Partial<Record<AttributeName, Proof>>>;

/** A claim that is given, with the recorded attributes that its value comes from. */
type Given = { readonly claim: string; readonly from: readonly AttributeName[]; readonly value: unknown };

/** Of the levels that `assurance_level` names (Regulation (EU) No 910/2014, Art. 8). */
export const TRUST_FRAMEWORK = 'eidas';

const LEVELS: readonly Proof['level'][] = ['low', 'substantial', 'high'];

const weakest = (proofs: readonly Proof[]): Proof =>
  proofs.reduce((one, other) => ({
    level: LEVELS.indexOf(one.level) < LEVELS.indexOf(other.level) ? one.level : other.level,
    on: [one.on, other.on].sort()[0] ?? one.on,
  }));

/**
 * The `verified_claims` of what a service is given (OpenID Connect for Identity Assurance 1.0 §5): the claims whose
 * every source was proofed, together where level and day are the same. Undefined if nothing was.
 *
 * The time is a day: the minute of a proof would be the same at every organisation and so a common mark.
 */
export const verifiedClaims = (proofs: Proofs, given: readonly Given[]): unknown => {
  const groups = new Map<string, { proof: Proof; claims: Record<string, unknown> }>();
  for (const { claim, from, value } of given) {
    const found = from.map((name) => proofs[name]);
    if (value === undefined || !found.every((proof) => proof !== undefined)) continue;
    const proof = weakest(found);
    const key = `${proof.level} ${proof.on}`;
    const group = groups.get(key) ?? { proof, claims: {} };
    group.claims[claim] = value;
    groups.set(key, group);
  }
  const verified = Array.from(groups.values(), ({ proof, claims }) => ({
    verification: { trust_framework: TRUST_FRAMEWORK, assurance_level: proof.level, time: `${proof.on}T00:00:00Z` },
    claims,
  }));
  return verified.length > 1 ? verified : verified[0];
};
