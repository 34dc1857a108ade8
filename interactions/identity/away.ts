import type Koa from 'koa';
import type { PageDeps } from '../deps.ts';
import { submit } from '../form.view.ts';
import { type Html, html, safeUrl } from '../html.ts';
import type { PolicyChanges } from '../http.ts';
import { stepPage } from '../steps/page.view.ts';
import type { Texts } from '../texts/de.ts';
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
export const eidBody = (
  deps: Pick<PageDeps, 'sources' | 'issuer'>,
  ctx: Pick<Koa.Context, 'get'>,
  texts: Texts,
  door: string,
): Html => {
  const t = texts.identity.eid;
  const { eid } = deps.sources ?? {};
  const links = eid?.links(new URL(`/eid/tc-token?t=${door}`, deps.issuer));
  const desktop = safeUrl(links?.desktop);
  // What the browser says of itself decides which link comes first, and nothing else.
  const onPhone = /Android|iPhone|iPad|iPod/.test(ctx.get('user-agent'));
  const link = (kind: 'primary' | 'secondary', href: string | undefined, label: string): Html =>
    html`<a class="kern-btn kern-btn--${kind} ss-btn--wide" href="${href}"><span class="kern-label">${label}</span></a>`;
  const status = new URL('?Status=json', eid?.client ?? 'http://127.0.0.1:24727/eID-Client');
  return html`<p class="kern-body">${t.lead}</p>
    <ul class="kern-body ss-bullets"><li>${t.card}</li><li>${t.pin}</li><li>${t.reader}</li></ul>
    <div class="ss-actions">${onPhone ? [link('primary', links?.mobile, t.open), link('secondary', desktop, t.openDesktop)] : [link('primary', desktop, t.open), link('secondary', links?.mobile, t.openMobile)]}</div>
    <p class="kern-body" data-eid-missing hidden role="status"><strong>${t.notRunning}</strong></p>
    <section class="ss-aside" data-eid-status="${safeUrl(status.href)}"><h2 class="kern-heading-small">${t.missingTitle}</h2>
      <p class="kern-body">${t.missing}</p>
      <p class="kern-body"><a class="kern-link" href="https://www.ausweisapp.bund.de/download" rel="noreferrer">${t.download}</a></p>
      <p class="kern-body">${t.otherWays}</p>
    </section>`;
};

/** The page may ask AusweisApp on this very device whether it runs. */
export const eidPolicy = ({ sources }: Pick<PageDeps, 'sources'>): PolicyChanges => ({
  'connect-src': `'self' ${(sources?.eid?.client ?? new URL('http://127.0.0.1:24727')).origin}`,
});

const eidView = (visit: Visit): string =>
  stepPage(visit, {
    title: visit.t.identity.eid.title,
    back: true,
    scripts: ['page.js', 'eid.js'],
    body: eidBody(visit.deps, visit.ctx, visit.t, visit.progress.exchange?.door ?? ''),
  });

/** Leads to BundID by a form of SAML; `asked` is undefined once that is over. */
export const bundIdBody = (texts: Texts, asked: exchanges.Asked | undefined, door: string): Html => {
  const t = texts.identity.bundid;
  return html`<p class="kern-body">${t.lead}</p>
    ${
      asked?.source !== 'bundid'
        ? html`<p class="kern-body">${t.over}</p>`
        : html`<form method="post" action="${safeUrl(asked.action)}" class="ss-form">
      <input type="hidden" name="SAMLRequest" value="${asked.samlRequest}">
      <input type="hidden" name="RelayState" value="${door}">
      ${submit(t.submit)}
    </form>`
    }`;
};

/** The form goes to BundID, and where that leads on to is unknown here; nothing in it was typed by anybody. */
export const BUNDID_POLICY: PolicyChanges = { 'form-action': undefined };

const bundIdView = async (visit: Visit): Promise<string> => {
  const { exchange } = visit.progress;
  const found = exchange && (await exchanges.find(visit.deps.fleeting, exchange.id));
  return stepPage(visit, {
    title: visit.t.identity.bundid.title,
    back: true,
    body: bundIdBody(visit.t, found?.asked, exchange?.door ?? ''),
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

export const eidStep: Step = { view: eidView, posts: { back }, policy: ({ deps }) => eidPolicy(deps) };

export const bundIdStep: Step = { view: bundIdView, posts: { back }, policy: () => BUNDID_POLICY };

export const upstreamStep: Step = { view: upstreamView, posts: { back } };
