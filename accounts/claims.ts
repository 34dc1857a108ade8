import { type AccountRow, openInRow, readAccountRow } from './account-row.ts';
import { type AttributeName, type Attributes, attributeColumn } from './attributes.ts';
import type { Context } from './context.ts';
import type { AccountId } from './ids.ts';
import { isBelieved, type ProofDays } from './proof-age.ts';
import type { Registration, Text, Town } from './town.ts';
import { type Proofs, verifiedClaims } from './verified-claims.ts';

/** What claims are made from. */
export type Person = {
  readonly attributes: Attributes;
  /** How and when somebody else than the citizen has vouched for an attribute; by name. */
  readonly proofs?: Proofs;
  /** Recovered on paper since: they say nothing of who is here now. */
  readonly reduced?: boolean;
  /** How long they are believed. */
  readonly proofDays?: ProofDays | undefined;
  /** Proven; absent for citizens without e-mail. */
  readonly email?: string;
  /** BCP 47. */
  readonly language: string;
  /** The pairwise subject for the service that gets the claims. */
  readonly subject: string;
  readonly town: Pick<Town, 'name'>;
};

type CatalogueEntry = {
  readonly label: Text;
  /** The recorded attributes that the value comes from. */
  readonly from: readonly AttributeName[];
  /** Says less than what it comes from. */
  readonly derived: boolean;
  /** The value for `now`; undefined if what it comes from is not recorded. */
  readonly value: (person: Person, now: Date, allowed: readonly string[]) => unknown;
};

/** Civil days are those of the town, not of UTC. */
const TIME_ZONE = 'Europe/Berlin';
const day = new Intl.DateTimeFormat('sv-SE', { timeZone: TIME_ZONE });

const MINUTE_MS = 60_000;
let lastMinute = Number.NaN;
let lastDay = '';

/** The civil day, YYYY-MM-DD. No day begins within a minute, and nearly all ask for the current one. */
export const dayOf = (now: Date): string => {
  const minute = Math.floor(now.getTime() / MINUTE_MS);
  if (minute !== lastMinute) [lastMinute, lastDay] = [minute, day.format(now)];
  return lastDay;
};

/**
 * Whether a person born on `birthdate` has completed `years` years. Compared as text: one born on 29 February completes
 * a year at the end of 28 February (§§ 187, 188 BGB), which makes 1 March the first day in other years.
 */
const hasCompleted = (birthdate: string | undefined, years: number, now: Date): boolean | undefined => {
  if (birthdate === undefined || !/^\d{4}-\d{2}-\d{2}$/.test(birthdate)) return undefined;
  const anniversary = String(Number(birthdate.slice(0, 4)) + years).padStart(4, '0') + birthdate.slice(4);
  return anniversary <= dayOf(now);
};

const fullName = ({ attributes: { given_name: given, family_name: family } }: Person): string | undefined =>
  given === undefined && family === undefined ? undefined : [given, family].filter(Boolean).join(' ');

/** OpenID Connect Core §5.1.1; the recipient of letters is no part of it. */
const addressClaim = ({ attributes: { address } }: Person): object | undefined => {
  if (address === undefined) return undefined;
  const { street_address, postal_code, locality, country } = address;
  const lines = [street_address, `${postal_code} ${locality}`, ...(country === undefined ? [] : [country])];
  return {
    formatted: lines.join('\n'),
    street_address,
    postal_code,
    locality,
    ...(country === undefined ? {} : { country }),
  };
};

const sameName = (one: string, other: string): boolean =>
  one.localeCompare(other, 'de', { sensitivity: 'base', usage: 'search' }) === 0;

/** By the address: as typed in, or as proofed not too long ago. People move. */
const livesInTown = ({ attributes: { address }, proofs, proofDays, town }: Person, now: Date): boolean | undefined => {
  const proof = proofs?.address;
  if (proof !== undefined && !isBelieved('address', proof.on, now, proofDays)) return undefined;
  return address && Object.values(town.name).some((name) => sameName(name, address.locality));
};

const residenceByCard = ({ attributes: { resident }, proofDays }: Person, now: Date): boolean | undefined =>
  resident !== undefined && isBelieved('resident', resident.on, now, proofDays) ? resident.lives : undefined;

/** The proofs that are not too old. */
const believedProofs = ({ proofs = {}, proofDays, reduced }: Person, now: Date): Proofs =>
  Object.fromEntries(
    Object.entries(reduced === true ? {} : proofs).filter(([name, { on }]) =>
      isBelieved(name as AttributeName, on, now, proofDays),
    ),
  );

/** Enough for a region, too little for a street: several ten thousand people share it. */
const POSTAL_AREA_DIGITS = 3;

const ageOver = (years: number): CatalogueEntry => ({
  label: { de: `mindestens ${years} Jahre alt (ja oder nein)`, en: `at least ${years} years old (yes or no)` },
  from: ['birthdate', 'age_over'],
  derived: true,
  // A card's own answer stands in where no date of birth was read: who was 18 once stays it.
  value: ({ attributes: { birthdate, age_over } }, now) =>
    hasCompleted(birthdate, years, now) ?? (age_over !== undefined && age_over >= years ? true : undefined),
});

const plain = (
  label: Text,
  from: readonly AttributeName[],
  value: (person: Person, now: Date) => unknown,
): CatalogueEntry => ({ label, from, derived: false, value });

/** Every claim there is. What is not listed here cannot be registered, asked for or given. */
export const CLAIM_CATALOGUE: Readonly<Record<string, CatalogueEntry>> = {
  given_name: plain({ de: 'Vorname', en: 'Given name' }, ['given_name'], (person) => person.attributes.given_name),
  family_name: plain({ de: 'Nachname', en: 'Family name' }, ['family_name'], (person) => person.attributes.family_name),
  name: plain({ de: 'Vor- und Nachname', en: 'Full name' }, ['given_name', 'family_name'], fullName),
  // Made from the pairwise subject, so that it links no more than that does.
  preferred_username: plain(
    { de: 'Benutzername nur für diese Organisation', en: 'User name for this organisation only' },
    [],
    ({ subject }) =>
      `b-${subject
        .replace(/[^A-Za-z0-9]/g, '')
        .slice(0, 12)
        .toLowerCase()}`,
  ),
  email: plain({ de: 'E-Mail-Adresse', en: 'E-mail address' }, [], ({ email }) => email),
  email_verified: plain({ de: 'E-Mail-Adresse ist bestätigt', en: 'E-mail address is confirmed' }, [], ({ email }) =>
    email === undefined ? undefined : true,
  ),
  birthdate: plain({ de: 'Geburtsdatum', en: 'Date of birth' }, ['birthdate'], (person) => person.attributes.birthdate),
  address: plain({ de: 'Anschrift', en: 'Postal address' }, ['address'], addressClaim),
  locale: plain({ de: 'Sprache', en: 'Language' }, [], ({ language }) => language),
  age_over_12: ageOver(12),
  age_over_14: ageOver(14),
  age_over_16: ageOver(16),
  age_over_18: ageOver(18),
  age_over_65: ageOver(65),
  resident: {
    label: { de: 'wohnt in der Stadt (ja oder nein)', en: 'lives in the town (yes or no)' },
    from: ['address', 'resident'],
    derived: true,
    // The card's own answer is the register's; an address may have been typed in.
    value: (person, now) => residenceByCard(person, now) ?? livesInTown(person, now),
  },
  postal_code_area: {
    label: { de: 'Postleitzahlbereich (die ersten drei Ziffern)', en: 'Postal code area (the first three digits)' },
    from: ['address'],
    derived: true,
    value: ({ attributes: { address } }) => address?.postal_code.slice(0, POSTAL_AREA_DIGITS),
  },
  // OpenID Connect for Identity Assurance 1.0: of what is given anyway, which part somebody has checked, how well and when.
  verified_claims: {
    label: { de: 'wer diese Angaben geprüft hat und wie gut', en: 'who has checked this data and how well' },
    from: [],
    derived: false,
    value: (person, now, allowed) =>
      verifiedClaims(
        believedProofs(person, now),
        allowed.flatMap((claim) => {
          const entry = CLAIM_CATALOGUE[claim];
          const from = entry?.from.filter((name) => person.attributes[name] !== undefined) ?? [];
          return from.length === 0 ? [] : [{ claim, from, value: entry?.value(person, now, allowed) }];
        }),
      ),
  },
};

/** The claims that may stand in `verified_claims`: those that come from what somebody can check. */
export const VERIFIABLE_CLAIMS: readonly string[] = Object.entries(CLAIM_CATALOGUE)
  .filter(([, { from }]) => from.length > 0)
  .map(([claim]) => claim);

/** The claims that a scope asks for (OpenID Connect Core §5.4), as far as the catalogue has them. */
export const SCOPE_CLAIMS: Readonly<Record<'profile' | 'email' | 'address', readonly string[]>> = {
  profile: ['name', 'family_name', 'given_name', 'preferred_username', 'birthdate', 'locale'],
  email: ['email', 'email_verified'],
  address: ['address'],
};

const keysOf = (value: unknown): string[] => (typeof value === 'object' && value !== null ? Object.keys(value) : []);

/** Names in the `claims` request parameter (OpenID Connect Core §5.5); none if it is not valid JSON. */
const parameterClaims = (claimsParameter: string | undefined): string[] => {
  if (claimsParameter === undefined || claimsParameter === '') return [];
  try {
    const parsed: unknown = JSON.parse(claimsParameter);
    const { userinfo, id_token } = (typeof parsed === 'object' && parsed !== null ? parsed : {}) as Record<
      string,
      unknown
    >;
    return [...keysOf(userinfo), ...keysOf(id_token)];
  } catch {
    return [];
  }
};

/**
 * The claims that a request is about: asked for by scope or `claims` parameter, and named in the registration. In the
 * registration's order; `sub` is always given and never listed.
 */
export const requestedClaims = (
  registration: Pick<Registration, 'claims'>,
  scope: string,
  claimsParameter?: string,
): string[] => {
  const byScope = Object.entries(SCOPE_CLAIMS).flatMap(([name, claims]) =>
    scope.split(' ').includes(name) ? claims : [],
  );
  const asked = new Set([...byScope, ...parameterClaims(claimsParameter)]);
  return registration.claims.map(({ claim }) => claim).filter((claim) => asked.has(claim));
};

/**
 * The APIs of other organisations that a request is about, by identifier: asked for by `resource` (RFC 8707 §2, one or
 * several) and named in the registration.
 */
export const requestedApis = (registration: Pick<Registration, 'apis'>, resource: unknown): string[] => {
  const asked = new Set([resource].flat());
  return (registration.apis ?? []).map((use) => use.resource).filter((name) => asked.has(name));
};

/** The values of the named claims. A claim without a value is left out; so is a name that the catalogue does not have. */
export const claimValues = (person: Person, names: readonly string[], now: Date): Record<string, unknown> => {
  const values: Record<string, unknown> = {};
  for (const name of names) {
    const value = Object.hasOwn(CLAIM_CATALOGUE, name) ? CLAIM_CATALOGUE[name]?.value(person, now, names) : undefined;
    if (value !== undefined) values[name] = value;
  }
  return values;
};

/** The values that a service gets for the claims it has been allowed, from an account's row. */
export const releasedFrom = (
  ctx: Context,
  account: AccountId,
  registration: Pick<Registration, 'organisation'>,
  allowed: readonly string[],
  town: Pick<Town, 'name'>,
  row: AccountRow,
): Record<string, unknown> => {
  if (row.data_key === null) return {};
  const open = (column: string, sealed: string): string => openInRow(ctx, account, row, column, sealed) ?? '';
  // Only what the allowed claims are made from is opened at all.
  const needed = new Set<string>(allowed.flatMap((name) => CLAIM_CATALOGUE[name]?.from ?? []));
  const attributes = Object.entries(row.attributes ?? {}).filter(([name]) => needed.has(name));
  const person: Person = {
    attributes: Object.fromEntries(
      attributes.map(([name, sealed]) => [name, JSON.parse(open(attributeColumn(name), sealed))]),
    ),
    proofs: row.proofs ?? {},
    reduced: row.reduced,
    proofDays: ctx.proofDays,
    ...(row.email === null ? {} : { email: open('accounts.email', row.email) }),
    language: row.language,
    subject: ctx.keys.subject(registration.organisation, account),
    town,
  };
  return claimValues(person, allowed, ctx.now());
};

/** The same, read from the database; empty for an account that is gone. */
export const released = async (
  ctx: Context,
  account: AccountId,
  registration: Pick<Registration, 'organisation'>,
  allowed: readonly string[],
  town: Pick<Town, 'name'>,
): Promise<Record<string, unknown>> => {
  const row = await readAccountRow(ctx, account);
  return row === null ? {} : releasedFrom(ctx, account, registration, allowed, town, row);
};
