import { errorSummary } from '../form.view.ts';
import { type Fragment, type Html, html } from '../html.ts';
import type { Language } from '../language.ts';
import { layout } from '../layout.view.ts';
import type { Visitor } from './konto.ts';

const TIME_ZONE = 'Europe/Berlin';

const localeOf = (language: Language): string => (language === 'en' ? 'en-GB' : language);

/** A day as a citizen reads it. */
export const day = (at: Date, language: Language): string =>
  new Intl.DateTimeFormat(localeOf(language), { timeZone: TIME_ZONE, dateStyle: 'medium' }).format(at);

/** Day and time as a citizen reads them. */
export const moment = (at: Date, language: Language): string =>
  new Intl.DateTimeFormat(localeOf(language), { timeZone: TIME_ZONE, dateStyle: 'medium', timeStyle: 'short' }).format(
    at,
  );

type Page = {
  readonly title: string;
  readonly body: Fragment;
  readonly scripts?: readonly string[];
  readonly top?: boolean;
};

/** A page of the account: mistakes or good news first, the way back last. */
export const kontoPage = (visitor: Visitor, page: Page): string => {
  const { t, flash } = visitor;
  return layout(visitor.shell, {
    title: page.title,
    preline: page.top === true ? undefined : t.konto.title,
    faulty: (flash?.faults ?? []).length > 0,
    scripts: page.scripts ?? ['page.js'],
    body: html`${errorSummary(visitor)}
    ${
      flash?.done === true &&
      html`<div class="kern-alert kern-alert--success ss-notice" role="status"><div class="kern-alert__header"><span class="kern-icon kern-icon--success" aria-hidden="true"></span><p class="kern-title">${t.konto.done}</p></div></div>`
    }
    ${page.body}
    ${page.top !== true && html`<p class="kern-body ss-no-print"><a class="kern-link kern-link--no-visited-state" href="/konto">${t.konto.back}</a></p>`}`,
  });
};

/** A form of these pages: posts to `/konto/<page>/<action>` with the token of the session. */
export const kontoForm = (visitor: Visitor, action: string, content: Fragment): Html =>
  html`<form method="post" action="/konto/${visitor.page}/${action}" class="ss-form" novalidate>
    <input type="hidden" name="token" value="${visitor.token}">
    ${content}
  </form>`;

/** The button that starts the creation of a passkey. */
export const passkeyForm = (visitor: Visitor, label: string): Html =>
  html`<div data-passkey="creation" data-options="/konto/${visitor.page}/new-passkey-options" data-aborted="${visitor.t.konto.passkeys.aborted}" hidden>
    ${kontoForm(
      visitor,
      'new-passkey',
      html`<input type="hidden" name="ceremony"><input type="hidden" name="response">
      <button type="submit" class="kern-btn kern-btn--primary"><span class="kern-label">${label}</span></button>
      <p class="kern-body ss-message" role="alert" hidden></p>`,
    )}
  </div>`;

/** The way to the questions that find out which factor suits. */
export const toFinder = ({ t }: Visitor): Html =>
  html`<section class="ss-aside"><p class="kern-body"><a class="kern-link" href="/konto/zweiter-faktor">${t.finder.title}</a> ${t.finder.lead}</p></section>`;
