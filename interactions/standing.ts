import * as assurance from '../accounts/assurance.ts';
import type { Context } from '../accounts/context.ts';
import type * as dossiers from '../accounts/dossier.ts';
import { enrolled } from '../accounts/factors.ts';
import { type AccountId, parseAccountId } from '../accounts/ids.ts';
import * as passkeys from '../accounts/passkeys.ts';
import * as sessions from '../accounts/session-notes.ts';
import type { Registration } from '../accounts/town.ts';
import type { PageDeps } from './deps.ts';
import type { Needs } from './next-step.ts';
import type { Progress } from './progress.ts';

export type Interaction = Awaited<ReturnType<ReturnType<PageDeps['provider']>['interactionDetails']>>;

/** Whether the running session stays and only shows more: nothing but the level asked for this interaction. */
const stepsUp = (interaction: Interaction, progress: Progress): boolean =>
  interaction.prompt.name === 'login' &&
  progress.otherAccount !== true &&
  interaction.session?.accountId !== undefined &&
  interaction.prompt.reasons.every((reason) => reason === 'assurance');

/** Whose interaction it is: proven in it; or, when the session goes on, the account of that session. */
export const accountOf = (interaction: Interaction, progress: Progress): AccountId | undefined => {
  const ofSession = parseAccountId(interaction.session?.accountId);
  if (interaction.prompt.name !== 'login') return ofSession;
  return stepsUp(interaction, progress) ? ofSession : progress.evidence?.account;
};

/** How far a sign-in has come for what the service asks. */
export type Standing = Pick<Needs, 'proof' | 'recoveryTotp' | 'offerPasskey'> & {
  /** What the sign-in rests on: shown here, and before in the running session where that counts. */
  readonly proofs: readonly assurance.Proof[];
  /** What the account has. */
  readonly has: assurance.Enrolled | undefined;
  /** The session of this account goes on and only more is asked for. */
  readonly steppingUp: boolean;
  /** A code of the app would do; where there is a passkey, it may not. */
  readonly appHelps: boolean;
  /** What is missing is a wish: the citizen may leave it. */
  readonly optional: boolean;
  /** What a source has to be asked for: a wish counts only once the citizen is known, as it must keep nobody out. */
  readonly levelNeeded: assurance.Level;
};

/** What was shown, what the account has, and what is missing for what the service asks. */
export const standingOf = async (
  domain: Context,
  dossier: dossiers.Dossier | undefined,
  registration: Registration,
  interaction: Interaction,
  progress: Progress,
): Promise<Standing> => {
  const account = dossier?.account;
  const steppingUp = account !== undefined && stepsUp(interaction, progress);
  const shown = progress.evidence?.account === account?.id ? (progress.evidence?.proofs ?? []) : [];
  const before = steppingUp ? assurance.decodeProofs(interaction.session?.acr) : [];
  const proofs = assurance.joinProofs(before, shown);
  const requirement = assurance.requirementOf(interaction.params, registration);
  const levelNeeded = assurance.levelNeeded(requirement, account !== undefined && progress.skipped !== true);
  const nothing = {
    proofs,
    steppingUp,
    appHelps: true,
    optional: false,
    levelNeeded,
    offerPasskey: false,
    recoveryTotp: false,
  };
  if (dossier === undefined || account === undefined) {
    const recovering = progress.path === 'forgotten' ? progress.recovery : undefined;
    const recoveryTotp = recovering !== undefined && (await enrolled(domain, recovering.account)).totp;
    return { ...nothing, has: undefined, proof: 'primary', recoveryTotp };
  }
  const { has } = dossier;
  if (interaction.prompt.name !== 'login') return { ...nothing, has, proof: 'nothing' };

  const kinds = new Set(proofs.map(({ kind }) => kind));
  const alone =
    kinds.has('pwd') &&
    !kinds.has('otp') &&
    !kinds.has('code') &&
    !kinds.has('passkey') &&
    !kinds.has('eid') &&
    !kinds.has('bundid');
  if (alone && has.totp) return { ...nothing, has, proof: 'second-factor' };

  const used = steppingUp ? await sessions.lastUse(domain, interaction.session?.uid ?? '') : undefined;
  const evidence = { proofs, usedAt: used && Math.floor(used.getTime() / 1000) };
  const now = Math.floor(domain.now().getTime() / 1000);
  const missing = assurance.missingFor(requirement, evidence, has, now);
  const bound = assurance.isBound(requirement, evidence, has, now);
  const appHelps = assurance.reaches(['otp'], requirement, evidence, has, now);
  // A wish that cannot be granted, or that the citizen has turned down, does not keep anybody out.
  const proof = bound && (missing === 'unreachable' || progress.skipped === true) ? 'nothing' : missing;
  const offer =
    proof === 'nothing' &&
    progress.capable === true &&
    progress.shared !== true &&
    progress.offered !== true &&
    progress.welcome === undefined &&
    // A test suite that drives a browser knows of a sign-in and a consent, and of nothing between them.
    registration?.trial !== true &&
    has.passkeys === 0 &&
    shown.some(({ kind }) => kind === 'pwd' || kind === 'eid' || kind === 'bundid');
  const offerPasskey = offer && !(await passkeys.declined(domain, account.id));
  return { ...nothing, has, proof, appHelps, optional: bound && missing !== 'nothing', offerPasskey };
};
