import { html } from './html.ts';
import { textsIn } from './language.ts';
import { layout, type Shell } from './layout.view.ts';

type DeviceForm = { readonly action: string; readonly xsrf: string };

/** The page that takes the code which a device shows. `fault`: what became of the code before. */
export const deviceCodePage = (shell: Shell, form: DeviceForm, fault: 'wrong' | 'aborted' | undefined): string => {
  const t = textsIn(shell.language).device;
  const text = fault === undefined ? undefined : fault === 'wrong' ? t.wrong : t.aborted;
  return layout(shell, {
    title: t.title,
    faulty: fault === 'wrong',
    body: html`${
      text !== undefined &&
      html`<div class="kern-alert kern-alert--${fault === 'wrong' ? 'danger' : 'info'} ss-summary" role="alert" tabindex="-1" autofocus id="error-summary">
      <div class="kern-alert__header"><span class="kern-icon kern-icon--${fault === 'wrong' ? 'danger' : 'info'}" aria-hidden="true"></span><h2 class="kern-title">${text}</h2></div>
    </div>`
    }
    <p class="kern-body kern-body--large">${t.lead}</p>
    <form method="post" action="${form.action}" class="ss-form" novalidate>
      <input type="hidden" name="xsrf" value="${form.xsrf}">
      <div class="kern-form-input ${fault === 'wrong' && 'kern-form-input--error'}">
        <label class="kern-label" for="user_code">${t.label}</label>
        <div class="kern-hint" id="user_code-hint">${t.hint}</div>
        <input class="kern-form-input__input ss-input--code" id="user_code" name="user_code" type="text" autocomplete="off" autocapitalize="characters" spellcheck="false" aria-describedby="user_code-hint"${fault === 'wrong' && html` aria-invalid="true"`}>
      </div>
      <div class="ss-actions"><button type="submit" class="kern-btn kern-btn--primary ss-btn--wide"><span class="kern-label">${t.submit}</span></button></div>
    </form>`,
  });
};

/** The page that says who asks, before anything is granted: a code may have been sent by somebody else. */
export const deviceConfirmPage = (
  shell: Shell,
  form: DeviceForm,
  asked: { readonly service: string; readonly organisation: string; readonly userCode: string },
): string => {
  const t = textsIn(shell.language).device;
  const hidden = html`<input type="hidden" name="xsrf" value="${form.xsrf}"><input type="hidden" name="user_code" value="${asked.userCode}">`;
  return layout(shell, {
    title: t.confirmTitle(asked.service),
    preline: asked.organisation === '' ? undefined : asked.organisation,
    body: html`<p class="kern-body kern-body--large">${t.confirmLead}</p>
    <p class="kern-body"><strong><code>${asked.userCode}</code></strong></p>
    <p class="kern-body">${t.confirmWarning}</p>
    <div class="ss-actions">
      <form method="post" action="${form.action}" class="ss-form">${hidden}<input type="hidden" name="confirm" value="yes">
        <button type="submit" class="kern-btn kern-btn--primary ss-btn--wide"><span class="kern-label">${t.confirm}</span></button></form>
      <form method="post" action="${form.action}" class="ss-form">${hidden}<input type="hidden" name="abort" value="yes">
        <button type="submit" class="kern-btn kern-btn--secondary ss-btn--wide"><span class="kern-label">${t.refuse}</span></button></form>
    </div>`,
  });
};

/** The end: the device goes on by itself. */
export const deviceDonePage = (shell: Shell, service: string): string => {
  const t = textsIn(shell.language).device;
  return layout(shell, {
    title: t.doneTitle,
    body: html`<p class="kern-body kern-body--large">${t.doneText(service)}</p>
    <div class="ss-actions"><a class="kern-btn kern-btn--secondary" href="/"><span class="kern-label">${t.toStart}</span></a></div>`,
  });
};
