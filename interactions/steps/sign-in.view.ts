import { field, form, submit } from '../form.view.ts';
import { html } from '../html.ts';
import { sourceButtons } from '../identity/buttons.view.ts';
import { letterTextsIn } from '../texts/letters.ts';
import type { Visit } from '../visit.ts';
import { stepPage } from './page.view.ts';
import { ceremonyForm } from './passkey.view.ts';

/** For staff: their passkey and nothing else. */
const staffView = (visit: Visit): string => {
  const { staff } = letterTextsIn(visit.shell.language);
  const t = visit.t.signIn;
  return stepPage(visit, {
    title: staff.title,
    scripts: ['page.js', 'passkey.js'],
    body: html`<p class="kern-body">${staff.lead}</p>
    ${ceremonyForm(visit, { purpose: 'sign-in', action: 'passkey', label: t.passkey, aborted: t.passkeyAborted, kind: 'primary' })}
    <p class="kern-body kern-body--muted" data-without-passkey>${staff.without}</p>`,
  });
};

/** The one page to sign in on: identifier and password, passkey, or a new account. */
export const view = (visit: Visit): string => {
  if (visit.registration.staff === true) return staffView(visit);
  const t = visit.t.signIn;
  const hint = visit.interaction.params['login_hint'];
  return stepPage(visit, {
    title: t.title,
    scripts: ['page.js', 'passkey.js'],
    body: html`<p class="kern-body">${t.lead(visit.service)}</p>
    ${form(
      visit,
      'sign-in',
      html`${field(visit, {
        name: 'identifier',
        label: t.identifier,
        // The token "webauthn" lets the browser offer passkeys in this very field (WebAuthn L3, conditional mediation).
        autocomplete: 'username webauthn',
        type: 'text',
        inputmode: 'email',
        value: typeof hint === 'string' ? hint : undefined,
      })}
      ${field(visit, { name: 'password', label: t.password, type: 'password', autocomplete: 'current-password' })}
      ${submit(t.submit)}`,
    )}
    ${ceremonyForm(visit, {
      purpose: 'sign-in',
      action: 'passkey',
      label: t.passkey,
      aborted: t.passkeyAborted,
      before: html`<p class="ss-or"><span>${t.or}</span></p>`,
      after: html`<p class="kern-body kern-body--small kern-body--muted ss-centred">${t.passkeyHint}</p>`,
      kind: 'secondary',
    })}
    ${sourceButtons(visit, { title: visit.t.identity.buttons.signIn, staff: true })}
    <section class="ss-aside">
      <h2 class="kern-heading-small">${t.registerTitle}</h2>
      <p class="kern-body">${t.registerText}</p>
      ${form(visit, 'register', submit(t.register, 'secondary'))}
    </section>`,
  });
};
