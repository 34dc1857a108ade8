import { submit } from '../form.view.ts';
import { html, safeUrl } from '../html.ts';
import { stepPage } from '../steps/page.view.ts';
import type { Step, Visit } from '../visit.ts';
import * as exchanges from './exchanges.ts';
import { giveUp } from './settle.ts';

/** Back from the source's page, by hand: the exchange is over. */
const back = {
  fields: [],
  handle: async (visit: Visit) => {
    const { exchange } = visit.progress;
    if (exchange !== undefined) await exchanges.end(visit.deps.fleeting, exchange.id);
    return giveUp(visit);
  },
};

/** Leads to AusweisApp on this device, and says what to do if there is none. */
const eidView = (visit: Visit): string => {
  const t = visit.t.identity.eid;
  const { eid } = visit.deps.sources ?? {};
  const door = visit.progress.exchange?.door ?? '';
  const links = eid?.links(new URL(`/eid/tc-token?t=${door}`, visit.deps.issuer));
  const status = new URL('?Status=json', eid?.client ?? 'http://127.0.0.1:24727/eID-Client');
  return stepPage(visit, {
    title: t.title,
    back: true,
    scripts: ['page.js', 'eid.js'],
    body: html`<p class="kern-body">${t.lead}</p>
    <ul class="kern-body ss-list"><li>${t.card}</li><li>${t.pin}</li><li>${t.reader}</li></ul>
    <div class="ss-actions">
      <a class="kern-btn kern-btn--primary ss-btn--wide" href="${safeUrl(links?.desktop)}"><span class="kern-label">${t.open}</span></a>
      <a class="kern-btn kern-btn--secondary ss-btn--wide" href="${links?.mobile}"><span class="kern-label">${t.openMobile}</span></a>
    </div>
    <p class="kern-body" data-eid-missing hidden role="status"><strong>${t.notRunning}</strong></p>
    <section class="ss-aside" data-eid-status="${safeUrl(status.href)}"><h2 class="kern-heading-small">${t.missingTitle}</h2>
      <p class="kern-body">${t.missing}</p>
      <p class="kern-body"><a class="kern-link" href="https://www.ausweisapp.bund.de/download" rel="noreferrer">${t.download}</a></p>
      <p class="kern-body">${t.otherWays}</p>
    </section>`,
  });
};

const bundIdView = async (visit: Visit): Promise<string> => {
  const t = visit.t.identity.bundid;
  const { exchange } = visit.progress;
  const found = exchange && (await exchanges.find(visit.deps.fleeting, exchange.id));
  const asked = found?.asked.source === 'bundid' ? found.asked : undefined;
  return stepPage(visit, {
    title: t.title,
    back: true,
    body: html`<p class="kern-body">${t.lead}</p>
    ${
      asked === undefined
        ? html`<p class="kern-body">${t.over}</p>`
        : html`<form method="post" action="${safeUrl(asked.action)}" class="ss-form">
      <input type="hidden" name="SAMLRequest" value="${asked.samlRequest}">
      <input type="hidden" name="RelayState" value="${exchange?.door ?? ''}">
      ${submit(t.submit)}
    </form>`
    }`,
  });
};

const upstreamView = async (visit: Visit): Promise<string> => {
  const t = visit.t.identity.upstream;
  const { exchange } = visit.progress;
  const found = exchange && (await exchanges.find(visit.deps.fleeting, exchange.id));
  const url = found?.asked.source === 'upstream' ? found.asked.url : undefined;
  return stepPage(visit, {
    title: t.title,
    back: true,
    body: html`<p class="kern-body">${url === undefined ? t.over : t.lead}</p>
    ${url !== undefined && html`<div class="ss-actions"><a class="kern-btn kern-btn--primary ss-btn--wide" href="${safeUrl(url)}"><span class="kern-label">${t.submit}</span></a></div>`}`,
  });
};

/** The page may ask AusweisApp on this very device whether it runs. */
export const eidStep: Step = {
  view: eidView,
  posts: { back },
  policy: (visit) => ({
    'connect-src': `'self' ${(visit.deps.sources?.eid?.client ?? new URL('http://127.0.0.1:24727')).origin}`,
  }),
};

/** The form goes to BundID, and where that leads on to is unknown here; nothing in it was typed by anybody. */
export const bundIdStep: Step = { view: bundIdView, posts: { back }, policy: () => ({ 'form-action': undefined }) };

export const upstreamStep: Step = { view: upstreamView, posts: { back } };
