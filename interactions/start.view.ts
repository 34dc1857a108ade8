import type { Registration } from '../accounts/town.ts';
import { PORTAL_TEXTS } from './entwickler/texts.ts';
import { type Html, html, safeUrl } from './html.ts';
import { inLanguage, textsIn } from './language.ts';
import { layout, type Shell } from './layout.view.ts';

/** Where a service is opened: its own start of the sign-in (OpenID Connect Core §4), or else its home page. */
export const openingOf = (registration: Registration, issuer: URL): string | undefined => {
  const login = safeUrl(registration.initiateLoginUri);
  if (login === undefined) return safeUrl(registration.homepage);
  const url = new URL(login);
  url.searchParams.set('iss', issuer.href.replace(/\/$/, ''));
  return url.href;
};

const card = (shell: Shell, registration: Registration, address: string): Html =>
  html`<li class="ss-card"><a class="ss-card__link" href="${address}">${inLanguage(registration.name, shell.language)}</a><p class="ss-card__text">${inLanguage(registration.description, shell.language)}</p></li>`;

/** The start page: the town's services, grouped by organisation. */
export const startPage = (shell: Shell, registrations: readonly Registration[], issuer: URL): string => {
  const t = textsIn(shell.language).start;
  const groups = shell.town.organisations
    .map(({ id, name }) => ({
      id,
      name: inLanguage(name, shell.language),
      services: registrations
        .filter(({ organisation }) => organisation === id)
        .map((registration) => ({ registration, address: openingOf(registration, issuer) })),
    }))
    .map((group) => ({ ...group, services: group.services.filter(({ address }) => address !== undefined) }))
    .filter(({ services }) => services.length > 0);
  return layout(shell, {
    title: t.title,
    wide: true,
    body: html`<p class="kern-body kern-body--large">${t.lead}</p>
    <ul class="ss-links">
      <li><a class="kern-link kern-link--no-visited-state" href="/konto">${t.account}</a></li>
      <li><a class="kern-link kern-link--no-visited-state" href="/konto/daten">${t.data}</a></li>
    </ul>
    ${groups.length === 0 && html`<p class="kern-body">${t.empty}</p>`}
    <div class="ss-groups">${groups.map(
      ({ name, services }) => html`<section class="ss-group ${services.length > 1 && 'ss-group--wide'}">
      <h2 class="kern-heading-small">${name}</h2>
      <ul class="ss-cards">${services.map(({ registration, address }) => card(shell, registration, address ?? '/'))}</ul>
    </section>`,
    )}</div>
    <section class="ss-aside">
      <h2 class="kern-heading-small">${t.privacyTitle}</h2>
      <p class="kern-body">${t.privacy}</p>
      <p class="kern-body">${t.signOutText} <a class="kern-link kern-link--no-visited-state" href="/session/end">${t.signOut}</a></p>
    </section>
    <p class="kern-body kern-body--small"><a class="kern-link" href="/entwickler">${PORTAL_TEXTS[shell.language].title}</a></p>`,
  });
};
