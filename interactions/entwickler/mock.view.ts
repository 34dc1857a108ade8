import { type Html, html } from '../html.ts';
import type { Shell } from '../layout.view.ts';
import { code, portalPage } from './portal.view.ts';
import { PORTAL_TEXTS } from './texts.ts';

const START = `npx stadtschluessel-mock --redirect-uri http://localhost:8080/callback
http://localhost:4011 is ready after 2.0 s. Nothing here is real.`;

const PIPELINE = `services:
  stadtschluessel:
    image: stadtschluessel-mock
    command: ["--issuer", "http://stadtschluessel:4011", "--redirect-uri", "http://app:8080/callback"]`;

const SIGN_IN = `const { url, verifier } = await myLibrary.authorizationUrl();
const answer = await fetch('http://localhost:4011/mock/sign-in', {
  method: 'POST',
  body: JSON.stringify({ citizen: 'wiebke', url }),
});
const { redirect } = await answer.json(); // http://localhost:8080/callback?code=…&state=…`;

const IN_BROWSER = `https://login.example/auth?…&login_hint=mock:wiebke
await browser.newContext({ extraHTTPHeaders: { 'x-mock-citizen': 'wiebke' } }); // Playwright`;

const FAULTS = `login_hint=mock:error=temporarily_unavailable
x-mock-fault: invalid_grant
POST /mock/faults {"endpoint": "token", "error": "invalid_grant", "times": 2}
POST /mock/faults {"endpoint": "userinfo", "status": 503, "delayMs": 3000}
POST /mock/faults {"endpoint": "token", "idToken": "nonce"}`;

const CITIZENS: readonly (readonly [key: string, de: string, en: string])[] = [
  ['wiebke', 'mit E-Mail, wohnt in der Stadt', 'with e-mail, lives in town'],
  ['ottokar', 'älter, ohne E-Mail und ohne Smartphone', 'older, without e-mail and smartphone'],
  ['deniz', 'minderjährig, wohnt anderswo, Vertrauensniveau niedrig', 'a minor, lives elsewhere, level low'],
  ['henrike', 'Passwort und Authenticator-App', 'password and authenticator app'],
  ['eike', 'Online-Ausweis: Vertrauensniveau hoch', 'eID: level high'],
  ['jana', 'heißt ab der zweiten Anmeldung anders', 'has another name from the second sign-in on'],
  ['nele', 'lehnt alles Freiwillige ab', 'refuses everything voluntary'],
  ['carl', 'lehnt alles ab: access_denied', 'refuses everything: access_denied'],
  ['gesa', 'gesperrt: access_denied', 'locked: access_denied'],
  [
    'emma, tuana, oksana, salim, jolanta',
    'Englisch, Türkisch, Ukrainisch, Arabisch, Polnisch',
    'English, Turkish, Ukrainian, Arabic, Polish',
  ],
];

/** How the mock is used in a service's CI. */
export const mockView = (shell: Shell): string => {
  const t = PORTAL_TEXTS[shell.language];
  const section = (title: string, text: string, sample: string): Html =>
    html`<section><h2 class="kern-heading-small">${title}</h2><p class="kern-body">${text}</p>${code(sample, title)}</section>`;
  return portalPage(
    shell,
    'mock',
    html`<p class="kern-body kern-body--large">${t.mockLead}</p>
    ${section(t.mockStart, t.mockStartText, START)}
    ${section(t.mockContainer, t.mockContainerText, PIPELINE)}
    ${section(t.mockSkip, t.mockSkipText, SIGN_IN)}
    ${section(t.mockBrowser, t.mockBrowserText, IN_BROWSER)}
    <section><h2 class="kern-heading-small">${t.mockCitizens}</h2>
    <dl class="ss-facts">${CITIZENS.map(([key, de, en]) => html`<div><dt><code>${key}</code></dt><dd>${shell.language === 'de' ? de : en}</dd></div>`)}</dl></section>
    ${section(t.mockFaults, t.mockFaultsText, FAULTS)}
    <section><h2 class="kern-heading-small">${t.mockMore}</h2><ul class="kern-body ss-hints">${t.mockMoreList.map((one) => html`<li>${one}</li>`)}</ul></section>`,
  );
};
