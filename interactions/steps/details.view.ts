import type { TypedAttribute } from '../../accounts/attributes.ts';
import { CLAIM_CATALOGUE } from '../../accounts/claims.ts';
import { birthdateFields, field, form, submit } from '../form.view.ts';
import { type Html, html } from '../html.ts';
import { sourceButtons } from '../identity/buttons.view.ts';
import { inLanguage } from '../language.ts';
import type { Visit } from '../visit.ts';
import { addressFields } from './address-fields.ts';
import { stepPage } from './page.view.ts';

const input = (visit: Visit, name: TypedAttribute): Html => {
  const t = visit.t.details;
  switch (name) {
    case 'given_name':
      return field(visit, { name, label: t.givenName, autocomplete: 'given-name' });
    case 'family_name':
      return field(visit, { name, label: t.familyName, autocomplete: 'family-name' });
    case 'birthdate':
      return birthdateFields(visit);
    case 'address':
      return addressFields(visit, visit.t.address);
  }
};

/** Asks for what the service requires and the account lacks, and says what for. */
export const view = (visit: Visit, attributes: readonly TypedAttribute[]): string => {
  const t = visit.t.details;
  const uses = visit.registration.claims.filter(({ claim }) => visit.needs.missing.includes(claim));
  return stepPage(visit, {
    title: t.title,
    body: html`<p class="kern-body">${t.lead(visit.service)}</p>
    <ul class="ss-list">${uses.map(
      ({ claim, purpose }) =>
        html`<li><strong>${inLanguage(CLAIM_CATALOGUE[claim]?.label ?? { de: claim }, visit.shell.language)}</strong> – ${t.why(inLanguage(purpose, visit.shell.language))}</li>`,
    )}</ul>
    ${sourceButtons(visit, visit.t.identity.buttons.proof)}
    ${form(visit, 'details', html`${attributes.map((name) => input(visit, name))}${submit(t.submit)}`)}
    <p class="kern-body kern-body--small kern-body--muted">${t.stored}</p>`,
  });
};
