import * as accounts from '../../accounts/accounts.ts';
import { ACR, type Level, type ProofKind } from '../../accounts/assurance.ts';
import * as attributes from '../../accounts/attributes.ts';
import type { Context } from '../../accounts/context.ts';
import { recordProofing } from '../../accounts/factors.ts';
import type { AccountId } from '../../accounts/ids.ts';
import type { PasswordHashing } from '../../accounts/passwords.ts';
import type { Town } from '../../accounts/town.ts';
import { DRAFTS, type Draft, register } from '../sandbox/citizens.ts';

/** What a citizen allows a service when nobody is there to be asked. */
type Decision = 'everything' | 'required' | 'nothing';

type Profile = Draft & {
  /** What is shown when they sign in without pages. */
  readonly proofs: readonly ProofKind[];
  readonly decision?: Decision;
  readonly locked?: boolean;
  readonly eid?: boolean;
  /** The family name from the second sign-in on. */
  readonly marriedName?: string;
};

/** A test citizen as a service's tests know them. */
export type MockCitizen = Profile & { readonly account: AccountId; readonly identifier: string };

const from = (key: string, proofs: readonly ProofKind[]): Profile => {
  const draft = DRAFTS.find((one) => one.key === key);
  if (draft === undefined) throw new Error(`the sandbox knows no ${key}`);
  return { ...draft, proofs };
};

const person = (
  key: string,
  given: string,
  family: string,
  rest: Partial<Profile> & Pick<Profile, 'about' | 'proofs'>,
): Profile => ({
  key,
  given,
  family,
  birthdate: '1985-05-17',
  email: `${key}.${family.toLowerCase()}@example.org`,
  password: `nur zum testen ${key}`,
  language: 'de',
  street: 'Attrappenweg 5',
  ...rest,
});

/** Nobody is called that; example.org receives no mail (RFC 2606 §3). */
const PROFILES: readonly Profile[] = [
  from('wiebke', ['passkey']),
  from('ottokar', ['pwd', 'code']),
  from('deniz', ['pwd']),
  from('henrike', ['pwd', 'otp']),
  person('eike', 'Eike', 'Hohenfels', { about: 'Online-Ausweis: level high', proofs: ['eid'], eid: true }),
  person('jana', 'Jana', 'Althaus', {
    about: 'is called Neuhaus from the second sign-in on',
    proofs: ['passkey'],
    marriedName: 'Neuhaus',
  }),
  person('nele', 'Nele', 'Sparsam', {
    about: 'refuses everything voluntary',
    proofs: ['passkey'],
    decision: 'required',
  }),
  person('carl', 'Carl', 'Ablehner', {
    about: 'refuses everything: access_denied',
    proofs: ['passkey'],
    decision: 'nothing',
  }),
  person('gesa', 'Gesa', 'Riegel', { about: 'the account is locked: access_denied', proofs: ['pwd'], locked: true }),
  person('emma', 'Emma', 'Brightwater', { about: 'English', proofs: ['passkey'], language: 'en' }),
  person('tuana', 'Tuana', 'Gülkaya', { about: 'Turkish', proofs: ['passkey'], language: 'tr' }),
  person('oksana', 'Oksana', 'Lisovych', { about: 'Ukrainian', proofs: ['passkey'], language: 'uk' }),
  person('salim', 'Salim', 'Nadjari', { about: 'Arabic', proofs: ['passkey'], language: 'ar' }),
  person('jolanta', 'Jolanta', 'Wierzbiczak', { about: 'Polish', proofs: ['passkey'], language: 'pl' }),
];

/** Makes all citizens, and says by which name each signs in. */
export const registerCitizens = async (
  ctx: Context,
  hashing: PasswordHashing,
  town: Town,
): Promise<Record<string, { account: string; identifier: string }>> => {
  const made: Record<string, { account: string; identifier: string }> = {};
  // Beside the town's own languages: services may know more of them than the pages.
  const languages = [...new Set([...town.languages, ...PROFILES.map(({ language }) => language)])];
  for (const profile of PROFILES) {
    const { account, kennung } = await register(ctx, hashing, { ...town, languages }, profile);
    if (profile.eid === true) await recordProofing(ctx, account, 'high');
    if (profile.locked === true) await ctx.db('accounts').where({ id: account }).update({ status: 'locked' });
    made[profile.key] = { account, identifier: profile.email ?? kennung };
  }
  return made;
};

/** The citizens of a database that `registerCitizens` has filled. */
export const knownCitizens = (made: Record<string, { account: string; identifier: string }>): MockCitizen[] =>
  PROFILES.flatMap((profile) => {
    const known = made[profile.key];
    return known === undefined ? [] : [{ ...profile, ...known, account: known.account as AccountId }];
  });

const LEVEL_OF: Readonly<Partial<Record<ProofKind, Level>>> = { eid: 'high', passkey: 'substantial' };

/** For the list: everything that a test needs to know. */
export const shown = (citizen: MockCitizen): Record<string, unknown> => {
  const level = LEVEL_OF[citizen.proofs[0] ?? 'pwd'] ?? (citizen.proofs.length > 1 ? 'substantial' : 'low');
  return {
    citizen: citizen.key,
    about: citizen.about,
    name: `${citizen.given} ${citizen.family}`,
    birthdate: citizen.birthdate,
    language: citizen.language,
    identifier: citizen.identifier,
    password: citizen.password,
    acr: ACR[level],
  };
};

/** Gives a citizen other attributes, or another status. */
export const change = async (
  ctx: Context,
  citizen: MockCitizen,
  changes: { readonly attributes?: attributes.Attributes; readonly status?: 'active' | 'locked' },
): Promise<void> => {
  if (changes.attributes !== undefined) await attributes.record(ctx, citizen.account, changes.attributes, 'counter');
  if (changes.status !== undefined)
    await ctx.db('accounts').where({ id: citizen.account }).update({ status: changes.status });
};

/** Puts every citizen back to how they were at the start. */
export const restore = async (ctx: Context, citizens: readonly MockCitizen[]): Promise<void> => {
  for (const citizen of citizens) {
    const { given: given_name, family: family_name, birthdate } = citizen;
    await change(ctx, citizen, {
      attributes: { given_name, family_name, birthdate },
      status: citizen.locked === true ? 'locked' : 'active',
    });
  }
};

/** Whether a citizen's account can be signed in to. */
export const isActive = (ctx: Context, citizen: MockCitizen): Promise<boolean> =>
  accounts.isActive(ctx, citizen.account);
