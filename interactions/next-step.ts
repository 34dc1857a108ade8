import type { Missing } from '../accounts/assurance.ts';
import { find } from './factor-finder.ts';
import type { Progress } from './progress.ts';

/** The pages of an interaction. */
export type StepName =
  | 'sign-in'
  | 'eid'
  | 'bundid'
  | 'upstream'
  | 'identity'
  | 'open-account'
  | 'link'
  | 'double'
  | 'second-factor'
  | 'level-missing'
  | 'other-ways'
  | 'forgotten'
  | 'forgotten-second-factor'
  | 'forgotten-password'
  | 'offer-passkey'
  | 'email'
  | 'email-code'
  | 'address'
  | 'credential'
  | 'find-factor'
  | 'password'
  | 'backup-codes'
  | 'kennung'
  | 'needs-email'
  | 'details'
  | 'consent'
  | 'done';

/** What the service and the account require, looked up anew for every request. */
export type Needs = {
  /** The account that this interaction is for: proven in it, or that of the session; none before that. */
  readonly account: { readonly hasEmail: boolean } | undefined;
  /** What is to be shown before the sign-in carries what was asked for. */
  readonly proof: Missing;
  /** Whether the account of a forgotten password has an authenticator app. */
  readonly recoveryTotp: boolean;
  /** The citizen may be offered a passkey. */
  readonly offerPasskey: boolean;
  /** The service must be able to reach the citizen by e-mail. */
  readonly needsEmail: boolean;
  /** Claims that the service requires and the account lacks. */
  readonly missing: readonly string[];
  readonly consentDue: boolean;
};

/**
 * The page that comes next. Pure: it depends on nothing but what was proven and what is required, so that no order of
 * requests leads past a proof.
 */
export const nextStep = (progress: Progress, needs: Needs): StepName => {
  if (progress.exchange !== undefined) return progress.exchange.source;
  if (needs.account === undefined) {
    if (progress.identity !== undefined && progress.identity.intent === undefined) return 'identity';
    if (progress.path === 'sign-in' || progress.path === 'other-ways') return progress.path;
    if (progress.path === 'forgotten') return recoveryStep(progress, needs);
    const draft = progress.draft ?? { contact: 'open' };
    // A draft without an address may have been begun before the service was known to need one.
    if (draft.contact === 'open' || (draft.contact === 'none' && needs.needsEmail)) return 'email';
    if (draft.contact === 'email' && draft.emailProven !== true) return 'email-code';
    if (draft.address === undefined) return 'address';
    if (progress.identity?.intent === 'open') return 'open-account';
    if (draft.method === 'password') return 'password';
    return draft.answers === undefined ? 'credential' : 'find-factor';
  }
  // Before anything else: half a sign-in opens nothing (miniOrange CVE-2026-111949).
  if (needs.proof === 'second-factor') return 'second-factor';
  // An identity that is to be linked may be what the level waits for; linking asks for the strongest factor by itself.
  if (progress.identity !== undefined && (needs.proof === 'nothing' || needs.proof === 'unreachable'))
    return progress.identity.intent === 'double' ? 'double' : 'link';
  if (needs.proof === 'unreachable') return 'level-missing';
  if (needs.proof !== 'nothing') return 'sign-in';
  if (progress.welcome?.backupCodes !== undefined) return 'backup-codes';
  if (progress.welcome !== undefined) return 'kennung';
  if (needs.offerPasskey && progress.offered !== true) return 'offer-passkey';
  if (needs.needsEmail && !needs.account.hasEmail) return 'needs-email';
  if (needs.missing.length > 0) return 'details';
  if (needs.consentDue && progress.consented !== true) return 'consent';
  return 'done';
};

/** A forgotten password: a code from paper, the app where there is one, and only then a new password. */
const recoveryStep = ({ recovery }: Progress, needs: Needs): StepName => {
  if (recovery === undefined) return 'forgotten';
  const shown = recovery.proofs.map(({ kind }) => kind);
  if (!shown.includes('code')) return 'forgotten';
  return needs.recoveryTotp && !shown.includes('otp') ? 'forgotten-second-factor' : 'forgotten-password';
};

/** The progress one page back in the registration; undefined where there is no way back. */
export const oneStepBack = (progress: Progress, step: StepName): Progress | undefined => {
  const { draft = { contact: 'open' }, flash: _, ...rest } = progress;
  const { address, method, answers, ...contact } = draft;
  switch (step) {
    case 'email':
    case 'other-ways':
    case 'forgotten':
    case 'forgotten-second-factor':
    case 'forgotten-password':
      return { path: 'sign-in' };
    case 'email-code':
    case 'address':
      // A proven address stays proven: going back must not cost another mail.
      return { ...rest, draft: { ...contact, contact: 'open' } };
    case 'credential':
      return { ...rest, draft: contact };
    case 'password':
      return { ...rest, draft: { ...contact, ...(address !== undefined && { address }), ...(answers && { answers }) } };
    case 'find-factor': {
      const { given } = find((question) => answers?.[question]);
      const fewer = given.length > 0 && { answers: Object.fromEntries(given.slice(0, -1)) };
      return { ...rest, draft: { ...contact, ...(address !== undefined && { address }), ...fewer } };
    }
    default:
      return undefined;
  }
};
