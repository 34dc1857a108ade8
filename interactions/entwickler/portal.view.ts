import type { Registration } from '../../accounts/town.ts';
import { type Fragment, type Html, html } from '../html.ts';
import { inLanguage } from '../language.ts';
import { layout, type Shell } from '../layout.view.ts';
import { ERROR_CATALOGUE } from './catalogue.ts';
import { changelogView } from './changelog.view.ts';
import { EXAMPLES, exampleText } from './examples.ts';
import { PORTAL_TEXTS, type PortalTexts } from './texts.ts';

type PageName = keyof PortalTexts['pages'];

export const PORTAL_PATHS: Readonly<Record<PageName, string>> = {
  start: '/entwickler',
  examples: '/entwickler/beispiele',
  errors: '/entwickler/fehler',
  claims: '/entwickler/angaben',
  playground: '/entwickler/erproben',
  mock: '/entwickler/attrappe',
  status: '/entwickler/stand',
};

const PAGES = Object.keys(PORTAL_PATHS) as PageName[];

const textsOf = (shell: Shell): PortalTexts => PORTAL_TEXTS[shell.language];

/** Text as it is, in a box that scrolls by keyboard too. */
export const code = (text: string, label: string): Html =>
  html`<pre class="ss-code" tabindex="0" role="region" aria-label="${label}"><code>${text}</code></pre>`;

/** The frame of the portal: its pages, and which one this is. */
export const portalPage = (shell: Shell, name: PageName, body: Fragment): string => {
  const t = textsOf(shell);
  return layout(shell, {
    title: name === 'start' ? t.title : t.pages[name],
    preline: name === 'start' ? undefined : t.title,
    wide: true,
    body: html`<nav class="ss-portal" aria-label="${t.nav}"><ul>${PAGES.map(
      (one) =>
        html`<li>${one === name ? html`<span aria-current="page">${t.pages[one]}</span>` : html`<a class="kern-link kern-link--no-visited-state" href="${PORTAL_PATHS[one]}">${t.pages[one]}</a>`}</li>`,
    )}</ul></nav>
    ${body}`,
  });
};

/** The three commands of docs/integration.md. */
const add = (language: string): string =>
  `npm ci\nnpm run -s admin -- client add meinportal --preset webanwendung --url http://localhost:8080 --lang ${language} --commit`;
const START = 'npm start';
const run = (issuer: string): string =>
  `ISSUER=${issuer} CLIENT_ID=meinportal CLIENT_SECRET=… node interactions/entwickler/examples/node.mjs`;
const register = (issuer: string): string => `curl ${issuer}/reg -H 'content-type: application/json' \\
  -d '{"redirect_uris": ["http://localhost:8080/callback"], "client_name": "Mein Dienst"}'`;

/** Where `npm start` listens, for a page that the city itself serves. */
const SANDBOX = 'http://localhost:3000';

export const startView = (shell: Shell, issuer: URL): string => {
  const t = textsOf(shell);
  const discovery = `${issuer.origin}/.well-known/openid-configuration`;
  const sandbox = shell.sandbox === undefined ? SANDBOX : issuer.origin;
  const facts: readonly (readonly [string, Fragment])[] = [
    [t.issuer, html`<code>${issuer.origin}</code>`],
    [t.discovery, html`<a class="kern-link kern-link--no-visited-state" href="${discovery}">${discovery}</a>`],
    [t.flow, t.flowText],
    [t.subject, t.subjectText],
  ];
  return portalPage(
    shell,
    'start',
    html`<p class="kern-body kern-body--large">${t.lead}</p>
    <h2 class="kern-heading-small">${t.facts}</h2>
    <dl class="ss-facts">${facts.map(([label, value]) => html`<div><dt>${label}</dt><dd>${value}</dd></div>`)}</dl>
    <h2 class="kern-heading-small">${t.steps}</h2>
    <ol>
      <li class="ss-step"><p class="kern-body">${t.step1}</p>${code(add(shell.language), t.step1)}</li>
      <li class="ss-step"><p class="kern-body">${t.step2}</p>${code(START, t.step2)}</li>
      <li class="ss-step"><p class="kern-body">${t.step3}</p>${code(run(sandbox), t.step3)}</li>
      <li class="ss-step"><p class="kern-body">${t.step4} <a class="kern-link kern-link--no-visited-state" href="mailto:${shell.town.contact.email}">${shell.town.contact.email}</a></p></li>
    </ol>
    ${shell.sandbox !== undefined && html`<p class="kern-body">${t.registerItself}</p>${code(register(sandbox), t.registerItself)}`}
    <h2 class="kern-heading-small">${t.hints}</h2>
    <ul class="kern-body ss-hints">${t.hintList.map((hint) => html`<li>${hint}</li>`)}</ul>`,
  );
};

export const examplesView = (shell: Shell): string => {
  const t = textsOf(shell);
  return portalPage(
    shell,
    'examples',
    html`<p class="kern-body kern-body--large">${t.examplesLead}</p>
    ${EXAMPLES.map(
      ({ id, title, file, tested }) =>
        html`<section><h2 class="kern-heading-small" id="${id}">${title}</h2>
        <p class="kern-body kern-body--small kern-body--muted">${file} · ${tested ? t.tested : t.untested}</p>
        ${code(exampleText(file), title)}</section>`,
    )}`,
  );
};

export const errorsView = (shell: Shell): string => {
  const t = textsOf(shell);
  return portalPage(
    shell,
    'errors',
    html`<p class="kern-body kern-body--large">${t.errorsLead}</p>
    ${Object.entries(ERROR_CATALOGUE).map(
      ([name, { cause, remedy }]) =>
        html`<section id="${name}"><h2 class="kern-heading-small"><code>${name}</code></h2>
        <dl class="ss-facts"><div><dt>${t.cause}</dt><dd>${inLanguage(cause, shell.language)}</dd></div>
        <div><dt>${t.remedy}</dt><dd>${inLanguage(remedy, shell.language)}</dd></div></dl></section>`,
    )}`,
  );
};

export const claimsView = (
  shell: Shell,
  registrations: readonly Registration[],
  shown: { readonly registration: Registration; readonly sample: object } | undefined,
): string => {
  const t = textsOf(shell);
  const { language } = shell;
  return portalPage(
    shell,
    'claims',
    html`<p class="kern-body kern-body--large">${t.claimsLead}</p>
    <form method="get" action="${PORTAL_PATHS.claims}" class="ss-form">
      <div class="kern-form-input"><label class="kern-label" for="dienst">${t.service}</label>
      <div class="kern-form-input__select-wrapper"><select class="kern-form-input__select" id="dienst" name="dienst">${registrations.map(
        (one) =>
          html`<option value="${one.clientId}"${one.clientId === shown?.registration.clientId && html` selected`}>${inLanguage(one.name, language)}</option>`,
      )}</select></div></div>
      <div class="ss-actions"><button type="submit" class="kern-btn kern-btn--primary"><span class="kern-label">${t.show}</span></button></div>
    </form>
    ${
      shown !== undefined &&
      html`<h2 class="kern-heading-small">${t.claimsOf(inLanguage(shown.registration.name, language))}</h2>
      ${shown.registration.claims.length === 0 && html`<p class="kern-body">${t.onlySub}</p>`}
      <dl class="ss-facts">${shown.registration.claims.map(
        (use) =>
          html`<div><dt><code>${use.claim}</code> (${use.required ? t.required : t.optional})</dt><dd>${inLanguage(use.purpose, language)} · ${inLanguage(use.legalBasis, language)}</dd></div>`,
      )}</dl>
      <h3 class="kern-heading-small">${t.sample}</h3>
      ${code(JSON.stringify(shown.sample, null, 2), t.sample)}`
    }`,
  );
};

export const statusView = (shell: Shell, changelog: string): string => {
  const t = textsOf(shell);
  return portalPage(
    shell,
    'status',
    html`<p class="kern-body kern-body--large">${t.statusLead} <a class="kern-link kern-link--no-visited-state" href="/.well-known/openid-configuration">${t.discovery}</a></p>
    <h2 class="kern-heading-small">${t.changelog}</h2>
    ${changelogView(changelog)}`,
  );
};
