import * as audit from '../../accounts/audit.ts';
import { html } from '../html.ts';
import type { KontoPage, Visitor } from './konto.ts';
import { day, kontoPage, moment } from './page.view.ts';

const LINES = 500;

const view = async (visitor: Visitor): Promise<string> => {
  const t = visitor.t.konto.log;
  const lines = (await audit.recent(visitor.domain, visitor.account.id, LINES)).filter(({ event }) =>
    Object.hasOwn(t.events, event),
  );
  const more = (detail: audit.LogLine['detail']): string => {
    const name = t.methods[String(detail['method'])] ?? detail['device'];
    return typeof name === 'string' && name !== '' ? ` (${name})` : '';
  };
  // What changed the account is kept by the day only.
  const when = (at: Date): string => (at.getTime() % 86_400_000 === 0 ? day : moment)(at, visitor.shell.language);
  return kontoPage(visitor, {
    title: t.title,
    body: html`<p class="kern-body">${t.lead}</p>
    ${lines.length === 0 && html`<p class="kern-body">${t.empty}</p>`}
    <ul class="ss-log">${lines.map(
      ({ at, event, detail, byStaff }) =>
        html`<li class="ss-log__line"><time class="ss-log__time" datetime="${at.toISOString()}">${when(at)}</time> <span>${t.events[event]}${more(detail)}${byStaff && `, ${t.byOthers}`}</span></li>`,
    )}</ul>`,
  });
};

/** What happened to the account; never a service. */
export const page: KontoPage = { fresh: false, view, posts: {} };
