import { MIN_PASSWORD_LENGTH } from '../accounts/password-rules.ts';
import type { Recovery } from '../accounts/recovery-cases.ts';
import { errorSummary, field, form, submit } from './form.view.ts';
import { type Fragment, html } from './html.ts';
import { inLanguage } from './language.ts';
import { layout, type Shell } from './layout.view.ts';
import type { LetterVisit } from './letter-visit.ts';
import { newPasswordFields } from './new-password.view.ts';
import { ceremonyForm } from './steps/passkey.view.ts';
import { letterTextsIn } from './texts/letters.ts';
import { appSecret } from './totp.view.ts';

const page = (visit: LetterVisit, spec: { title: string; body: Fragment; scripts?: readonly string[] }): string =>
  layout(visit.shell, {
    title: spec.title,
    faulty: (visit.flash?.faults ?? []).length > 0,
    scripts: spec.scripts ?? ['page.js'],
    body: html`${errorSummary(visit)}${spec.body}`,
  });

/** Asks for the code on the paper. The QR code brings it along in the fragment, which no server gets to see. */
export const code = (visit: LetterVisit): string => {
  const t = visit.letters.code;
  const input = { name: 'code', label: t.label, hint: t.hint, autocomplete: 'one-time-code', width: 'full' } as const;
  return page(visit, {
    title: t.title,
    scripts: ['page.js', 'letter.js'],
    body: html`<p class="kern-body">${t.lead}</p>${form(visit, 'code', html`${field(visit, input)}${submit(t.submit)}`)}`,
  });
};

const leadOf = (visit: LetterVisit): string => {
  const t = visit.letters.choose;
  switch (visit.state.code?.purpose) {
    case 'invitation':
      return t.invitationLead;
    case 'activation':
      return t.activationLead;
    default:
      return t.recoveryLead;
  }
};

/** Passkey or password; for staff a passkey alone. */
export const choose = (visit: LetterVisit): string => {
  const t = visit.t.credential;
  const purpose = visit.state.code?.purpose ?? 'recovery';
  return page(visit, {
    title: visit.letters.choose[purpose],
    scripts: ['page.js', 'passkey.js'],
    body: html`<p class="kern-body">${leadOf(visit)}</p>
    <section class="ss-choice ss-choice--best">
      <div class="ss-choice__head"><h2 class="kern-heading-small">${t.passkeyTitle}</h2><span class="kern-badge kern-badge--success"><span class="kern-label kern-label--small">${t.passkeyBadge}</span></span></div>
      <p class="kern-body">${t.passkeyText}</p>
      ${ceremonyForm(visit, { purpose: 'creation', action: 'new-passkey', label: t.passkeySubmit, aborted: t.aborted, kind: 'primary' })}
      <p class="kern-body kern-body--muted" data-without-passkey>${t.passkeyUnsupported}</p>
    </section>
    ${
      purpose !== 'invitation' &&
      html`<section class="ss-choice">
      <h2 class="kern-heading-small">${t.passwordTitle}</h2>
      <p class="kern-body">${visit.letters.choose.passwordText}</p>
      ${form(visit, 'choose-password', submit(t.passwordSubmit, 'secondary'))}
    </section>`
    }`,
  });
};

/** Asks for a new password. */
export const password = async (visit: LetterVisit): Promise<string> => {
  const t = visit.t.password;
  return page(visit, {
    title: t.title,
    body: html`<p class="kern-body">${t.lead(MIN_PASSWORD_LENGTH)}</p>
    ${form(visit, 'new-password', html`${await newPasswordFields(visit)}${submit(t.submit)}`)}`,
  });
};

/** After the password: an app, or the codes on paper that come with it. */
export const secondFactor = (visit: LetterVisit): string => {
  const { app } = visit.state;
  const t = visit.letters.second;
  const issuer = `${visit.t.common.product} ${inLanguage(visit.deps.town.name, visit.shell.language)}`;
  const input = {
    name: 'app_code',
    label: visit.t.secondFactor.label,
    hint: visit.t.secondFactor.hint,
    inputmode: 'numeric',
    autocomplete: 'one-time-code',
    width: 'code',
    maxlength: 12,
  } as const;
  return page(visit, {
    title: t.title,
    body: html`<p class="kern-body">${t.lead}</p>
    <section class="ss-choice ss-choice--best">
      ${app && appSecret(visit.t, app.secret, issuer, app.label)}
      <h2 class="kern-heading-small">${visit.t.konto.totp.step2}</h2>
      ${form(visit, 'new-app', html`${field(visit, input)}${submit(visit.t.konto.totp.submit)}`)}
    </section>
    <section class="ss-choice">
      <h2 class="kern-heading-small">${t.paper}</h2>
      <p class="kern-body">${t.paperText}</p>
      ${form(visit, 'without-app', submit(t.paperSubmit, 'secondary'))}
    </section>`,
  });
};

/** Done; Kennung and backup codes are shown this once. */
export const done = (visit: LetterVisit): string => {
  const { done: result } = visit.state;
  const t = visit.letters.done;
  const codes = result?.backupCodes;
  return page(visit, {
    title: t.title,
    body: html`<p class="kern-body">${t[result?.purpose ?? 'recovery']}</p>
    ${result?.kennung !== undefined && html`<dl class="ss-kennung"><dt>${visit.t.kennung.label}</dt><dd><code>${result.kennung}</code></dd></dl>`}
    ${
      codes !== undefined &&
      html`<h2 class="kern-heading-small">${t.codes}</h2><p class="kern-body">${t.codesLead}</p>
    <ol class="ss-codes" aria-label="${visit.t.backupCodes.list}">${codes.map((one) => html`<li><code>${one}</code></li>`)}</ol>
    <button type="button" class="kern-btn kern-btn--secondary ss-btn--wide" data-print hidden><span class="kern-label">${visit.t.common.print}</span></button>
    <p class="kern-body kern-body--small kern-body--muted ss-no-print" data-without-script>${visit.t.common.printWithoutScript}</p>`
    }
    ${result?.purpose !== 'invitation' && html`<div class="ss-actions ss-no-print"><a class="kern-btn kern-btn--primary" href="/"><span class="kern-label">${t.start}</span></a></div>`}`,
  });
};

/** Offers to stop a recovery; a mail scanner that opens the link stops nothing. */
export const stop = (shell: Shell, token: string, csrf: string, recovery: Recovery): string => {
  const t = letterTextsIn(shell.language).stop;
  return layout(shell, {
    title: t.title,
    body: html`<p class="kern-body">${t.lead(recovery.number)}</p>
    ${form({ uid: token, token: csrf, base: '/stopp' }, 'jetzt', submit(t.submit))}`,
  });
};

/** After the stop, or where there is nothing to stop. */
export const stopped = (shell: Shell, done: boolean): string => {
  const t = letterTextsIn(shell.language).stop;
  return layout(shell, {
    title: done ? t.doneTitle : t.overTitle,
    body: html`<p class="kern-body">${done ? t.done : t.over}</p>`,
  });
};
