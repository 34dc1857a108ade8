import * as identities from '../../accounts/identities.ts';
import type { Form } from '../form.ts';
import { submit } from '../form.view.ts';
import { type Fragment, type Html, html } from '../html.ts';
import { changeMail } from '../identity/double.ts';
import { type KontoOutcome, type KontoPage, type Visitor, wrong } from './konto.ts';
import * as linking from './linking.ts';
import { day, kontoForm, kontoPage } from './page.view.ts';

const entry = (visitor: Visitor, identity: identities.Identity): Html => {
  const t = visitor.t.konto;
  const own = visitor.t.identity.konto;
  const { language } = visitor.shell;
  const facts = [
    own.since(day(identity.linkedAt, language)),
    identity.retiredAt !== undefined && own.retired(day(identity.retiredAt, language)),
    identity.retiredAt === undefined &&
      (identity.lastUsedAt === undefined ? t.neverUsed : t.lastUsed(day(identity.lastUsedAt, language))),
  ].filter(Boolean);
  return html`<li class="ss-choice">
    <h2 class="kern-heading-small">${own.names[identity.source]}</h2>
    <p class="kern-body">${facts.join(' · ')}</p>
    ${
      identity.retiredAt === undefined &&
      html`<details class="ss-details"><summary>${own.remove}</summary>
    <p class="kern-body">${own.removeHint}</p>
    ${kontoForm(visitor, 'remove', html`<input type="hidden" name="id" value="${identity.id}">${submit(own.remove, 'secondary', false)}`)}</details>`
    }
  </li>`;
};

/** A button for each source that can be used now; nothing where there is none. */
const adding = (visitor: Visitor, all: readonly identities.Identity[]): Fragment => {
  const t = visitor.t.identity.konto;
  const sources = linking.offered(visitor);
  if (sources.length === 0) return null;
  return html`<section class="ss-aside"><h2 class="kern-heading-small">${t.addTitle}</h2>
    <p class="kern-body">${t.addText}</p>
    ${all.some(({ retiredAt }) => retiredAt === undefined) && html`<p class="kern-body">${t.newCard}</p>`}
    ${sources.map((source) => kontoForm(visitor, source, submit(t.add[source], 'secondary')))}</section>`;
};

const view: KontoPage['view'] = async (visitor) => {
  const away = await linking.view(visitor);
  if (away !== undefined) return away;
  const t = visitor.t.identity.konto;
  const all = await identities.list(visitor.domain, visitor.account.id);
  return kontoPage(visitor, {
    title: t.title,
    body: html`<p class="kern-body">${all.length === 0 ? t.none : t.lead}</p>
    <ul class="ss-list">${all.map((identity) => entry(visitor, identity))}</ul>
    ${adding(visitor, all)}`,
  });
};

/** An id of the list, as it stands in the form. */
const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

const remove = async (visitor: Visitor, form: Form): Promise<KontoOutcome> => {
  const { account, domain } = visitor;
  const id = form.text('id');
  if (!ID.test(id)) return { go: 'page', flash: { done: false } };
  const outcome = await identities.unlink(domain, account.id, id, {
    unlinked: changeMail(visitor, 'unlinked'),
    email: account.email,
  });
  if (outcome.outcome === 'last-way-in') return wrong([{ code: 'identity', identity: 'last-way-in' }]);
  return { go: 'page', flash: { done: outcome.outcome === 'unlinked' } };
};

/** The linked identities; another one may be linked, and one may go, but never the last way in. */
export const page: KontoPage = {
  fresh: false,
  arrive: linking.arrive,
  view,
  posts: { ...linking.posts, remove: { fields: ['id'], fresh: true, handle: remove } },
};
