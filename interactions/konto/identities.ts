import * as identities from '../../accounts/identities.ts';
import type { Form } from '../form.ts';
import { submit } from '../form.view.ts';
import { type Html, html } from '../html.ts';
import { inLanguage } from '../language.ts';
import { type KontoOutcome, type KontoPage, type Visitor, wrong } from './konto.ts';
import { day, kontoForm, kontoPage } from './page.view.ts';

const entry = (visitor: Visitor, identity: identities.Identity): Html => {
  const t = visitor.t.konto;
  const own = visitor.t.identity.konto;
  const { language } = visitor.shell;
  const facts = [
    t.since(day(identity.linkedAt, language)),
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

const view = async (visitor: Visitor): Promise<string> => {
  const t = visitor.t.identity.konto;
  const all = await identities.list(visitor.domain, visitor.account.id);
  return kontoPage(visitor, {
    title: t.title,
    body: html`<p class="kern-body">${t.lead}</p>
    ${all.length === 0 && html`<p class="kern-body">${t.none}</p>`}
    <ul class="ss-list">${all.map((identity) => entry(visitor, identity))}</ul>
    <p class="kern-body">${t.how}</p>`,
  });
};

/** An id of the list, as it stands in the form. */
const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

const remove = async (visitor: Visitor, form: Form): Promise<KontoOutcome> => {
  const { account, deps, domain } = visitor;
  const id = form.text('id');
  if (!ID.test(id)) return { go: 'page', flash: { done: false } };
  const { mail } = visitor.t.identity;
  const unlinked = { subject: mail.subject, text: mail.unlinked(inLanguage(deps.town.name, visitor.shell.language)) };
  const outcome = await identities.unlink(domain, account.id, id, { unlinked, email: account.email });
  if (outcome.outcome === 'last-way-in') return wrong([{ code: 'identity', identity: 'last-way-in' }]);
  return { go: 'page', flash: { done: outcome.outcome === 'unlinked' } };
};

/** The linked identities; one may go, but never the last way in. */
export const page: KontoPage = {
  fresh: false,
  view,
  posts: { remove: { fields: ['id'], fresh: true, handle: remove } },
};
