import * as attributes from '../../accounts/attributes.ts';
import * as deletion from '../../accounts/deletion.ts';
import { type KnownApi, type KnownService, knownServices, preview } from '../../accounts/known-services.ts';
import { RETENTION } from '../../accounts/retention.ts';
import { claimLabel, claimValue, readableDay } from '../claim-value.view.ts';
import { birthdateFields, field, submit } from '../form.view.ts';
import { type Fragment, type Html, html } from '../html.ts';
import { inLanguage } from '../language.ts';
import { addressFields } from '../steps/address-fields.ts';
import { datenTexts } from '../texts/daten.ts';
import type { Visitor } from './konto.ts';
import { day, kontoForm, kontoPage } from './page.view.ts';
import { identityLine, proofNote } from './proofs.view.ts';

const section = (title: string, body: Fragment): Html =>
  html`<section class="ss-data"><h2 class="kern-heading-medium">${title}</h2>${body}</section>`;

const claimItem = (
  visitor: Visitor,
  { claim, purpose, value, given }: { claim: string; purpose: KnownService['name']; value: unknown; given: boolean },
): Html => {
  const { language } = visitor.shell;
  const t = datenTexts(language);
  const shown = value === undefined ? t.nothing : claimValue(claim, value, language);
  return html`<li class="ss-claim"><h4 class="ss-claim__label">${claimLabel(claim, language)}</h4>
    <p class="ss-claim__value">${given ? shown : html`<em>${t.notGiven}</em>`}</p>
    <p class="ss-claim__why">${visitor.t.consent.purpose}: ${inLanguage(purpose, language)}</p></li>`;
};

const apiItem = (visitor: Visitor, { name, purpose, given, pseudonym }: KnownApi): Html => {
  const { language } = visitor.shell;
  const t = datenTexts(language);
  return html`<li class="ss-claim"><h4 class="ss-claim__label">${t.asksAt(inLanguage(name, language))}</h4>
    <p class="ss-claim__value">${given ? html`${t.pseudonymThere} <code class="ss-pseudonym">${pseudonym ?? ''}</code>` : html`<em>${t.notAllowed}</em>`}</p>
    <p class="ss-claim__why">${visitor.t.consent.purpose}: ${inLanguage(purpose, language)}</p></li>`;
};

const serviceItem = (visitor: Visitor, service: KnownService): Html => {
  const { language } = visitor.shell;
  const t = datenTexts(language);
  const name = inLanguage(service.name, language);
  const since = t.since(readableDay(service.since, language));
  const last = service.last && t.last(readableDay(service.last, language));
  return html`<li><h3 class="kern-heading-small">${name}</h3>
    <p class="kern-body">${[inLanguage(service.organisation, language), since, last].filter(Boolean).join(' · ')}</p>
    ${service.pseudonym === undefined ? html`<p class="kern-body">${t.gone}</p>` : html`<p class="kern-body">${t.pseudonym} <code class="ss-pseudonym">${service.pseudonym}</code></p>`}
    ${service.pseudonym !== undefined && service.claims.length === 0 && html`<p class="kern-body">${t.pseudonymOnly}</p>`}
    ${service.claims.length > 0 && html`<ul class="ss-claims">${service.claims.map((claim) => claimItem(visitor, claim))}</ul>`}
    ${service.apis.length > 0 && html`<ul class="ss-claims">${service.apis.map((api) => apiItem(visitor, api))}</ul>`}
    ${kontoForm(
      visitor,
      'withdraw',
      html`<input type="hidden" name="service" value="${service.clientId}">
      <button type="submit" class="kern-btn kern-btn--secondary" aria-label="${t.withdrawOf(name)}"><span class="kern-label">${t.withdraw}</span></button>`,
    )}</li>`;
};

const previews = async (visitor: Visitor, known: readonly KnownService[]): Promise<Fragment> => {
  const { deps, domain, account } = visitor;
  const { language } = visitor.shell;
  const t = datenTexts(language);
  const others = (await deps.registrations()).filter(
    ({ clientId, staff }) => staff !== true && known.every((one) => one.clientId !== clientId),
  );
  const items: Html[] = [];
  for (const registration of others) {
    const { pseudonym, claims, apis } = await preview(domain, account.id, deps.town, registration);
    items.push(html`<li><h3 class="kern-heading-small">${inLanguage(registration.name, language)}</h3>
      <p class="kern-body">${t.pseudonym} <code class="ss-pseudonym">${pseudonym}</code></p>
      ${claims.length === 0 ? html`<p class="kern-body">${t.pseudonymOnly}</p>` : html`<ul class="ss-claims">${claims.map((claim) => claimItem(visitor, { ...claim, given: true }))}</ul>`}
      ${apis.length > 0 && html`<ul class="ss-claims">${apis.map((api) => apiItem(visitor, api))}</ul>`}</li>`);
  }
  return (
    items.length > 0 &&
    html`<details class="ss-details"><summary>${t.preview}</summary><p class="kern-body">${t.previewHint}</p><ul class="ss-list">${items}</ul></details>`
  );
};

type Recorded = Awaited<ReturnType<typeof attributes.readWithSource>>[number];

const postalLines = ({ street_address, postal_code, locality, country }: attributes.PostalAddress): Html =>
  html`${street_address}<br>${postal_code} ${locality}${country !== undefined && html`<br>${country}`}`;

/** In the order in which people give them. */
const ORDER: readonly string[] = ['given_name', 'family_name', 'birthdate', 'address', 'age_over', 'resident'];

/** What is recorded, as a citizen reads it. */
const recordedItem = (
  visitor: Visitor,
  { name, value, source }: Recorded,
  proof: attributes.ProofOf | undefined,
): Html => {
  const { language } = visitor.shell;
  const t = datenTexts(language);
  const shown: Fragment =
    name === 'address'
      ? postalLines(value as attributes.PostalAddress)
      : name === 'resident'
        ? claimValue('resident', (value as { lives: boolean }).lives, language)
        : claimValue(name, value, language);
  return html`<dt class="kern-body"><strong>${t.attributes[name]}</strong></dt>
    <dd class="kern-body">${shown}<br><span class="kern-body--small kern-body--muted">${t.sources[source]}${proof && `, ${proofNote(visitor, proof)}`}</span></dd>`;
};

const person = async (visitor: Visitor): Promise<Html> => {
  const { domain, account, flash, shell } = visitor;
  const t = datenTexts(shell.language);
  const recorded = [...(await attributes.readWithSource(domain, account.id))].sort(
    (one, other) => ORDER.indexOf(one.name) - ORDER.indexOf(other.name),
  );
  const typed = Object.fromEntries(recorded.map(({ name, value }) => [name, value])) as attributes.Attributes;
  const [year = '', month = '', day = ''] = typed.birthdate?.split('-') ?? [];
  const values = {
    given_name: typed.given_name ?? '',
    family_name: typed.family_name ?? '',
    ...{ day, month, year },
    street_address: typed.address?.street_address ?? '',
    postal_code: typed.address?.postal_code ?? '',
    locality: typed.address?.locality ?? '',
    ...flash?.values,
  };
  const state = { ...visitor, flash: { ...flash, values } };
  const proofs = await attributes.proofs(domain, account.id);
  const open = (name: string): boolean => proofs.every((proof) => proof.name !== name || proof.over);
  const correctable = ['given_name', 'family_name', 'birthdate', 'address'].some(open);
  return html`<dl class="ss-retention">
      <dt class="kern-body"><strong>${t.kennung}</strong></dt><dd class="kern-body">${account.kennung}</dd>
      <dt class="kern-body"><strong>${t.email}</strong></dt>
      <dd class="kern-body">${account.email ?? t.nothing}<br><a class="kern-link" href="/konto/email">${t.change}</a></dd>
      ${recorded.map((one) =>
        recordedItem(
          visitor,
          one,
          proofs.find(({ name }) => name === one.name),
        ),
      )}
    </dl>
    ${await identityLine(visitor)}
    <p class="kern-body">${t.personHint}</p>
    ${
      correctable &&
      kontoForm(
        visitor,
        'correct',
        html`${open('given_name') && field(state, { name: 'given_name', label: t.given_name, autocomplete: 'given-name' })}
      ${open('family_name') && field(state, { name: 'family_name', label: t.family_name, autocomplete: 'family-name' })}
      ${open('birthdate') && birthdateFields(state)}
      ${open('address') && addressFields(state, visitor.t.address)}
      ${submit(t.save)}`,
      )
    }`;
};

const removal = async (visitor: Visitor): Promise<Html> => {
  const { language } = visitor.shell;
  const t = datenTexts(language);
  const due = await deletion.dueAt(visitor.domain, visitor.account.id);
  return due === undefined
    ? html`<p class="kern-body">${t.removeHint}</p>${kontoForm(visitor, 'delete', submit(t.removeSubmit, 'secondary'))}`
    : html`<p class="kern-body"><strong>${t.removing(day(due, language))}</strong></p>${kontoForm(visitor, 'keep', submit(t.keep))}`;
};

const retention = (visitor: Visitor): Html => {
  const { language } = visitor.shell;
  const t = datenTexts(language);
  return html`<details class="ss-details"><summary>${t.retention}</summary><dl class="ss-retention">${Object.values(
    RETENTION,
  ).map(
    ({ what, kept }) =>
      html`<dt class="kern-body"><strong>${inLanguage(what, language)}</strong></dt><dd class="kern-body">${inLanguage(kept, language)}</dd>`,
  )}</dl></details>`;
};

/** „Meine Daten“: who knows what, the citizen's own details, everything to take along, the way out. */
export const view = async (visitor: Visitor): Promise<string> => {
  const { deps, domain, account } = visitor;
  const t = datenTexts(visitor.shell.language);
  const known = await knownServices(domain, account.id, deps.town, deps.registration);
  return kontoPage(visitor, {
    title: t.title,
    body: html`<p class="kern-body kern-body--large">${t.lead}</p>
    ${section(
      t.services,
      html`${known.length === 0 ? html`<p class="kern-body">${t.noServices}</p>` : html`<p class="kern-body">${t.withdrawHint}</p><ul class="ss-list">${known.map((service) => serviceItem(visitor, service))}</ul>`}
      ${await previews(visitor, known)}`,
    )}
    ${section(t.person, await person(visitor))}
    ${section(
      t.download,
      html`<p class="kern-body">${t.downloadHint}</p>
      ${kontoForm(visitor, 'json', submit(t.json, 'secondary'))}${kontoForm(visitor, 'pdf', submit(t.pdf, 'secondary'))}
      <p class="kern-body"><a class="kern-link" href="/konto/protokoll">${t.log}</a></p>`,
    )}
    ${retention(visitor)}
    ${section(t.remove, await removal(visitor))}`,
  });
};
