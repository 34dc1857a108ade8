import * as passkeys from '../../accounts/passkeys.ts';
import { type Html, html } from '../html.ts';
import { languageFor, textsIn } from '../language.ts';
import { ownPasskeys } from '../signals.view.ts';
import { datenTexts } from '../texts/daten.ts';
import type { KontoPage, Visitor } from './konto.ts';
import { kontoPage } from './page.view.ts';
import { proofAlert } from './proofs.view.ts';

const card = (path: string, title: string, text: string): Html =>
  html`<li class="ss-card"><a class="ss-card__link" href="/konto/${path}">${title}</a><p class="ss-card__text">${text}</p></li>`;

const view = async (visitor: Visitor): Promise<string> => {
  const t = visitor.t.konto;
  const data = datenTexts(visitor.shell.language);
  const { account, has, deps } = visitor;
  const running = await deps.sessions.list(account.id);
  const shared = running.some(({ uid, shared: here }) => uid === visitor.uid && here);
  return kontoPage(visitor, {
    title: t.title,
    top: true,
    scripts: ['page.js', 'signal.js'],
    body: html`${ownPasskeys(deps, account, await passkeys.list(visitor.domain, account.id))}
    <p class="kern-body kern-body--large">${t.lead}</p>
    ${
      shared &&
      html`<div class="kern-alert kern-alert--info ss-notice"><div class="kern-alert__header"><span class="kern-icon kern-icon--info" aria-hidden="true"></span><h2 class="kern-title">${t.sharedTitle}</h2></div>
    <div class="kern-alert__body"><p class="kern-body">${t.sharedText}</p>
      <a class="kern-btn kern-btn--secondary" href="/session/end"><span class="kern-label">${t.signOut}</span></a></div></div>`
    }
    ${await proofAlert(visitor)}
    <dl class="ss-kennung"><dt>${t.kennung.title}</dt><dd><code>${account.kennung}</code></dd></dl>
    <p class="kern-body">${t.kennung.text}</p>
    <ul class="ss-cards">
      ${card('passkeys', t.passkeys.title, has.passkeys === 0 ? t.none : t.passkeys.count(has.passkeys))}
      ${card('passwort', t.password.title, has.password ? t.password.is : t.none)}
      ${card('app', t.totp.title, has.totp ? t.totp.is : t.none)}
      ${card('ersatzcodes', t.codes.title, has.codes === 0 ? t.none : t.codes.left(has.codes))}
      ${card('ausweise', visitor.t.identity.konto.title, has.eid || has.bundid ? visitor.t.identity.konto.linked : t.none)}
      ${card('zweiter-faktor', visitor.t.finder.title, visitor.t.finder.lead)}
      ${card('sitzungen', t.sessions.title, t.sessions.count(running.length))}
      ${card('email', t.email.title, account.email ?? t.none)}
      ${card('sprache', t.language.title, textsIn(languageFor(account.language)).language)}
      ${card('protokoll', t.log.title, t.log.lead)}
      ${card('daten', data.title, data.lead)}
    </ul>
    <div class="ss-actions">
      <a class="kern-btn kern-btn--secondary" href="/session/end"><span class="kern-label">${t.signOut}</span></a>
      <a class="kern-btn kern-btn--tertiary" href="/konto/wechseln"><span class="kern-label">${t.switchAccount}</span></a>
    </div>`,
  });
};

export const page: KontoPage = { fresh: false, view, posts: {} };
