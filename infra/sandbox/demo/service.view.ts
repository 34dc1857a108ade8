import { html } from 'hono/html';
import type { Registration, Text } from '../../../accounts/town.ts';
import { type Language, page, type View } from '../page.view.ts';
import type { Citizen } from './rp-session.ts';
import type { SecurityEvent } from './security-event.ts';

export type Home = {
  readonly registration: Registration;
  readonly organisation: Text;
  readonly base: URL;
  readonly issuer: URL;
  readonly citizen: Citizen | undefined;
  readonly api?: object | undefined;
  /** What the provider has told the service, the newest first. */
  readonly told: readonly SecurityEvent[];
};

/** Why something did not work: an OAuth error code or one of the service's own. */
export type Failure = { readonly code: string; readonly detail?: string };

const TEXTS = {
  de: {
    demo: 'Demodienst von',
    welcome: 'Willkommen',
    hello: 'Angemeldet',
    signIn: 'Mit dem Stadtschlüssel anmelden',
    signOut: 'Abmelden',
    refresh: 'Angaben erneuern',
    asks: 'Dieser Dienst fragt nach',
    nothing: 'Dieser Dienst fragt nur nach einem Pseudonym.',
    needed: 'nötig',
    optional: 'freiwillig',
    subject: 'Ihr Pseudonym bei diesem Dienst',
    others: 'Dienste anderer Organisationen sehen ein anderes.',
    learned: 'Was der Dienst erfahren hat',
    idToken: 'Inhalt des ID-Tokens',
    provider: 'Zum Stadtschlüssel',
    failed: 'Das hat nicht geklappt',
    again: 'Zurück zum Dienst',
    code: 'Fehler',
    api: 'Bankverbindung ansehen',
    apiTitle: 'Ihre Bankverbindung',
    apiRefused: 'Die Schnittstelle verlangt eine stärkere oder frischere Anmeldung.',
    stepUp: 'Stärker anmelden',
    answer: 'Antwort der Schnittstelle',
    told: 'Was der Stadtschlüssel mitgeteilt hat',
    'account-purged': 'Das Konto ist gelöscht; der Dienst löscht, was er dazu hat.',
    'tokens-revoked': 'Die Erlaubnis ist widerrufen.',
  },
  en: {
    demo: 'Demo service of',
    welcome: 'Welcome',
    hello: 'Signed in',
    signIn: 'Sign in with Stadtschlüssel',
    signOut: 'Sign out',
    refresh: 'Renew my details',
    asks: 'This service asks for',
    nothing: 'This service asks for a pseudonym only.',
    needed: 'needed',
    optional: 'optional',
    subject: 'Your pseudonym at this service',
    others: 'Services of other organisations see another one.',
    learned: 'What the service has learned',
    idToken: 'Content of the ID token',
    provider: 'To Stadtschlüssel',
    failed: 'That did not work',
    again: 'Back to the service',
    code: 'Error',
    api: 'See bank details',
    apiTitle: 'Your bank details',
    apiRefused: 'The API asks for a stronger or fresher sign-in.',
    stepUp: 'Sign in with more',
    answer: 'Answer of the API',
    told: 'What Stadtschlüssel has told',
    'account-purged': 'The account is deleted; the service deletes what it has about it.',
    'tokens-revoked': 'The permission is withdrawn.',
  },
} as const;

const EXPLANATIONS: Record<Language, Readonly<Record<string, string>>> = {
  de: {
    access_denied: 'Sie haben die Anmeldung abgebrochen.',
    unexpected_answer: 'Diese Antwort gehört zu keiner Anmeldung in diesem Browser. Bitte melden Sie sich neu an.',
    wrong_issuer: 'Die Anmeldung wurde von einer Stelle gestartet, die dieser Dienst nicht kennt.',
    no_refresh_token: 'Dieser Dienst darf Ihre Angaben nicht ohne Sie erneuern.',
    not_found: 'Diese Seite gibt es nicht.',
  },
  en: {
    access_denied: 'You have cancelled the sign-in.',
    unexpected_answer: 'This answer belongs to no sign-in in this browser. Please sign in again.',
    wrong_issuer: 'The sign-in was started by someone whom this service does not know.',
    no_refresh_token: 'This service may not renew your details without you.',
    not_found: 'There is no such page.',
  },
};

const textIn = (text: Text, language: Language): string => text[language] ?? text.de;

const head = (language: Language, registration: Registration, organisation: Text): View =>
  html`<p class="who">${textIn(registration.name, language)}</p><p>${TEXTS[language].demo} ${textIn(organisation, language)}</p>`;

/** The service's one page, signed in or not. */
export const homePage = (language: Language, home: Home): View => {
  const { registration, organisation, base } = home;
  const body = home.citizen === undefined ? welcome(language, home) : signedIn(language, home, home.citizen);
  return page(
    language,
    textIn(registration.name, language),
    head(language, registration, organisation),
    html`${body}${news(language, home.told)}`,
    `${base.pathname}style.css`,
  );
};

const news = (language: Language, told: readonly SecurityEvent[]): View => {
  const texts = TEXTS[language];
  const items = told.map(({ event, subject }) => html`<dt><code>${subject}</code></dt><dd>${texts[event]}</dd>`);
  return items.length === 0 ? html`` : html`<h2>${texts.told}</h2><dl id="told">${items}</dl>`;
};

const welcome = (language: Language, { registration, base, issuer }: Home): View => {
  const texts = TEXTS[language];
  const claims = registration.claims.map(
    (use) =>
      html`<dt><code>${use.claim}</code></dt><dd>${textIn(use.purpose, language)} (${use.required ? texts.needed : texts.optional})</dd>`,
  );
  return html`<h1>${texts.welcome}</h1>
<p>${textIn(registration.description, language)}.</p>
<form method="post" action="${base.pathname}login"><button>${texts.signIn}</button></form>
${claims.length === 0 ? html`<p>${texts.nothing}</p>` : html`<h2>${texts.asks}</h2><dl>${claims}</dl>`}
<p><a href="${issuer.origin}/">${texts.provider}</a></p>`;
};

const signedIn = (language: Language, { registration, base, issuer, api }: Home, citizen: Citizen): View => {
  const texts = TEXTS[language];
  const claims = Object.entries(citizen.claims)
    .filter(([claim]) => claim !== 'sub')
    .map(
      ([claim, value]) =>
        html`<dt><code>${claim}</code></dt><dd>${typeof value === 'string' ? value : JSON.stringify(value)}</dd>`,
    );
  const name = ['name', 'given_name'].map((claim) => citizen.claims[claim]).find((value) => typeof value === 'string');
  return html`<h1>${texts.hello}${name === undefined ? '' : `: ${name}`}</h1>
<form method="post" action="${base.pathname}logout"><button>${texts.signOut}</button></form>
${
  citizen.refreshToken === undefined || !registration.refreshTokens
    ? ''
    : html`<form method="post" action="${base.pathname}refresh"><button class="quiet">${texts.refresh}</button></form>`
}
${api === undefined ? '' : html`<form method="post" action="${base.pathname}api"><button class="quiet">${texts.api}</button></form>`}
<h2>${texts.subject}</h2>
<p class="notice"><code id="subject">${citizen.subject}</code><br>${texts.others}</p>
<h2>${texts.learned}</h2>
${claims.length === 0 ? html`<p>${texts.nothing}</p>` : html`<dl id="claims">${claims}</dl>`}
<h2>${texts.idToken}</h2>
<pre id="id-token">${JSON.stringify(citizen.idTokenClaims, null, 2)}</pre>
<p><a href="${issuer.origin}/">${texts.provider}</a></p>`;
};

/** What the API has answered, or what it asks for before it does. */
export const apiPage = (
  language: Language,
  { registration, organisation, base }: Pick<Home, 'registration' | 'organisation' | 'base'>,
  { challenge, body }: { readonly challenge: string | null; readonly body: string },
): View => {
  const texts = TEXTS[language];
  const content = html`<h1>${texts.apiTitle}</h1>
${
  challenge === null
    ? html`<pre id="api">${body}</pre>`
    : html`<p>${texts.apiRefused}</p>
<form method="post" action="${base.pathname}api/step-up"><button>${texts.stepUp}</button></form>
<h2>${texts.answer}</h2>
<pre id="challenge">WWW-Authenticate: ${challenge}</pre>`
}
<p><a href="${base.pathname}">${texts.again}</a></p>`;
  return page(
    language,
    texts.apiTitle,
    head(language, registration, organisation),
    content,
    `${base.pathname}style.css`,
  );
};

/** What went wrong, for a citizen and for a developer. */
export const failurePage = (
  language: Language,
  { registration, organisation, base }: Pick<Home, 'registration' | 'organisation' | 'base'>,
  failure: Failure,
): View => {
  const texts = TEXTS[language];
  const explanation = EXPLANATIONS[language][failure.code];
  const body = html`<h1>${texts.failed}</h1>
${explanation === undefined ? '' : html`<p>${explanation}</p>`}
<p class="notice">${texts.code}: <code>${failure.code}</code>${failure.detail ? html`<br>${failure.detail}` : ''}</p>
<p><a href="${base.pathname}">${texts.again}</a></p>`;
  return page(language, texts.failed, head(language, registration, organisation), body, `${base.pathname}style.css`);
};
