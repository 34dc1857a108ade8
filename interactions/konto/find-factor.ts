import { type Factor, find, type Question } from '../factor-finder.ts';
import { advice, questionField } from '../factor-finder.view.ts';
import { submit } from '../form.view.ts';
import { type Fragment, html } from '../html.ts';
import { officeAddress } from '../steps/page.view.ts';
import type { KontoPage, Visitor } from './konto.ts';
import { kontoPage } from './page.view.ts';

const PATH = '/konto/zweiter-faktor';
/** Which question was on the page: without it an answer that is missing could not be told from a first visit. */
const ASKED = 'asked';

const link = (kind: 'primary' | 'tertiary', to: string, label: string): Fragment =>
  html`<a class="kern-btn kern-btn--${kind}" href="${to}"><span class="kern-label">${label}</span></a>`;

/** Where a factor is set up, and what there is of it already. */
const wayTo = ({ t, has }: Visitor, factor: Factor) => {
  const { konto, finder } = t;
  if (factor === 'app') {
    const have = has.totp ? `${konto.totp.title}: ${konto.totp.is}` : undefined;
    return { to: '/konto/app', label: finder.setUpApp, have };
  }
  if (factor === 'paper') {
    const have = has.codes > 0 ? `${konto.codes.title}: ${konto.codes.left(has.codes)}` : undefined;
    return { to: '/konto/ersatzcodes', label: finder.setUpCodes, have };
  }
  const have = has.passkeys > 0 ? konto.passkeys.count(has.passkeys) : undefined;
  return { to: '/konto/passkey-neu', label: have === undefined ? konto.passkeys.first : konto.passkeys.add, have };
};

const recommend = (visitor: Visitor, factor: Factor): Fragment => {
  const { finder: t, konto } = visitor.t;
  const { to, label, have } = wayTo(visitor, factor);
  const besidePassword = factor === 'app' || factor === 'paper';
  const setUp = html`${have !== undefined && html`<p class="kern-body">${t.already} <strong>${have}</strong></p>`}
    <div class="ss-actions">${
      besidePassword && !visitor.has.password
        ? html`${link('primary', '/konto/passwort', t.setUpPassword)}${link('tertiary', to, label)}`
        : link('primary', to, besidePassword && have !== undefined ? konto.change : label)
    }</div>`;
  return advice(visitor, factor, false, setUp);
};

/** The address of the page with these answers. */
const pathWith = (given: readonly (readonly [Question, string])[]): string =>
  given.length === 0 ? PATH : `${PATH}?${new URLSearchParams(given.map(([name, value]) => [name, value]))}`;

const view = (visitor: Visitor): string => {
  const { finder: t } = visitor.t;
  const { query } = visitor.ctx;
  const { given, next } = find((question) => {
    const answer = query[question];
    return typeof answer === 'string' ? answer : undefined;
  });
  const unanswered = 'ask' in next && query[ASKED] === next.ask;
  const asking: Visitor = unanswered
    ? { ...visitor, flash: { faults: [{ field: next.ask, code: 'answer-missing' }] } }
    : visitor;
  return kontoPage(asking, {
    title: t.title,
    body: html`${
      'ask' in next
        ? html`${given.length === 0 && html`<p class="kern-body">${t.lead}</p>`}
    <form method="get" action="${PATH}" class="ss-form" novalidate>
      ${given.map(([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`)}
      <input type="hidden" name="${ASKED}" value="${next.ask}">
      ${questionField(asking, next.ask)}
      ${submit(t.submit)}
    </form>`
        : html`${recommend(visitor, next.take)}
    <section class="ss-aside"><p class="kern-body">${t.nothing}</p>${officeAddress(visitor.shell)}</section>`
    }
    ${
      given.length > 0 &&
      html`<div class="ss-row">${link('tertiary', pathWith(given.slice(0, -1)), t.previous)}${given.length > 1 && link('tertiary', PATH, t.restart)}</div>`
    }`,
  });
};

/** Asks two or three questions and recommends one factor. The answers stand in the address and are kept nowhere. */
export const page: KontoPage = { fresh: false, view, posts: {} };
