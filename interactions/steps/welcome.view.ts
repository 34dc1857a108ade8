import { checkbox, form, submit } from '../form.view.ts';
import { type Html, html } from '../html.ts';
import { ownPasskeys } from '../signals.view.ts';
import type { Visit } from '../visit.ts';
import { stepPage } from './page.view.ts';

const printing = (visit: Visit): Html =>
  html`<button type="button" class="kern-btn kern-btn--secondary ss-btn--wide" data-print hidden><span class="kern-label">${visit.t.common.print}</span></button>
  <p class="kern-body kern-body--small kern-body--muted ss-no-print" data-without-script>${visit.t.common.printWithoutScript}</p>`;

/** Shows the backup codes, once. */
export const backupCodes = (visit: Visit): string => {
  const t = visit.t.backupCodes;
  const codes = visit.progress.welcome?.backupCodes ?? [];
  return stepPage(visit, {
    title: t.title,
    cancel: false,
    body: html`<p class="kern-body">${t.lead}</p>
    <p class="kern-body ss-no-print"><strong>${t.warning}</strong></p>
    <ol class="ss-codes" aria-label="${t.list}">${codes.map((code) => html`<li><code>${code}</code></li>`)}</ol>
    ${printing(visit)}
    ${form(visit, 'backup-codes', html`${checkbox(visit, { name: 'confirmed', label: t.confirm })}${submit(t.submit)}`)}`,
  });
};

/** Shows the Bürgerkennung to keep. */
export const kennung = (visit: Visit): string => {
  const t = visit.t.kennung;
  const { has, account } = visit;
  // Neither password nor passkey: nothing that the Kennung could be typed in with.
  const byIdentity = has !== undefined && !has.password && has.passkeys === 0;
  const withoutEmail = account?.email === undefined && !byIdentity;
  return stepPage(visit, {
    title: t.title,
    cancel: false,
    // The passkey just made was named before there was a Kennung.
    scripts: ['page.js', 'signal.js'],
    body: html`${visit.account !== undefined && ownPasskeys(visit.deps, visit.account)}
    <p class="kern-body">${byIdentity ? t.leadByIdentity : t.lead}</p>
    <dl class="ss-kennung"><dt>${t.label}</dt><dd><code>${visit.progress.welcome?.kennung ?? ''}</code></dd></dl>
    <p class="kern-body">${withoutEmail ? html`<strong>${t.withoutEmail}</strong>` : t.note}</p>
    ${printing(visit)}
    ${form(visit, 'kennung', submit(t.submit(visit.service)))}`,
  });
};
