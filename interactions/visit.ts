import type Koa from 'koa';
import { errors } from 'oidc-provider';
import type { AccountRow } from '../accounts/account-row.ts';
import type * as accounts from '../accounts/accounts.ts';
import * as claims from '../accounts/claims.ts';
import * as consents from '../accounts/consents.ts';
import type { Context } from '../accounts/context.ts';
import * as dossiers from '../accounts/dossier.ts';
import { type ClientId, parseClientId } from '../accounts/ids.ts';
import type { Registration } from '../accounts/town.ts';
import { isBegunHere } from './begun-here.ts';
import type { PageDeps } from './deps.ts';
import { isShared } from './device.ts';
import type { PageError } from './errors.view.ts';
import type { Form } from './form.ts';
import { type PolicyChanges, shellOf } from './http.ts';
import { inLanguage, textsIn } from './language.ts';
import type { Shell } from './layout.view.ts';
import { type Needs, nextStep, type StepName } from './next-step.ts';
import type { Flash, Progress } from './progress.ts';
import * as progresses from './progress.ts';
import { accountOf, type Interaction, type Standing, standingOf } from './standing.ts';
import type { Texts } from './texts/de.ts';

/** One request to an interaction: who asks, for which service, how far it has come, and what comes next. */
export type Visit = Omit<Standing, keyof Needs> & {
  readonly deps: PageDeps;
  readonly ctx: Koa.Context;
  readonly domain: Context;
  readonly interaction: Interaction;
  readonly uid: string;
  /** For the forms of this interaction. */
  readonly token: string;
  readonly registration: Registration;
  readonly clientId: ClientId;
  readonly service: string;
  readonly organisation: string;
  readonly shell: Shell;
  readonly t: Texts;
  readonly progress: Progress;
  /** The same as it was read, for the change that a form makes. */
  readonly read: progresses.ReadProgress;
  readonly account: accounts.Account | undefined;
  /** The claims that the service asks for in this request and may get. */
  readonly requested: readonly string[];
  /** The APIs of other organisations that the service asks to call for the citizen, by identifier. */
  readonly apis: readonly string[];
  /** The values that the account has for the claims now. */
  readonly values: Readonly<Record<string, unknown>>;
  readonly needs: Needs;
  readonly step: StepName;
  /** What the last form left, if it was for this step. */
  readonly flash: Flash | undefined;
};

/** What a form leads to. */
export type Outcome =
  /** On to whatever page is next; `apply` runs against the newest progress and may refuse by returning undefined. */
  | { readonly go: 'on'; readonly apply?: (progress: Progress) => Progress | undefined; readonly flash?: Flash }
  /** Back to the service without a sign-in. */
  | { readonly go: 'back-to-service' }
  /** Back to the service, which asked for more than the account can show. */
  | { readonly go: 'unmet' }
  | { readonly go: 'json'; readonly body: object }
  | { readonly go: 'error'; readonly error: PageError };

export type Post = {
  /** The fields that the form has; others are refused. */
  readonly fields: readonly string[];
  readonly handle: (visit: Visit, form: Form) => Promise<Outcome>;
};

/** A page of the interaction and the forms that may be sent from it, by action. Steps know nothing of one another. */
export type Step = {
  readonly view: (visit: Visit) => string | Promise<string>;
  readonly posts: Readonly<Record<string, Post>>;
  readonly policy?: (visit: Visit) => PolicyChanges;
};

/** Back to the same page with what is wrong. */
export const faulty = (faults: Flash['faults'] & object, values: Record<string, string> = {}): Outcome => ({
  go: 'on',
  flash: { faults, values },
});

const expired = (detail: string): PageError => ({
  kind: 'expired',
  status: 400,
  code: 'interaction_not_found',
  detail,
});

/** The interaction of this browser and this address; undefined if the cookie is missing, foreign or too old. */
const findInteraction = async (deps: PageDeps, ctx: Koa.Context, uid: string): Promise<Interaction | undefined> => {
  try {
    const interaction = await deps.provider().interactionDetails(ctx.req, ctx.res);
    // The cookie names the interaction; the address must name the same one (Keycloak CVE-2026-7507).
    return interaction.uid === uid && isBegunHere(ctx, deps.issuer, uid) ? interaction : undefined;
  } catch (error) {
    if (error instanceof errors.SessionNotFound) return undefined;
    throw error;
  }
};

const param = (interaction: Interaction, name: string): string | undefined => {
  const value = interaction.params[name];
  return typeof value === 'string' ? value : undefined;
};

/** What the service asks for in this request and may get: claims, and APIs of other organisations. */
type Asked = Pick<Visit, 'requested' | 'apis'>;

const askedFor = (registration: Registration, interaction: Interaction): Asked => ({
  requested: claims.requestedClaims(registration, param(interaction, 'scope') ?? '', param(interaction, 'claims')),
  apis: claims.requestedApis(registration, interaction.params['resource']),
});

const needsOf = (
  deps: PageDeps,
  domain: Context,
  dossier: dossiers.Dossier | undefined,
  service: { registration: Registration; clientId: ClientId },
  interaction: Interaction,
  { requested, apis }: Asked,
  standing: Standing,
): Pick<Visit, 'needs' | 'values'> => {
  const { proof, recoveryTotp, offerPasskey } = standing;
  const { registration, clientId } = service;
  const asked = [...requested, ...apis];
  // A trial gets what there is: a test suite cannot be asked for a date of birth.
  const mandatory = registration.trial === true ? [] : registration.claims.filter((use) => use.required);
  const required = mandatory.map((use) => use.claim);
  // A required address can only be given by proving it, not typed in like a name.
  const needsEmail =
    registration.needsEmail || requested.some((claim) => claim === 'email' && required.includes(claim));
  if (dossier === undefined)
    return {
      values: {},
      needs: { account: undefined, proof, recoveryTotp, offerPasskey, needsEmail, missing: [], consentDue: false },
    };
  const { account } = dossier;
  const row: AccountRow | null = asked.length === 0 ? null : dossier.row;
  const values =
    row === null || requested.length === 0
      ? {}
      : claims.releasedFrom(domain, account.id, registration, requested, deps.town, row);
  const missing = requested.filter(
    (claim) =>
      required.includes(claim) && values[claim] === undefined && claims.CLAIM_CATALOGUE[claim]?.from.length !== 0,
  );
  const again = param(interaction, 'prompt')?.split(' ').includes('consent') === true;
  const consent = row === null ? undefined : consents.findIn(domain, account.id, clientId, row);
  return {
    values,
    needs: {
      account: { hasEmail: account.email !== undefined },
      proof,
      recoveryTotp,
      offerPasskey,
      needsEmail,
      missing,
      consentDue: asked.length > 0 && (again || consents.isDue(consent, registration, asked)),
    },
  };
};

/**
 * Opens a request to an interaction, or says why it cannot go on.
 * @param after the visit that this request has opened before, and what its form has made of the progress: the account is
 *   looked up anew, as the change, another tab or an administrator may have made something due
 */
export const open = async (
  deps: PageDeps,
  ctx: Koa.Context,
  uid: string,
  after?: { visit: Visit; progress: Progress },
): Promise<{ outcome: 'open'; visit: Visit } | { outcome: 'refused'; error: PageError; shell: Shell }> => {
  const [interaction, read] =
    after === undefined
      ? await Promise.all([findInteraction(deps, ctx, uid), progresses.read(deps.fleeting, uid)])
      : [after.visit.interaction, after.visit.read];
  const shell = shellOf(ctx, deps, interaction?.params['ui_locales']);
  if (interaction === undefined)
    return { outcome: 'refused', shell, error: expired('no interaction with this id belongs to this browser') };
  const clientId = parseClientId(param(interaction, 'client_id'));
  const registration = clientId && (await deps.registration(clientId));
  if (clientId === undefined || registration === undefined)
    return {
      outcome: 'refused',
      shell,
      error: { kind: 'client', status: 400, code: 'invalid_client', detail: 'the service is not registered any more' },
    };

  const progress = after?.progress ?? read.value;
  const system = deps.context();
  const id = accountOf(interaction, progress);
  const domain: Context = { ...system, actor: { kind: 'citizen', ...(id !== undefined && { account: id }) } };
  const asked = askedFor(registration, interaction);
  const found = id && (await dossiers.open(domain, id, asked.requested.length + asked.apis.length > 0));
  // Staff and citizens never mix: to the one's client the other's account does not exist.
  const kind = registration.staff === true ? 'staff' : 'citizen';
  const dossier = found?.account.status === 'active' && found.account.kind === kind ? found : undefined;
  const account = dossier?.account;
  // Locked or closed meanwhile: what was proven counts no longer. A session's own interaction cannot go on without it.
  if (id !== undefined && account === undefined && interaction.prompt.name !== 'login')
    return { outcome: 'refused', shell, error: expired('the account of this session is not active') };

  const here = { ...progress, shared: isShared({ ctx, deps, progress }) };
  const standing = await standingOf(domain, dossier, registration, interaction, here);
  const service = { registration, clientId };
  const { needs, values } = needsOf(deps, domain, dossier, service, interaction, asked, standing);
  const step = nextStep(progress, needs);
  const organisation = deps.town.organisations.find((one) => one.id === registration.organisation);
  return {
    outcome: 'open',
    visit: {
      deps,
      ctx,
      domain,
      interaction,
      uid,
      token: domain.keys.formToken(uid),
      registration,
      clientId,
      service: inLanguage(registration.name, shell.language),
      organisation: organisation === undefined ? '' : inLanguage(organisation.name, shell.language),
      shell: { ...shell, path: shell.path && `/interaction/${uid}` },
      t: textsIn(shell.language),
      progress,
      read,
      account,
      proofs: standing.proofs,
      has: standing.has,
      steppingUp: standing.steppingUp,
      optional: standing.optional,
      appHelps: standing.appHelps,
      levelNeeded: standing.levelNeeded,
      ...asked,
      values,
      needs,
      step,
      flash: progress.flash?.step === step ? progress.flash : undefined,
    },
  };
};

/** How long what belongs to this interaction is kept, in seconds. */
export const secondsLeft = (visit: Pick<Visit, 'interaction' | 'domain'>): number =>
  Math.max(1, Math.ceil(visit.interaction.exp - visit.domain.now().getTime() / 1000));
