import { html } from '../html.ts';
import type { Shell } from '../layout.view.ts';
import { code, PORTAL_PATHS, portalPage } from './portal.view.ts';
import { PORTAL_TEXTS } from './texts.ts';

/** One request of the playground and what came of it, as text. */
export type Exchange = { readonly request: string; readonly response: string };

export type PlaygroundRun = {
  readonly registration: Exchange;
  readonly authorization: string;
  readonly callback: string;
  readonly token?: Exchange;
  readonly idToken?: string;
  readonly userinfo?: Exchange;
};

/** The form that starts a sign-in, or why there is none here. */
export const playgroundView = (shell: Shell, state: 'ready' | 'expired' | 'off'): string => {
  const t = PORTAL_TEXTS[shell.language];
  if (state === 'off') return portalPage(shell, 'playground', html`<p class="kern-body">${t.playgroundOff}</p>`);
  return portalPage(
    shell,
    'playground',
    html`<p class="kern-body kern-body--large">${state === 'expired' ? t.expired : t.playgroundLead}</p>
    <form method="get" action="${PORTAL_PATHS.playground}/los" class="ss-form">
      <div class="kern-form-input"><label class="kern-label" for="scope">${t.scope}</label>
      <input class="kern-form-input__input" id="scope" name="scope" type="text" autocomplete="off" spellcheck="false" value="openid profile email"></div>
      <div class="kern-form-input"><label class="kern-label" for="prompt">prompt</label>
      <div class="kern-form-input__select-wrapper"><select class="kern-form-input__select" id="prompt" name="prompt">${['', 'login', 'consent', 'none'].map((value) => html`<option value="${value}">${value === '' ? '–' : value}</option>`)}</select></div></div>
      <div class="ss-actions"><button type="submit" class="kern-btn kern-btn--primary"><span class="kern-label">${t.begin}</span></button></div>
    </form>`,
  );
};

/** Everything that went over the wire. */
export const runView = (shell: Shell, run: PlaygroundRun): string => {
  const t = PORTAL_TEXTS[shell.language];
  const exchange = (title: string, { request, response }: Exchange) =>
    html`<section><h2 class="kern-heading-small">${title}</h2>
    ${code(request, `${title}: ${t.request}`)}${code(response, `${title}: ${t.response}`)}</section>`;
  const single = (title: string, text: string) =>
    html`<section><h2 class="kern-heading-small">${title}</h2>${code(text, title)}</section>`;
  return portalPage(
    shell,
    'playground',
    html`${exchange(t.registration, run.registration)}
    ${single(t.authorization, run.authorization)}
    ${single(t.callback, run.callback)}
    ${run.token !== undefined && exchange(t.token, run.token)}
    ${run.idToken !== undefined && single(t.idToken, run.idToken)}
    ${run.userinfo !== undefined && exchange(t.userinfo, run.userinfo)}
    <div class="ss-actions"><a class="kern-btn kern-btn--primary" href="${PORTAL_PATHS.playground}"><span class="kern-label">${t.again}</span></a></div>`,
  );
};
