import { form, submit } from '../form.view.ts';
import { html } from '../html.ts';
import type { Flash } from '../progress.ts';
import type { Visit } from '../visit.ts';
import { addressFields } from './address-fields.ts';
import { stepPage } from './page.view.ts';

/** Offers to keep a postal address. */
export const view = (visit: Visit): string => {
  const t = visit.t.address;
  const flash: Flash | undefined = visit.flash;
  return stepPage(visit, {
    title: t.title,
    back: true,
    body: html`<p class="kern-body">${t.lead}</p>
    ${form(visit, 'address', html`${addressFields({ shell: visit.shell, flash }, t)}${submit(t.submit)}`)}
    ${form(visit, 'without-address', submit(t.skip, 'secondary'))}`,
  });
};
