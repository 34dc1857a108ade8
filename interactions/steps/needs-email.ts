import { form, submit } from '../form.view.ts';
import { html } from '../html.ts';
import { inLanguage } from '../language.ts';
import { atStart } from '../progress.ts';
import type { Step, Visit } from '../visit.ts';
import { stepPage } from './page.view.ts';

/** Says that the service cannot do without an e-mail address, and what to do instead. */
const view = (visit: Visit): string => {
  const t = visit.t.needsEmail;
  const { office } = visit.deps.town;
  return stepPage(visit, {
    title: t.title,
    body: html`<p class="kern-body">${t.lead(visit.service)}</p>
    <p class="kern-body">${t.office}</p>
    <address class="ss-office"><strong>${inLanguage(office.name, visit.shell.language)}</strong><br>${office.address}<br>${inLanguage(office.hours, visit.shell.language)}</address>
    ${
      visit.interaction.prompt.name === 'login' &&
      html`<section class="ss-aside"><h2 class="kern-heading-small">${t.otherTitle}</h2>
      <p class="kern-body">${t.other}</p>
      ${form(visit, 'other-account', submit(t.otherAccount, 'secondary'))}</section>`
    }`,
  });
};

export const step: Step = {
  view,
  posts: { 'other-account': { fields: [], handle: async () => ({ go: 'on', apply: () => atStart }) } },
};
