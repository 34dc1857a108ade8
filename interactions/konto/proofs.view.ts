import * as attributes from '../../accounts/attributes.ts';
import { proofingOf } from '../../accounts/factors.ts';
import { type Fragment, html } from '../html.ts';
import { datenTexts } from '../texts/daten.ts';
import { proofTexts } from '../texts/proofs.ts';
import type { Visitor } from './konto.ts';
import { day } from './page.view.ts';

const SOON_MILLISECONDS = 30 * 86_400_000;

type Proven = { readonly on: Date; readonly until?: Date | undefined };

/** When something was checked, and how long that is believed. */
export const proofNote = ({ domain, shell }: Visitor, { on, until }: Proven): string => {
  const t = proofTexts(shell.language);
  const from = day(on, shell.language);
  if (until === undefined) return t.on(from);
  return (until <= domain.now() ? t.over : t.until)(from, day(until, shell.language));
};

/** How well and when the citizen's identity was checked; nothing for one who never proved it. */
export const identityLine = async (visitor: Visitor): Promise<Fragment> => {
  const { domain, account, shell } = visitor;
  const identity = await proofingOf(domain, account.id);
  return (
    identity !== undefined &&
    html`<p class="kern-body">${proofTexts(shell.language).identity[identity.level]}: ${proofNote(visitor, identity)}</p>`
  );
};

/** Tells, on the first page, of proofs that are over or soon will be, and what to do. */
export const proofAlert = async (visitor: Visitor): Promise<Fragment> => {
  const { domain, account, shell, deps } = visitor;
  const { language } = shell;
  const t = proofTexts(language);
  const identity = await proofingOf(domain, account.id);
  const names = datenTexts(language).attributes;
  const all = [
    ...(identity === undefined ? [] : [{ what: t.identity[identity.level], ...identity }]),
    ...(await attributes.proofs(domain, account.id)).map((proof) => ({ what: names[proof.name], ...proof })),
  ];
  const soon = domain.now().getTime() + SOON_MILLISECONDS;
  const due = all.filter(({ until }) => until !== undefined && until.getTime() <= soon);
  if (due.length === 0) return null;
  const { eid, bundid } = deps.sources ?? {};
  return html`<div class="kern-alert kern-alert--info ss-notice"><div class="kern-alert__header"><span class="kern-icon kern-icon--info" aria-hidden="true"></span><h2 class="kern-title">${t.title}</h2></div>
    <div class="kern-alert__body"><ul>${due.map((one) => html`<li>${one.what}: ${proofNote(visitor, one)}</li>`)}</ul>
    <p class="kern-body">${t.how}</p>
    ${(eid !== undefined || bundid !== undefined) && html`<p class="kern-body"><a class="kern-link" href="/konto/nachweis">${t.prove}</a></p>`}</div></div>`;
};
