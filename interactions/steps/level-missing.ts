import { form, submit } from '../form.view.ts';
import { html } from '../html.ts';
import { sourceButtons } from '../identity/buttons.view.ts';
import { sourcePosts } from '../identity/start.ts';
import type { Step, Visit } from '../visit.ts';
import { officeAddress, stepPage } from './page.view.ts';
import { waysOut } from './sign-in.ts';

/** Says that the account cannot reach what the service requires, and how it could. */
const view = (visit: Visit): string => {
  const t = visit.t.levelMissing;
  return stepPage(visit, {
    title: t.title,
    cancel: false,
    body: html`<p class="kern-body">${t.lead(visit.service)}</p>
    <h2 class="kern-heading-small">${t.how}</h2>
    <ul class="kern-body ss-bullets"><li>${t.factors} <a class="kern-link" href="/konto">${t.toKonto}</a></li><li>${t.eid}</li><li>${t.office}</li></ul>
    ${officeAddress(visit.shell)}
    ${sourceButtons(visit, visit.t.identity.buttons.signIn)}
    <div class="ss-row">
      ${form(visit, 'back-to-service', submit(t.back, 'primary', false))}
      ${form(visit, 'other-account', submit(visit.t.signInMore.otherAccount, 'tertiary', false))}
    </div>`,
  });
};

export const step: Step = {
  view,
  posts: { ...sourcePosts, ...waysOut, 'back-to-service': { fields: [], handle: async () => ({ go: 'unmet' }) } },
};
