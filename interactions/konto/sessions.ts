import * as audit from '../../accounts/audit.ts';
import * as sessions from '../../accounts/session-notes.ts';
import type { Form } from '../form.ts';
import { submit } from '../form.view.ts';
import { html } from '../html.ts';
import type { KontoOutcome, KontoPage, Visitor } from './konto.ts';
import { kontoForm, kontoPage, moment } from './page.view.ts';

const view = async (visitor: Visitor): Promise<string> => {
  const t = visitor.t.konto.sessions;
  const { deps, domain, account } = visitor;
  const { language } = visitor.shell;
  const running = await deps.sessions.list(account.id);
  const notes = await sessions.notes(
    domain,
    account.id,
    running.map(({ uid }) => uid),
  );
  const entries = running
    .map((session) => {
      const note = notes.get(session.uid);
      const used = new Date(Math.max(session.usedAt.getTime(), note?.usedAt.getTime() ?? 0));
      return { ...session, note, used, own: session.uid === visitor.uid };
    })
    .sort((one, other) => other.used.getTime() - one.used.getTime());
  return kontoPage(visitor, {
    title: t.title,
    body: html`<p class="kern-body">${t.lead}</p>
    <ul class="ss-list">${entries.map(
      ({ uid, shared, note, used, own }) => html`<li class="ss-choice">
      <h2 class="kern-heading-small">${note?.device || t.unknown}${own && ` (${t.this})`}</h2>
      <p class="kern-body">${[note && t.started(moment(note.startedAt, language)), t.used(moment(used, language)), shared && t.shared].filter(Boolean).join(' · ')}</p>
      ${!own && kontoForm(visitor, 'end', html`<input type="hidden" name="session" value="${domain.keys.formToken(`session ${uid}`)}">${submit(t.end, 'secondary', false)}`)}
    </li>`,
    )}</ul>
    ${entries.length > 1 && kontoForm(visitor, 'end-others', submit(t.endOthers, 'primary', false))}`,
  });
};

const ended = async (visitor: Visitor, count: number): Promise<KontoOutcome> => {
  await audit.record(visitor.domain, 'session-ended', { account: visitor.account.id, detail: { sessions: count } });
  return { go: 'page', flash: { done: true } };
};

const end = async (visitor: Visitor, form: Form): Promise<KontoOutcome> => {
  const { deps, domain, account } = visitor;
  const running = await deps.sessions.list(account.id);
  // The page names a session by a token, as its uid is known to nobody but us.
  const wanted = running.find(({ uid }) => domain.keys.checkFormToken(`session ${uid}`, form.text('session')));
  if (wanted === undefined || wanted.uid === visitor.uid) return { go: 'page' };
  await deps.sessions.end(account.id, { only: wanted.uid });
  return ended(visitor, 1);
};

const endOthers = async (visitor: Visitor): Promise<KontoOutcome> => {
  const count = await visitor.deps.sessions.end(visitor.account.id, { except: visitor.uid });
  return ended(visitor, count);
};

export const page: KontoPage = {
  fresh: false,
  view,
  posts: {
    end: { fields: ['session'], fresh: false, handle: end },
    'end-others': { fields: [], fresh: false, handle: endOthers },
  },
};
