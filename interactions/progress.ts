import type { Proof } from '../accounts/assurance.ts';
import type { PostalAddress } from '../accounts/attributes.ts';
import type { LinkableProof } from '../accounts/identities.ts';
import type { AccountId } from '../accounts/ids.ts';
import type { FleetingStore } from '../adapters/oidc-store.ts';
import type { Question } from './factor-finder.ts';
import type { SourceFault, SourceName } from './identity/sources.ts';

/** What a citizen has proven in this sign-in: whose account, by which means and when. */
type Evidence = { readonly account: AccountId; readonly proofs: readonly Proof[] };

/** An account in the making. It holds no credential: the account is created in the request that brings the credential. */
export type Draft = {
  readonly contact: 'open' | 'email' | 'none';
  /** As typed; a code was sent to it. */
  readonly email?: string;
  /** A code from the mail was typed in. */
  readonly emailProven?: boolean;
  readonly address?: PostalAddress | 'none';
  readonly method?: 'password';
  /** The citizen asks which way suits: the answers so far. */
  readonly answers?: Readonly<Partial<Record<Question, string>>>;
  /** When a request set out to create the account (epoch milliseconds): of two tabs only one does. */
  readonly claimedAt?: number;
};

/** Shown once, right after the account was created. */
type Welcome = { readonly kennung: string; readonly backupCodes?: readonly string[] };

/** A mistake to be told on the next page; a code and not a text, so that it is told in the language of that page. */
export type Fault = {
  /** The field it belongs to; none if it concerns the whole form. */
  readonly field?: string;
  readonly code: FaultCode;
  readonly number?: number;
  /** ISO 8601. */
  readonly until?: string;
  /** What went wrong with an identity source. */
  readonly identity?: IdentityFault;
};

/** Why an identity proved nothing, or cannot be used for what was wanted. */
export type IdentityFault =
  | SourceFault
  | 'temporary'
  | 'not-confirmed'
  | 'retired'
  | 'not-active'
  | 'contradiction'
  | 'new-card'
  | 'not-fresh'
  | 'stronger-factor'
  | 'weaker'
  | 'taken'
  | 'wrong-kind'
  | 'last-way-in';

type FaultCode =
  | 'identifier-missing'
  | 'password-missing'
  | 'sign-in-wrong'
  | 'sign-in-wait'
  | 'passkey-wrong'
  | 'account-gone'
  | 'email-invalid'
  | 'email-taken'
  | 'code-missing'
  | 'code-wrong'
  | 'code-expired'
  | 'code-wait'
  | 'street-missing'
  | 'postal-code-invalid'
  | 'locality-missing'
  | 'passkey-failed'
  | 'new-password-missing'
  | 'new-password-different'
  | 'new-password-short'
  | 'new-password-long'
  | 'new-password-common'
  | 'new-password-local'
  | 'new-password-breached'
  | 'otp-missing'
  | 'otp-wrong'
  | 'recovery-code-missing'
  | 'recovery-wrong'
  | 'passkey-last'
  | 'passkey-taken'
  | 'password-first'
  | 'email-same'
  | 'codes-unconfirmed'
  | 'answer-missing'
  | 'given-name-missing'
  | 'family-name-missing'
  | 'birthdate-invalid'
  | 'identity'
  | 'consent-changed'
  | 'staff-only'
  | 'letter-code-mistyped'
  | 'letter-code-wrong'
  | 'letter-code-over'
  | 'letter-code-early'
  | 'letter-code-wait'
  | 'letter-expired';

/** What the last form left for the page after it: mistakes, a good word, and what was typed (never a secret). */
export type Flash = {
  /** The page that it is for. */
  readonly step?: string;
  readonly faults?: readonly Fault[];
  readonly notice?: 'code-resent';
  /** The id of a passkey that does not sign in (any more), for the browser to forget it. */
  readonly unknownPasskey?: string;
  readonly values?: Readonly<Record<string, string>>;
};

/** What has happened in one interaction so far. Kept under its uid, sealed, no longer than the interaction itself. */
export type Progress = {
  readonly path: 'sign-in' | 'register' | 'other-ways' | 'forgotten';
  readonly evidence?: Evidence;
  readonly draft?: Draft;
  readonly welcome?: Welcome;
  /** The citizen's browser is away at an identity source; `door` is the way back in. */
  readonly exchange?: { readonly source: SourceName; readonly id: string; readonly door?: string };
  /** A source has proven an identity that does not sign in to the account at hand, or to none at all. */
  readonly identity?: {
    readonly proof: LinkableProof;
    readonly intent?: 'open' | 'link' | 'double';
    /** The account that it signs in to. */
    readonly other?: AccountId;
  };
  /** The citizen has answered the consent page. */
  readonly consented?: boolean;
  readonly flash?: Flash;
  /** The running session is another person's. */
  readonly otherAccount?: boolean;
  /** A computer that others use too: the session ends with the browser. */
  readonly shared?: boolean;
  /** The browser can make passkeys. */
  readonly capable?: boolean;
  /** The citizen did not want to show more than must be. */
  readonly skipped?: boolean;
  /** The offer of a passkey was answered. */
  readonly offered?: boolean;
  /** A forgotten password: whose, and what was shown instead of it. Counts for nothing but a new password. */
  readonly recovery?: Evidence & {
    /** The account's credential state at that time; any change of a credential ends the recovery. */
    readonly state: number;
  };
};

const KIND = 'Progress';
const MAX_TRIES = 8;

export const atStart: Progress = { path: 'sign-in' };

/** A progress as it was read; no version for an interaction that has none yet. */
export type ReadProgress = { readonly value: Progress; readonly version?: number };

/** The progress of an interaction; the start for one that has none yet. */
export const read = async (store: FleetingStore, uid: string): Promise<ReadProgress> =>
  (await store.get<Progress>(KIND, uid)) ?? { value: atStart };

/**
 * Applies a change to the newest progress, again if another request was faster. `change` is pure and may be called more
 * than once; it returns undefined if the change no longer fits, and then nothing is written. Whether it was written.
 * @param known what this request has read: if nothing has changed since, it need not be read again
 */
export const change = async (
  store: FleetingStore,
  uid: string,
  ttlSeconds: number,
  apply: (progress: Progress) => Progress | undefined,
  known?: ReadProgress,
): Promise<boolean> => {
  for (let tries = 0; tries < MAX_TRIES; tries += 1) {
    const found = tries === 0 && known !== undefined ? known : await read(store, uid);
    if (found.version === undefined) {
      await store.put(KIND, uid, atStart, ttlSeconds);
      continue;
    }
    const next = apply(found.value);
    if (next === undefined) return false;
    if (await store.replace(KIND, uid, next, found.version, ttlSeconds)) return true;
  }
  throw new Error('the progress of an interaction changes too often');
};

/** Forgets the progress; the interaction is over. */
export const end = async (store: FleetingStore, uid: string): Promise<void> => {
  await store.take(KIND, uid);
};
