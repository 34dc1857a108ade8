import { MIN_PASSWORD_LENGTH } from '../../accounts/password-rules.ts';
import { notHere } from '../device.ts';
import { form, submit } from '../form.view.ts';
import { html } from '../html.ts';
import { newPasswordFields } from '../new-password.view.ts';
import type { Visit } from '../visit.ts';
import { stepPage } from './page.view.ts';
import { ceremonyForm } from './passkey.view.ts';

/** Passkey or password: the one choice of the registration that matters later. */
export const credential = (visit: Visit): string => {
  const t = visit.t.credential;
  return stepPage(visit, {
    title: t.title,
    back: true,
    scripts: ['page.js', 'passkey.js'],
    body: html`<section class="ss-choice ss-choice--best">
      <div class="ss-choice__head"><h2 class="kern-heading-small">${t.passkeyTitle}</h2><span class="kern-badge kern-badge--success"><span class="kern-label kern-label--small">${t.passkeyBadge}</span></span></div>
      <p class="kern-body">${t.passkeyText}</p>
      ${notHere(visit)}
      ${ceremonyForm(visit, { purpose: 'creation', action: 'new-passkey', label: t.passkeySubmit, aborted: t.aborted, kind: 'primary' })}
      <p class="kern-body kern-body--muted" data-without-passkey>${t.passkeyUnsupported}</p>
    </section>
    <section class="ss-choice">
      <h2 class="kern-heading-small">${t.passwordTitle}</h2>
      <p class="kern-body">${t.passwordText}</p>
      ${form(visit, 'choose-password', submit(t.passwordSubmit, 'secondary'))}
    </section>
    <section class="ss-aside">
      <p class="kern-body">${visit.t.finder.lead}</p>
      <div class="ss-row">${form(visit, 'find-factor', submit(visit.t.finder.title, 'tertiary', false))}</div>
    </section>`,
  });
};

/** Asks for a new password. */
export const password = async (visit: Visit): Promise<string> => {
  const t = visit.t.password;
  const email = visit.progress.draft?.email;
  return stepPage(visit, {
    title: t.title,
    back: true,
    body: html`<p class="kern-body">${t.lead(MIN_PASSWORD_LENGTH)}</p>
    ${form(
      visit,
      'new-password',
      html`${
        email !== undefined &&
        // Without a name, so that it is not sent: it tells password managers whose password this is.
        html`<div class="kern-form-input"><label class="kern-label" for="username">${t.username}</label><input class="kern-form-input__input" id="username" type="text" autocomplete="username" value="${email}" readonly></div>`
      }
      ${await newPasswordFields(visit)}
      ${submit(t.submit)}`,
    )}`,
  });
};
