import { generate } from 'otplib';
import * as accounts from '../../accounts/accounts.ts';
import * as attributes from '../../accounts/attributes.ts';
import { type Context, inTransaction } from '../../accounts/context.ts';
import { parseEmail } from '../../accounts/email.ts';
import { recordProofing } from '../../accounts/factors.ts';
import type { AccountId } from '../../accounts/ids.ts';
import { hashNew, type PasswordHashing } from '../../accounts/passwords.ts';
import { Secret } from '../../accounts/secret.ts';
import * as totp from '../../accounts/totp.ts';
import type { Town } from '../../accounts/town.ts';
import type { SandboxFolder } from './folder.ts';

/** A test citizen as the terminal shows it. */
export type TestCitizen = {
  readonly name: string;
  readonly identifier: string;
  readonly password: string;
  readonly secondFactor: string;
  readonly about: string;
};

/** A test citizen to be made. */
export type Draft = {
  readonly key: string;
  readonly given: string;
  readonly family: string;
  readonly birthdate: string;
  readonly email?: string;
  readonly password: string;
  readonly language: string;
  readonly street: string;
  /** Where the citizen lives if not in the town. */
  readonly elsewhere?: { readonly postal_code: string; readonly locality: string };
  readonly about: string;
  /** The key of an authenticator app; the others have backup codes. */
  readonly totp?: string;
};

/** Nobody is called that; example.org receives no mail (RFC 2606 §3). */
export const DRAFTS: readonly Draft[] = [
  {
    key: 'wiebke',
    given: 'Wiebke',
    family: 'Lindenhoff',
    birthdate: '1987-03-14',
    email: 'wiebke.lindenhoff@example.org',
    password: 'kornblumen am wegrand',
    language: 'de',
    street: 'Musterweg 7',
    about: 'with e-mail, lives in town',
  },
  {
    key: 'ottokar',
    given: 'Ottokar',
    family: 'Brockmeyhus',
    birthdate: '1941-11-02',
    password: 'drei tassen kaffee',
    language: 'de',
    street: 'Beispielgasse 12',
    about: 'older, without e-mail',
  },
  {
    key: 'deniz',
    given: 'Deniz',
    family: 'Yildizkaya',
    birthdate: '2012-06-20',
    email: 'deniz.yildizkaya@example.org',
    password: 'skateboard und regen',
    language: 'en',
    street: 'Teststraße 3',
    elsewhere: { postal_code: '33397', locality: 'Rietberg' },
    about: 'under age, lives elsewhere, English',
  },
  {
    key: 'henrike',
    given: 'Henrike',
    family: 'Telgenkotte',
    birthdate: '1979-08-30',
    email: 'henrike.telgenkotte@example.org',
    password: 'windmühle im nebel',
    language: 'de',
    street: 'Probeallee 21',
    totp: 'KRUGS4ZANFZSA3TPOQQHGZLDOJSXIIJB',
    about: 'password and authenticator app: level substantial',
  },
];

const CODES_SHOWN = 2;
const PERIOD_SECONDS = 30;

/** Registers the test citizens through the domain's own functions; those who are there stay as they are. */
export const ensureCitizens = (
  ctx: Context,
  hashing: PasswordHashing,
  town: Town,
  folder: SandboxFolder,
): Promise<TestCitizen[]> => Promise.all(DRAFTS.map((draft) => ensureCitizen(ctx, hashing, town, folder, draft)));

const ensureCitizen = async (
  ctx: Context,
  hashing: PasswordHashing,
  town: Town,
  folder: SandboxFolder,
  draft: Draft,
): Promise<TestCitizen> => {
  const shown = () => ({
    name: `${draft.given} ${draft.family}`,
    password: draft.password,
    secondFactor:
      draft.totp === undefined ? `codes ${folder.backupCodes(draft.key).join(' ')}` : `app, key ${draft.totp}`,
    about: draft.about,
  });
  const known = draft.email ?? folder.kennung(draft.key);
  if (known !== undefined && (await accounts.findByIdentifier(ctx, known)) !== undefined)
    return { ...shown(), identifier: known };

  const { kennung, codes } = await register(ctx, hashing, town, draft);
  folder.keepBackupCodes(draft.key, codes.slice(0, CODES_SHOWN));
  if (draft.email === undefined) folder.keepKennung(draft.key, kennung);
  return { ...shown(), identifier: draft.email ?? kennung };
};

/** Registers a test citizen through the domain's own functions, and proofs them at the counter. */
export const register = async (
  ctx: Context,
  hashing: PasswordHashing,
  town: Town,
  draft: Draft,
): Promise<{ account: AccountId; kennung: string; codes: readonly string[] }> => {
  const hash = await hashNew(ctx, hashing, new Secret(draft.password));
  const email = draft.email === undefined ? undefined : parseEmail(draft.email);
  const language = town.languages.includes(draft.language) ? draft.language : (town.languages[0] ?? 'de');
  // One transaction, so that an interrupted start leaves no citizen without a name.
  return inTransaction(ctx, async (tx) => {
    const registered = await accounts.register(tx, {
      town,
      language,
      ...(email !== undefined && { email }),
      credential: { kind: 'password', hash },
    });
    if (registered.outcome !== 'registered') throw new Error(`test citizen ${draft.key}: ${registered.outcome}`);
    const { account, kennung, backupCodes = [] } = registered;
    const { given: given_name, family: family_name, birthdate } = draft;
    const address = { street_address: draft.street, ...(draft.elsewhere ?? home(town)), country: 'Deutschland' };
    await attributes.record(tx, account, { given_name, family_name, birthdate, address }, 'counter');
    if (draft.totp !== undefined) await enrolApp(tx, account, draft.totp);
    await recordProofing(tx, account, 'substantial');
    return { account, kennung, codes: backupCodes };
  });
};

/** As the citizen's own page does it: with a code that the app shows. An older one, so that the present one is still good. */
const enrolApp = async (ctx: Context, account: AccountId, secret: string): Promise<void> => {
  const before = Math.floor(ctx.now().getTime() / 1000) - PERIOD_SECONDS;
  const code = await generate({ secret, epoch: before });
  const enrolled = await totp.enrol(ctx, account, secret, code, false);
  if (enrolled.outcome !== 'enrolled') throw new Error('the app of a test citizen was not accepted');
};

const home = (town: Town): { postal_code: string; locality: string } => ({
  postal_code: /\b\d{5}\b/.exec(town.office.address)?.[0] ?? '12345',
  locality: town.name.de,
});
