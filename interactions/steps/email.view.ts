import { field, form, submit } from '../form.view.ts';
import { html } from '../html.ts';
import type { Visit } from '../visit.ts';
import { stepPage } from './page.view.ts';

const CODE_DIGITS = 8;

/** Asks for an e-mail address, or offers the way without one. */
export const email = (visit: Visit): string => {
  const t = visit.t.email;
  return stepPage(visit, {
    title: t.title,
    back: true,
    body: html`<p class="kern-body">${t.lead}</p>
    ${visit.registration.needsEmail && html`<p class="kern-body"><strong>${t.required(visit.service)}</strong></p>`}
    ${form(
      visit,
      'email',
      html`${field(visit, {
        name: 'email',
        label: t.label,
        hint: t.hint,
        type: 'email',
        inputmode: 'email',
        autocomplete: 'email',
        value: visit.progress.draft?.email,
      })}
      ${submit(t.submit)}`,
    )}
    ${
      !visit.registration.needsEmail &&
      html`<section class="ss-aside">
      <h2 class="kern-heading-small">${t.withoutTitle}</h2>
      <p class="kern-body">${t.withoutText}</p>
      ${form(visit, 'without-email', submit(t.without, 'secondary'))}
    </section>`
    }`,
  });
};

/** Asks for the code from the mail. */
export const code = (visit: Visit): string => {
  const t = visit.t.code;
  return stepPage(visit, {
    title: t.title,
    back: false,
    body: html`${
      visit.flash?.notice === 'code-resent' &&
      html`<div class="kern-alert kern-alert--success ss-notice" role="status"><div class="kern-alert__header"><span class="kern-icon kern-icon--success" aria-hidden="true"></span><p class="kern-title">${t.resent}</p></div></div>`
    }
    <p class="kern-body">${t.lead(visit.progress.draft?.email ?? '')}</p>
    ${form(
      visit,
      'email-code',
      html`${field(visit, {
        name: 'code',
        label: t.label,
        hint: t.hint(CODE_DIGITS),
        inputmode: 'numeric',
        autocomplete: 'one-time-code',
        width: 'code',
        maxlength: 20,
      })}
      ${submit(t.submit)}`,
    )}
    <section class="ss-aside">
      <h2 class="kern-heading-small">${t.helpTitle}</h2>
      <p class="kern-body">${t.helpText}</p>
      <div class="ss-row">
        ${form(visit, 'another-code', submit(t.resend, 'secondary', false))}
        ${form(visit, 'back', submit(t.change, 'secondary', false))}
      </div>
    </section>`,
  });
};
