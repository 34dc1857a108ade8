import { isSharedNetwork } from '../device.ts';
import { checkbox, field, form, submit } from '../form.view.ts';
import { type Fragment, type Html, html } from '../html.ts';
import { sourceButtons } from '../identity/buttons.view.ts';
import { letterTextsIn } from '../texts/letters.ts';
import type { Visit } from '../visit.ts';
import { nothingThere, officeAddress, stepPage } from './page.view.ts';
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
    <p class="kern-body kern-body--muted" data-without-passkey>${staff.without}</p>
    ${sourceButtons(visit, visit.t.identity.buttons.upstream)}`,
  });
};

/** The option for computers that others use too; in a public network there is no choice. */
const sharedOption = (visit: Visit): Html => {
  const t = visit.t.signInMore;
  if (isSharedNetwork(visit)) return html`<p class="kern-body kern-body--small">${t.sharedNetwork}</p>`;
  return html`${checkbox(visit, { name: 'shared', label: t.shared, describedBy: 'shared-hint' })}
    <p class="kern-hint" id="shared-hint">${t.sharedHint}</p>`;
};

const passkeyButton = (visit: Visit, before: Fragment = null): Html => {
  const t = visit.t.signIn;
  return ceremonyForm(visit, {
    purpose: 'sign-in',
    action: 'passkey',
    label: t.passkey,
    aborted: t.passkeyAborted,
    before,
    after: html`<p class="kern-body kern-body--small kern-body--muted ss-centred">${t.passkeyHint}</p>`,
    kind: 'secondary',
  });
};

/** The one page to sign in on: identifier and password, passkey, or a new account. */
const first = (visit: Visit): string => {
  const t = visit.t.signIn;
  const more = visit.t.signInMore;
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
      ${sharedOption(visit)}
      <input type="hidden" name="capable">
      ${submit(t.submit)}`,
    )}
    ${passkeyButton(visit, html`<p class="ss-or"><span>${t.or}</span></p>`)}
    ${sourceButtons(visit, visit.t.identity.buttons.signIn)}
    <div class="ss-row">
      ${form(visit, 'forgotten', submit(more.forgotten, 'tertiary', false))}
      ${form(visit, 'other-ways', submit(more.otherWays, 'tertiary', false))}
    </div>
    <section class="ss-aside">
      <h2 class="kern-heading-small">${t.registerTitle}</h2>
      <p class="kern-body">${t.registerText}</p>
      ${form(visit, 'register', submit(t.register, 'secondary'))}
    </section>`,
  });
};

/** Who it is, is known; more or something fresher is to be shown. */
const again = (visit: Visit, name: string): string => {
  const t = visit.t.signInMore;
  const passkeyOnly = visit.needs.proof === 'passkey';
  return stepPage(visit, {
    title: t.again,
    scripts: ['page.js', 'passkey.js'],
    body: html`<p class="kern-body">${t.againLead(visit.service)}</p>
    <dl class="ss-facts"><div><dt>${t.as}</dt><dd>${name}</dd></div></dl>
    ${passkeyOnly && html`<p class="kern-body">${t.passkeyOnly}</p>`}
    ${
      !passkeyOnly &&
      visit.has?.password === true &&
      form(
        visit,
        'sign-in',
        html`<input type="hidden" name="capable">
      ${field(visit, { name: 'password', label: visit.t.signIn.password, type: 'password', autocomplete: 'current-password' })}
      ${submit(visit.t.signIn.submit)}`,
      )
    }
    ${(visit.has?.passkeys ?? 0) > 0 && passkeyButton(visit)}
    ${!passkeyOnly && (visit.has?.eid === true || visit.has?.bundid === true) && sourceButtons(visit, visit.t.identity.buttons.signIn)}
    ${nothingThere(visit)}
    <div class="ss-row">
      ${visit.optional && form(visit, 'skip', submit(t.skip, 'tertiary', false))}
      ${form(visit, 'other-account', submit(t.otherAccount, 'tertiary', false))}
    </div>`,
  });
};

/** The page to sign in on, for somebody unknown or known. */
export const view = (visit: Visit): string => {
  if (visit.registration.staff === true) return staffView(visit);
  return visit.account === undefined ? first(visit) : again(visit, visit.account.email ?? visit.account.kennung);
};

/** What to do when the prompt of the browser did not help. */
export const otherWays = (visit: Visit): string => {
  const t = visit.t.otherWays;
  return stepPage(visit, {
    title: t.title,
    back: true,
    scripts: ['page.js', 'passkey.js'],
    body: html`<section class="ss-choice"><h2 class="kern-heading-small">${t.phoneTitle}</h2><p class="kern-body">${t.phoneText}</p></section>
    <section class="ss-choice"><h2 class="kern-heading-small">${t.keyTitle}</h2><p class="kern-body">${t.keyText}</p>
      ${field(visit, { name: 'identifier', label: visit.t.signIn.identifier, autocomplete: 'username', type: 'text', inputmode: 'email' })}
    </section>
    ${passkeyButton(visit)}
    <section class="ss-choice"><h2 class="kern-heading-small">${t.passwordTitle}</h2><p class="kern-body">${t.passwordText}</p></section>
    <section class="ss-choice"><h2 class="kern-heading-small">${t.codesTitle}</h2><p class="kern-body">${t.codesText}</p>
      ${form(visit, 'forgotten', submit(visit.t.signInMore.forgotten, 'secondary', false))}</section>
    <section class="ss-choice"><h2 class="kern-heading-small">${t.nothingTitle}</h2><p class="kern-body">${t.nothingText}</p>
      ${officeAddress(visit.shell)}</section>`,
  });
};
