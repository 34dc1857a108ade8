import type { Town } from '../accounts/town.ts';
import { assetUrl } from './assets.ts';
import { type Fragment, type Html, html, safeUrl } from './html.ts';
import { inLanguage, type Language, offeredLanguages, textsIn } from './language.ts';

/** What every page needs to know about its surroundings. */
export type Shell = {
  readonly town: Town;
  readonly language: Language;
  /** The path to which the language switcher leads; none on answers to a POST. */
  readonly path?: string | undefined;
  /** Only in the sandbox: shows the banner. */
  readonly sandbox?: { readonly inboxUrl: string } | undefined;
};

type Page = {
  readonly title: string;
  /** Stands above the heading: the service, or the step of the registration. */
  readonly preline?: string | undefined;
  readonly body: Fragment;
  /** The page reports a mistake: its title says so first, for those who hear it. */
  readonly faulty?: boolean;
  /** Files of `public/` to run, as modules; `passkey.js` brings its library with it. */
  readonly scripts?: readonly string[];
  readonly wide?: boolean;
  /** More for the head, for example a refresh. */
  readonly head?: Fragment;
};

const emblem = html`<svg class="ss-emblem" viewBox="0 0 48 48" width="40" height="40" aria-hidden="true" focusable="false">
  <rect width="48" height="48" rx="10" class="ss-emblem__ground" />
  <path class="ss-emblem__key" fill-rule="evenodd" d="M17 10a10 10 0 0 1 9.6 12.8L39 35.2V40h-6v-4h-4v-4h-4l-3.2-3.2A10 10 0 1 1 17 10zm-2.5 6.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5z" />
</svg>`;

const languageSwitch = (shell: Shell): Fragment => {
  const languages = offeredLanguages(shell.town.languages);
  if (shell.path === undefined || languages.length < 2) return null;
  const path = shell.path;
  return html`<nav class="ss-languages" aria-label="${textsIn(shell.language).common.languages}">
    <ul>
      ${languages.map((language) =>
        language === shell.language
          ? html`<li><span aria-current="true" lang="${language}">${textsIn(language).language}</span></li>`
          : html`<li><a href="${path}?lang=${language}" lang="${language}" hreflang="${language}">${textsIn(language).language}</a></li>`,
      )}
    </ul>
  </nav>`;
};

const sandboxBanner = (shell: Shell): Fragment => {
  if (shell.sandbox === undefined) return null;
  const t = textsIn(shell.language).sandbox;
  return html`<aside class="ss-sandbox" aria-label="${t.title}"><div class="ss-frame">
    <p><strong>${t.title}.</strong> ${t.text} <a href="${safeUrl(shell.sandbox.inboxUrl)}">${t.inbox}</a></p>
  </div></aside>`;
};

const footer = (shell: Shell): Html => {
  const t = textsIn(shell.language).footer;
  const { pages, office } = shell.town;
  const links: readonly (readonly [string, string])[] = [
    [t.accessibility, pages.accessibility],
    [t.feedback, pages.feedback],
    [t.ombuds, pages.ombuds],
    [t.privacy, pages.privacy],
    [t.imprint, pages.imprint],
  ];
  const where = `${inLanguage(office.name, shell.language)}, ${office.address}, ${inLanguage(office.hours, shell.language)}`;
  return html`<footer class="ss-footer"><div class="ss-frame">
    <p class="ss-footer__help">${t.help(where)}</p>
    <nav aria-label="${t.label}"><ul class="ss-footer__links">
      ${links.map(([label, address]) => html`<li><a href="${safeUrl(address)}">${label}</a></li>`)}
    </ul></nav>
  </div></footer>`;
};

/** No module: simple engines (HtmlUnit, which test suites use) run no modules, and here they would have to find a button. */
const SUBMIT_SCRIPT = 'submit.js';

const scriptTags = (names: readonly string[]): Fragment => [
  names.includes('passkey.js') && html`<script defer src="${assetUrl('simplewebauthn.js')}"></script>`,
  names.map((name) =>
    name === SUBMIT_SCRIPT
      ? html`<script defer src="${assetUrl(name)}"></script>`
      : html`<script type="module" src="${assetUrl(name)}"></script>`,
  ),
];

/** The frame of all pages: town, language, one heading, the legally required links. */
export const layout = (shell: Shell, page: Page): string => {
  const t = textsIn(shell.language);
  const town = inLanguage(shell.town.name, shell.language);
  const title = `${page.faulty === true ? t.common.errorPrefix : ''}${page.title} – ${t.common.product} ${town}`;
  return html`<!doctype html>
<html lang="${shell.language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
${page.head}
<link rel="icon" href="${assetUrl('icon.svg')}" type="image/svg+xml">
<link rel="stylesheet" href="${assetUrl('kern.css')}">
<link rel="stylesheet" href="${assetUrl('pages.css')}">
${scriptTags(page.scripts ?? [])}
</head>
<body class="ss-body">
<a class="ss-skip" href="#content">${t.common.skip}</a>
${sandboxBanner(shell)}
<header class="ss-header"><div class="ss-frame ss-header__row">
  <a class="ss-brand" href="/">${emblem}<span class="ss-brand__text"><span class="ss-brand__product">${t.common.product}</span><span class="ss-brand__town">${town}</span></span></a>
  ${languageSwitch(shell)}
</div></header>
<main id="content" class="ss-main ${page.wide === true ? 'ss-main--wide' : ''}" tabindex="-1">
  <div class="ss-sheet">
    ${page.preline !== undefined && html`<p class="ss-preline">${page.preline}</p>`}
    <h1 class="kern-heading-large">${page.title}</h1>
    ${page.body}
  </div>
</main>
${footer(shell)}
</body>
</html>
`.toString();
};

/** The page that asks whether to sign out. `action` and `xsrf` come from oidc-provider's own confirmation form. */
export const logoutPage = (shell: Shell, form: { readonly action: string; readonly xsrf: string }): string => {
  const t = textsIn(shell.language).logout;
  return layout(shell, {
    title: t.title,
    body: html`<p class="kern-body">${t.lead}</p>
    <form method="post" action="${form.action}" class="ss-form">
      <input type="hidden" name="xsrf" value="${form.xsrf}">
      <div class="ss-actions">
        <button type="submit" name="logout" value="yes" class="kern-btn kern-btn--primary"><span class="kern-label">${t.submit}</span></button>
        <button type="submit" class="kern-btn kern-btn--secondary"><span class="kern-label">${t.stay}</span></button>
      </div>
    </form>`,
  });
};

/** After the sign-out; `stayed` when the citizen chose to stay signed in. */
export const loggedOutPage = (shell: Shell, outcome: { readonly stayed: boolean } = { stayed: false }): string => {
  const t = textsIn(shell.language).logout;
  return layout(shell, {
    title: outcome.stayed ? t.stayedTitle : t.doneTitle,
    body: html`<p class="kern-body">${outcome.stayed ? t.stayedText : t.doneText}</p>
    <div class="ss-actions"><a class="kern-btn kern-btn--secondary" href="/"><span class="kern-label">${t.toStart}</span></a></div>`,
  });
};

const NEVER_FOLLOWED = new Set(['javascript:', 'data:', 'vbscript:', 'blob:', 'file:']);

/**
 * Goes on to an address after a form was sent. Not a redirect: Chrome holds every hop of a redirect chain after a form
 * against `form-action`, and services redirect on to hosts that we cannot know. `url` is registered or our own; native
 * apps have schemes of their own. Without a shell the page is bare.
 */
export const continuePage = (url: string, shell?: Shell): string => {
  const own = url.startsWith('/') && !url.startsWith('//');
  const href = own ? url : new URL(url).href;
  if (!own && NEVER_FOLLOWED.has(new URL(url).protocol)) throw new Error('refusing to continue to such an address');
  const head = html`<meta http-equiv="refresh" content="0;url=${href}">`;
  if (shell === undefined) {
    return html`<!doctype html><html lang="de"><head><meta charset="utf-8"><title>Weiter</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">
${head}</head><body><main><h1>Weiter</h1><p><a href="${href}">Weiter · <span lang="en">Continue</span></a></p></main></body></html>
`.toString();
  }
  const t = textsIn(shell.language).continuing;
  return layout(shell, {
    title: t.title,
    head,
    body: html`<p class="kern-body">${t.text}</p>
    <div class="ss-actions"><a class="kern-btn kern-btn--primary" href="${href}"><span class="kern-label">${t.link}</span></a></div>`,
  });
};

/** Fields that go on to an address by a form (OAuth 2.0 Form Post Response Mode): by itself, or by its button. */
export const submitPage = (
  shell: Shell,
  form: { readonly action: string; readonly fields: readonly (readonly [name: string, value: string])[] },
): string => {
  const t = textsIn(shell.language).continuing;
  if (NEVER_FOLLOWED.has(new URL(form.action).protocol)) throw new Error('refusing to continue to such an address');
  return layout(shell, {
    title: t.title,
    scripts: [SUBMIT_SCRIPT],
    body: html`<p class="kern-body">${t.text}</p>
    <form method="post" action="${form.action}" class="ss-form">
      ${form.fields.map(([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`)}
      <div class="ss-actions"><button type="submit" class="kern-btn kern-btn--primary"><span class="kern-label">${t.link}</span></button></div>
    </form>`,
  });
};
