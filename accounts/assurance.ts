/** How far a service may trust a sign-in: from what was shown, and when, to a level. Pure. */

/** Levels of assurance of eIDAS (Regulation (EU) No 910/2014, Art. 8), and what lies below them. */
export const LEVELS = ['basis', 'low', 'substantial', 'high'] as const;
export type Level = (typeof LEVELS)[number];

/** The `acr` values by which services name levels. */
export const ACR: Readonly<Record<Level, string>> = {
  basis: 'urn:stadtschluessel:acr:basis',
  low: 'http://eidas.europa.eu/LoA/low',
  substantial: 'http://eidas.europa.eu/LoA/substantial',
  high: 'http://eidas.europa.eu/LoA/high',
};

/** Phishing-resistant (OpenID Connect EAP ACR Values 1.0 §2): about the factor, not about who the citizen is. */
export const PHISHING_RESISTANT = 'phr';

/**
 * Asked for by the citizen's own pages alone: the strongest factor that the account has, shown within the last minutes.
 * No service gets it as its `acr`.
 */
export const FRESH = 'urn:stadtschluessel:acr:fresh';

/** What can be shown in a sign-in; `code` is a backup code, `staff` is the staff's own identity provider. */
export type ProofKind = 'pwd' | 'otp' | 'code' | 'passkey' | 'eid' | 'bundid' | 'staff';

/**
 * Something shown, when (epoch seconds); `weak`: by a factor that was added with less than two factors shown, or at a
 * source that vouches for no second one; `strong`: at a source that vouches for the highest level itself.
 */
export type Proof = {
  readonly kind: ProofKind;
  readonly at: number;
  readonly weak?: boolean;
  readonly strong?: boolean;
};

/** What a sign-in rests on. `usedAt`: when the session was last used (epoch seconds). */
export type Evidence = { readonly proofs: readonly Proof[]; readonly usedAt?: number | undefined };

/** What an account has: how well it was proofed, and the factors enrolled. */
export type Enrolled = {
  readonly proofing: Level;
  readonly password: boolean;
  readonly totp: boolean;
  /** Backup codes left. */
  readonly codes: number;
  readonly passkeys: number;
  /** One at least was added by two factors. */
  readonly strongPasskey: boolean;
  readonly weakTotp: boolean;
  /** The Online-Ausweis is linked. */
  readonly eid: boolean;
  readonly bundid: boolean;
  /** The staff's own identity provider is linked. */
  readonly staff: boolean;
};

const MINUTE = 60;
const HOUR = 60 * MINUTE;
/** TR-03160-1: how long a sign-in carries a level, in seconds since the proof and since the last use of the session. */
export const LEVEL_LIMITS = {
  low: { proof: 12 * HOUR, idle: 60 * MINUTE },
  substantial: { proof: 2 * HOUR, idle: 30 * MINUTE },
  high: { proof: 30 * MINUTE, idle: 5 * MINUTE },
} as const;
/** How fresh the strongest factor must be for a change of the account. */
const FRESH_SECONDS = 10 * MINUTE;

const PROOF = /^(pwd|otp|code|passkey|eid|bundid|staff)@(\d{1,12})([!+]?)$/;

const markOf = ({ weak, strong }: Proof): string => (weak === true ? '!' : strong === true ? '+' : '');

/** The proofs as one line, as a session keeps them. */
export const encodeProofs = (proofs: readonly Proof[]): string =>
  proofs.map((proof) => `${proof.kind}@${proof.at}${markOf(proof)}`).join(' ');

/** Reads `encodeProofs`; what is not of that form counts for nothing. */
export const decodeProofs = (line: string | undefined): Proof[] =>
  (line ?? '').split(' ').flatMap((part): Proof[] => {
    const [, kind, at, mark] = PROOF.exec(part) ?? [];
    if (kind === undefined) return [];
    const strength = { ...(mark === '!' && { weak: true }), ...(mark === '+' && { strong: true }) };
    return [{ kind: kind as ProofKind, at: Number(at), ...strength }];
  });

/** The newest proof of each kind and strength: a weaker one shown later takes nothing back. */
export const joinProofs = (...lists: readonly (readonly Proof[])[]): Proof[] => {
  const newest = new Map<string, Proof>();
  for (const proof of lists.flat()) {
    const key = proof.kind + markOf(proof);
    if ((newest.get(key)?.at ?? -1) <= proof.at) newest.set(key, proof);
  }
  return [...newest.values()].sort((one, other) => one.at - other.at);
};

/** `amr` (RFC 8176 §2) for what was shown. */
export const amrOf = (proofs: readonly Proof[]): string[] => {
  const has = (kind: ProofKind): boolean => proofs.some((proof) => proof.kind === kind);
  const second = has('otp') || has('code');
  const amr = new Set<string>();
  if (has('pwd')) amr.add('pwd');
  if (second) amr.add('otp');
  if (has('passkey')) amr.add('pop').add('user');
  if (has('eid')) amr.add('sc').add('pin');
  const outside = proofs.some(({ kind, weak }) => (kind === 'bundid' || kind === 'staff') && weak !== true);
  if (has('passkey') || has('eid') || outside || (has('pwd') && second)) amr.add('mfa');
  return [...amr];
};

/** When the citizen last signed in: the newest proof that can stand alone. A second factor by itself is no sign-in. */
export const authTimeOf = (proofs: readonly Proof[]): number | undefined => {
  const times = proofs.filter(({ kind }) => kind !== 'otp' && kind !== 'code').map(({ at }) => at);
  return times.length === 0 ? undefined : Math.max(...times);
};

const rank = (level: Level): number => LEVELS.indexOf(level);
const lower = (one: Level, other: Level): Level => (rank(one) <= rank(other) ? one : other);

const signInLevel = ({ proofs, usedAt = 0 }: Evidence, now: number): Level => {
  const seen = Math.max(usedAt, ...proofs.map(({ at }) => at));
  const holds = (level: keyof typeof LEVEL_LIMITS, kind: ProofKind, least: 'weak' | 'usual' | 'strong' = 'usual') => {
    const { proof: limit, idle } = LEVEL_LIMITS[level];
    const enough = ({ weak, strong }: Proof): boolean =>
      least === 'strong' ? strong === true : least === 'weak' || weak !== true;
    return proofs.some(
      (proof) => proof.kind === kind && now - proof.at <= limit && now - seen <= idle && enough(proof),
    );
  };
  if (holds('high', 'eid') || holds('high', 'bundid', 'strong') || holds('high', 'staff', 'strong')) return 'high';
  const second = holds('substantial', 'otp') || holds('substantial', 'code');
  if (holds('substantial', 'eid') || holds('substantial', 'bundid') || holds('substantial', 'staff'))
    return 'substantial';
  if (holds('substantial', 'passkey') || (holds('substantial', 'pwd') && second)) return 'substantial';
  const alone: readonly ProofKind[] = ['pwd', 'passkey', 'eid', 'bundid', 'staff'];
  if (alone.some((kind) => holds('low', kind, 'weak'))) return 'low';
  return 'basis';
};

/** Whether two factors were shown, and recently: what is added to the account then is as good as they are. */
export const showsTwoFactors = (evidence: Evidence, now: number): boolean =>
  rank(signInLevel(evidence, now)) >= rank('substantial');

/** The level of a sign-in: the weakest of proofing, enrolment (weak factors) and what was shown. `now`: epoch seconds. */
export const levelOf = (evidence: Evidence, proofing: Level, now: number): Level =>
  lower(signInLevel(evidence, now), proofing);

const shownWithin = (proofs: readonly Proof[], kind: ProofKind, now: number, seconds: number): boolean =>
  proofs.some((proof) => proof.kind === kind && now - proof.at <= seconds);

/**
 * Whether the strongest factor was shown just now: a passkey where there is one; a citizen who has lost it brings the
 * password and a code from paper. Otherwise password and second factor, or what else there is.
 */
const isFresh = ({ proofs }: Evidence, has: Enrolled, now: number): boolean => {
  const shown = (kind: ProofKind): boolean => shownWithin(proofs, kind, now, FRESH_SECONDS);
  if (shown('passkey') || shown('eid')) return true;
  if (has.passkeys > 0) return shown('pwd') && shown('code');
  if (has.totp) return shown('pwd') && (shown('otp') || shown('code'));
  if (has.password) return shown('pwd');
  return shown('bundid');
};

/** Whether a sign-in covers what a service names; a higher level covers a lower one. Unknown values are never covered. */
export const covers = (value: string, evidence: Evidence, has: Enrolled, now: number): boolean => {
  if (authTimeOf(evidence.proofs) === undefined) return false;
  if (value === FRESH) return isFresh(evidence, has, now);
  if (value === PHISHING_RESISTANT) return shownWithin(evidence.proofs, 'passkey', now, LEVEL_LIMITS.low.proof);
  const wanted = LEVELS.find((level) => ACR[level] === value);
  return wanted !== undefined && rank(levelOf(evidence, has.proofing, now)) >= rank(wanted);
};

/** What a request asks for: `any` of the values, as a must or as a wish, and `all` those that the registration demands. */
export type Requirement = {
  readonly any: readonly string[];
  readonly essential: boolean;
  readonly all: readonly string[];
};

const stringsOf = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string') : [];

/** The client of the citizen's own pages (/konto). */
export const OWN_CLIENT = 'stadtschluesselkonto';

/**
 * Reads `acr_values` and `claims` (OpenID Connect Core §3.1.2.1, §5.5.1.1) and what the registration demands.
 */
export const requirementOf = (
  params: { readonly client_id?: unknown; readonly acr_values?: unknown; readonly claims?: unknown },
  registration: { readonly minAcr?: string } | undefined,
): Requirement => {
  const all = registration?.minAcr === undefined ? [] : [registration.minAcr];
  const voluntary = typeof params.acr_values === 'string' ? params.acr_values.split(' ').filter(Boolean) : [];
  // The citizen's own pages ask for it themselves; to a service it means nothing.
  if (params.client_id === OWN_CLIENT) return { any: [], essential: false, all: voluntary };
  let asked: { essential?: unknown; value?: unknown; values?: unknown } = {};
  if (typeof params.claims === 'string') {
    try {
      asked = JSON.parse(params.claims)?.id_token?.acr ?? {};
      if (typeof asked !== 'object') asked = {};
    } catch {
      // The provider refuses the request for it.
    }
  }
  const named = typeof asked.value === 'string' ? [asked.value] : stringsOf(asked.values);
  const known = (values: string[]): string[] => values.filter((value) => value !== FRESH);
  // Not filtered: a must that nobody can meet stays one.
  if (named.length > 0 && asked.essential === true) return { any: named, essential: true, all };
  return { any: known(voluntary.length > 0 ? voluntary : named), essential: false, all };
};

/** The level that a source has to be asked for so that the requirement can be met; with its wishes, if they count. */
export const levelNeeded = ({ any, essential, all }: Requirement, wishes: boolean): Level => {
  const levels = (values: readonly string[]): Level[] => LEVELS.filter((level) => values.includes(ACR[level]));
  const [least] = essential || wishes ? levels(any) : [];
  return LEVELS.findLast((level) => level === least || levels(all).includes(level)) ?? 'basis';
};

const coversOne = (wanted: readonly string[], evidence: Evidence, has: Enrolled, now: number): boolean =>
  wanted.length === 0 || wanted.some((value) => covers(value, evidence, has, now));

/** Whether nothing that is asked for is missing; wishes count as well. */
export const isMet = (requirement: Requirement, evidence: Evidence, has: Enrolled, now: number): boolean =>
  coversOne(requirement.any, evidence, has, now) && requirement.all.every((value) => covers(value, evidence, has, now));

/** Whether all that must be is covered; wishes do not count. */
export const isBound = (requirement: Requirement, evidence: Evidence, has: Enrolled, now: number): boolean =>
  isMet(requirement.essential ? requirement : { ...requirement, any: [] }, evidence, has, now);

/** The `acr` that a service gets: of the values it names the first that is covered, otherwise the level itself. */
export const grantedAcr = (requirement: Requirement, evidence: Evidence, has: Enrolled, now: number): string =>
  [...requirement.any, ...requirement.all].find((value) => value !== FRESH && covers(value, evidence, has, now)) ??
  ACR[levelOf(evidence, has.proofing, now)];

/** What the citizen is to be asked for next; `unreachable`: nothing that the account has would do. */
export type Missing = 'nothing' | 'primary' | 'second-factor' | 'passkey' | 'unreachable';

/** The ways to show something now, the least effort first. */
const waysOn = (has: Enrolled): readonly { readonly first: Missing; readonly kinds: readonly ProofKind[] }[] => [
  ...(has.totp ? [{ first: 'second-factor', kinds: ['otp'] } as const] : []),
  ...(has.codes > 0 ? [{ first: 'second-factor', kinds: ['code'] } as const] : []),
  ...(has.password ? [{ first: 'primary', kinds: ['pwd'] } as const] : []),
  ...(has.passkeys > 0 ? [{ first: 'passkey', kinds: ['passkey'] } as const] : []),
  ...(has.eid ? [{ first: 'primary', kinds: ['eid'] } as const] : []),
  ...(has.bundid ? [{ first: 'primary', kinds: ['bundid'] } as const] : []),
  ...(has.staff ? [{ first: 'primary', kinds: ['staff'] } as const] : []),
  ...(has.password && has.totp ? [{ first: 'primary', kinds: ['pwd', 'otp'] } as const] : []),
  ...(has.password && has.codes > 0 ? [{ first: 'primary', kinds: ['pwd', 'code'] } as const] : []),
];

/** Whether nothing would be missing any more if these were shown now. */
export const reaches = (
  kinds: readonly ProofKind[],
  requirement: Requirement,
  evidence: Evidence,
  has: Enrolled,
  now: number,
): boolean => {
  const weak = (kind: ProofKind): boolean =>
    (kind === 'passkey' && !has.strongPasskey) || (kind === 'otp' && has.weakTotp);
  const added = kinds.map(
    // BundID is asked for the level that is needed.
    (kind): Proof => ({
      kind,
      at: now,
      ...(weak(kind) && { weak: true }),
      ...(kind === 'bundid' && { strong: true }),
    }),
  );
  return isMet(requirement, { ...evidence, proofs: joinProofs(evidence.proofs, added) }, has, now);
};

/** What is missing for `requirement`: the shortest way on from what has been shown already. */
export const missingFor = (requirement: Requirement, evidence: Evidence, has: Enrolled, now: number): Missing => {
  if (isMet(requirement, evidence, has, now)) return 'nothing';
  const ways = waysOn(has).filter(({ kinds }) => reaches(kinds, requirement, evidence, has, now));
  const [best] = ways;
  if (best === undefined) return 'unreachable';
  // The page for the first factor offers passkey and password; with only one way there, it shows that alone.
  if (best.first === 'passkey' && ways.some(({ first }) => first === 'primary')) return 'primary';
  return best.first;
};
