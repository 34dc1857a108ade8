import { MIN_LENGTH_BESIDE_SECOND_FACTOR, MIN_PASSWORD_LENGTH } from '../../accounts/password-rules.ts';
import { field, form, submit } from '../form.view.ts';
import { html } from '../html.ts';
import { sourceButtons } from '../identity/buttons.view.ts';
import { newPasswordFields } from '../new-password.view.ts';
import type { Visit } from '../visit.ts';
import { officeAddress, stepPage } from './page.view.ts';

/** What helps a citizen who has forgotten the password: something else that only they have. */
export const code = (visit: Visit): string => {
  const t = visit.t.forgotten;
  const buttons = sourceButtons(visit, t.cardTitle);
  return stepPage(visit, {
    title: t.title,
    back: true,
    body: html`<p class="kern-body">${t.lead}</p>
    <section class="ss-choice"><h2 class="kern-heading-small">${t.codeTitle}</h2>
    ${form(
      visit,
      'recovery-code',
      html`${field(visit, { name: 'identifier', label: visit.t.signIn.identifier, autocomplete: 'username', type: 'text', inputmode: 'email' })}
      ${field(visit, { name: 'backup_code', label: t.codeLabel, hint: t.codeHint, autocomplete: 'off', maxlength: 40 })}
      ${submit(t.submit)}`,
    )}</section>
    <section class="ss-choice"><h2 class="kern-heading-small">${t.passkeyTitle}</h2><p class="kern-body">${t.passkeyText}</p>
      ${form(visit, 'back', submit(visit.t.signIn.passkey, 'secondary', false))}</section>
    ${buttons !== null && html`<section class="ss-choice"><p class="kern-body">${t.cardText}</p>${buttons}</section>`}
    <section class="ss-choice"><h2 class="kern-heading-small">${t.nothingTitle}</h2><p class="kern-body">${t.nothingText}</p>
      ${officeAddress(visit.shell)}</section>`,
  });
};

/** The second factor stays necessary. */
export const secondFactor = (visit: Visit): string => {
  const t = visit.t.secondFactor;
  return stepPage(visit, {
    title: visit.t.forgotten.otpTitle,
    back: true,
    body: html`<p class="kern-body">${visit.t.forgotten.otpLead}</p>
    ${form(
      visit,
      'totp',
      html`${field(visit, { name: 'code', label: t.label, hint: t.hint, inputmode: 'numeric', autocomplete: 'one-time-code', width: 'code', maxlength: 12 })}
      ${submit(t.submit)}`,
    )}`,
  });
};

/** Asks for the new password. */
export const password = async (visit: Visit): Promise<string> => {
  const t = visit.t.password;
  const beside = visit.progress.recovery?.proofs.some(({ kind }) => kind === 'otp') === true;
  return stepPage(visit, {
    title: visit.t.forgotten.newTitle,
    back: true,
    body: html`<p class="kern-body">${t.lead(beside ? MIN_LENGTH_BESIDE_SECOND_FACTOR : MIN_PASSWORD_LENGTH)}</p>
    <p class="kern-body">${visit.t.forgotten.newLead}</p>
    ${form(
      visit,
      'reset-password',
      html`${await newPasswordFields(visit)}
      ${submit(t.submit)}`,
    )}`,
  });
};
