import { errorSummary, form, submit } from '../form.view.ts';
import { type Fragment, html } from '../html.ts';
import { inLanguage } from '../language.ts';
import { layout, type Shell } from '../layout.view.ts';
import type { StepName } from '../next-step.ts';
import { unknownPasskey } from '../signals.view.ts';
import type { Visit } from '../visit.ts';

/** The pages of a registration, in their order; for «step 2 of 5». */
const REGISTRATION: readonly StepName[] = ['email', 'address', 'credential', 'kennung'];
const STAGE: Partial<Record<StepName, StepName>> = {
  'email-code': 'email',
  'find-factor': 'credential',
  password: 'credential',
  'backup-codes': 'credential',
};

const preline = (visit: Visit): string => {
  const stage = REGISTRATION.indexOf(STAGE[visit.step] ?? visit.step);
  if (stage >= 0) return visit.t.common.step(stage + 1, REGISTRATION.length);
  return visit.organisation === '' ? visit.service : visit.t.common.signingInTo(visit.service, visit.organisation);
};

/** Where people help in person. */
export const officeAddress = ({ town, language }: Shell): Fragment =>
  html`<address class="ss-office"><strong>${inLanguage(town.office.name, language)}</strong><br>${town.office.address}<br>${inLanguage(town.office.hours, language)}</address>`;

/** Folded up below what is asked for: what to do when nothing of it is there. */
export const nothingThere = ({ t, shell }: Pick<Visit, 't' | 'shell'>): Fragment =>
  html`<details class="ss-details"><summary>${t.otherWays.nothingTitle}</summary><p class="kern-body">${t.otherWays.nothingText}</p>${officeAddress(shell)}</details>`;

/** Where the service says itself what it does with data and under which terms (OpenID Connect Registration §2). */
const notices = ({ registration, service, step, t }: Visit): Fragment => {
  if (step !== 'sign-in' && step !== 'consent') return false;
  const links = [
    { to: registration.policyUri, text: t.common.servicePolicy(service) },
    { to: registration.tosUri, text: t.common.serviceTerms(service) },
  ].filter(({ to }) => to !== undefined);
  return (
    links.length > 0 &&
    html`<ul class="kern-body kern-body--small ss-list">${links.map(
      ({ to, text }) => html`<li><a class="kern-link" href="${to}" rel="noopener">${text}</a></li>`,
    )}</ul>`
  );
};

type StepPage = {
  readonly title: string;
  readonly body: Fragment;
  readonly scripts?: readonly string[];
  /** Offers the way one page back. */
  readonly back?: boolean;
  /** Offers the way back to the service; after an account was created the way leads on. */
  readonly cancel?: boolean;
};

/** A page of the interaction: its place in the whole, mistakes first, ways out last. */
export const stepPage = (visit: Visit, page: StepPage): string => {
  const faults = visit.flash?.faults ?? [];
  const unknown = visit.flash?.unknownPasskey;
  const scripts = page.scripts ?? ['page.js'];
  return layout(visit.shell, {
    title: page.title,
    preline: preline(visit),
    faulty: faults.length > 0,
    scripts: unknown === undefined ? scripts : [...scripts, 'signal.js'],
    body: html`${errorSummary(visit)}
    ${unknown !== undefined && unknownPasskey(visit.deps, unknown)}
    ${page.body}
    ${notices(visit)}
    ${
      (page.back === true || page.cancel !== false) &&
      html`<div class="ss-ways-out">
      ${page.back === true && form(visit, 'back', submit(visit.t.common.back, 'tertiary', false))}
      ${page.cancel !== false && form(visit, 'cancel', submit(visit.t.common.cancel, 'tertiary', false))}
    </div>`
    }`,
  });
};
