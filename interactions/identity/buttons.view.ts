import { form, submit } from '../form.view.ts';
import { type Fragment, html } from '../html.ts';
import type { Visit } from '../visit.ts';
import { isOffered } from './start.ts';

/** The identity sources that can be used here and now, a button each; nothing where there is none. */
export const sourceButtons = (visit: Visit, title: string): Fragment => {
  const { eid, bundid, upstream } = visit.deps.sources ?? {};
  const t = visit.t.identity.buttons;
  const buttons = [
    eid?.up() === true && isOffered(visit, 'eid') && form(visit, 'eid', submit(t.eid, 'secondary')),
    bundid !== undefined && isOffered(visit, 'bundid') && form(visit, 'bundid', submit(t.bundid, 'secondary')),
    upstream?.up() === true && isOffered(visit, 'upstream') && form(visit, 'upstream', submit(t.upstream, 'secondary')),
  ].filter((button) => button !== false);
  if (buttons.length === 0) return null;
  return html`<section class="ss-aside"><h2 class="kern-heading-small">${title}</h2>${buttons}</section>`;
};
