import { form, submit } from '../form.view.ts';
import { type Fragment, html } from '../html.ts';
import type { Visit } from '../visit.ts';

/** The identity sources that can be used now, a button each; nothing where there is none. */
export const sourceButtons = (visit: Visit, options: { readonly title: string; readonly staff: boolean }): Fragment => {
  const { eid, bundid, upstream } = visit.deps.sources ?? {};
  const t = visit.t.identity.buttons;
  const buttons = [
    eid?.up() === true && form(visit, 'eid', submit(t.eid, 'secondary')),
    bundid !== undefined && form(visit, 'bundid', submit(t.bundid, 'secondary')),
    options.staff && upstream?.up() === true && form(visit, 'upstream', submit(t.upstream, 'tertiary')),
  ].filter((button) => button !== false && button !== undefined);
  if (buttons.length === 0) return null;
  return html`<section class="ss-aside"><h2 class="kern-heading-small">${options.title}</h2>${buttons}</section>`;
};
