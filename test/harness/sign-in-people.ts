/** Who is on the random walk (sign-in-walk.ts): people with what they have, browsers with what was shown in them. */
import type * as assurance from '../../accounts/assurance.ts';
import type { AccountId } from '../../accounts/ids.ts';
import type { SoftPasskey } from './authenticator.ts';
import type { RunningTown } from './town.ts';
import { type Answer, Visitor } from './visitor.ts';

export const SECRET = 'KRUGS4ZANFZSA3TPOQQHGZLDOJSXIIJB';
export const FIRST_PASSWORD = 'drei blaue Häuser am Fluss';

export type Person = {
  email: string;
  readonly account: AccountId;
  readonly subject: string;
  readonly proofing: assurance.Level;
  /** Passwords that may be right: the last one set, and one that is being set. */
  passwords: Set<string>;
  /** Passkeys by their id; `weak`: made with less than two factors shown. */
  keys: Map<string, { readonly key: SoftPasskey; readonly weak: boolean }>;
  /** A code on paper that the counter has handed out. */
  paper: string | undefined;
  codes: string[];
  app: boolean;
  secret: string;
  state: string;
};
/** `no-app`: the password, while there was no app that would have been asked for as well. */
export type Shown = Set<'pwd' | 'otp' | 'code' | 'passkey' | 'weak-passkey' | 'paper' | 'no-app'>;
export type BrowserState = {
  visitor: Visitor;
  page: Answer | undefined;
  verifier: string;
  /** By account: what was right, in this browser. */
  shown: Map<AccountId, Shown>;
};
export type WalkState = {
  readonly town: RunningTown;
  readonly people: Person[];
  readonly browsers: BrowserState[];
  /** Moves the clock to the next code of the app. */
  readonly nextStep: () => number;
  /** Passwords set so far: each is another one. */
  passwordsSet: number;
  commands: number;
  /** Sign-ins that a service got, and changes of credentials: a walk without any would prove nothing. */
  signIns: number;
  changes: number;
  /** What was done so far. */
  readonly trail: string[];
};

/** Everything that signs in to an account, as one text: passwords, apps, codes, passkeys. */
export const snapshot = async (town: RunningTown, account: AccountId): Promise<string> => {
  const { rows } = await town.context().db.raw(
    `SELECT json_build_array(
       (SELECT coalesce(json_agg(json_build_array(changed_at, short)), '[]') FROM passwords WHERE account_id = :account),
       (SELECT coalesce(json_agg(created_at), '[]') FROM totps WHERE account_id = :account),
       (SELECT coalesce(json_agg(hash ORDER BY hash), '[]') FROM backup_codes WHERE account_id = :account),
       (SELECT coalesce(json_agg(credential_id ORDER BY credential_id), '[]') FROM passkeys WHERE account_id = :account)
     ) AS state`,
    { account },
  );
  return JSON.stringify(rows[0].state);
};

export const freshBrowser = (): BrowserState => ({
  visitor: new Visitor(),
  page: undefined,
  verifier: '',
  shown: new Map(),
});

/** What a browser has shown of a person. */
export const shownOf = (browser: BrowserState, person: Person): Shown => {
  const shown = browser.shown.get(person.account) ?? new Set();
  browser.shown.set(person.account, shown);
  return shown;
};

/** Notes that a password was right. */
export const showPassword = (browser: BrowserState, person: Person): void => {
  const shown = shownOf(browser, person).add('pwd');
  if (!person.app) shown.add('no-app');
};
