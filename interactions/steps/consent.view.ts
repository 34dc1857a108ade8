import { CLAIM_CATALOGUE } from '../../accounts/claims.ts';
import type { ApiUse, ClaimUse } from '../../accounts/town.ts';
import { claimValue } from '../claim-value.view.ts';
import { checkbox, form, submit } from '../form.view.ts';
import { type Fragment, type Html, html } from '../html.ts';
import { inLanguage } from '../language.ts';
import type { Visit } from '../visit.ts';
import { checkboxOf, shown, usesOf } from './consent-form.ts';
import { stepPage } from './page.view.ts';

const readable = (visit: Visit, claim: string): Fragment =>
  visit.values[claim] === undefined
    ? html`<em>${visit.t.consent.missing}</em>`
    : claimValue(claim, visit.values[claim], visit.shell.language);

const claimItem = (visit: Visit, use: ClaimUse): Html => {
  const t = visit.t.consent;
  const { language } = visit.shell;
  const label = inLanguage(CLAIM_CATALOGUE[use.claim]?.label ?? { de: use.claim }, language);
  const detailId = `about.${use.claim}`;
  const selectable = !use.required && visit.values[use.claim] !== undefined;
  return html`<li class="ss-claim">
    ${selectable ? checkbox(visit, { name: checkboxOf(use.claim), label, describedBy: detailId }) : html`<h3 class="ss-claim__label">${label}</h3>`}
    <div id="${detailId}" class="ss-claim__about">
      <p class="ss-claim__value"><span class="kern-sr-only">${t.value}: </span>${readable(visit, use.claim)}</p>
      <p class="ss-claim__why">${t.purpose}: ${inLanguage(use.purpose, language)}</p>
      <p class="ss-claim__why">${t.legalBasis}: ${inLanguage(use.legalBasis, language)}</p>
    </div>
  </li>`;
};

/** An API of another organisation, by the name of the service that it belongs to. */
const apiItem = async (visit: Visit, use: ApiUse): Promise<Html> => {
  const t = visit.t.consent;
  const { language } = visit.shell;
  const owner = (await visit.deps.registrations()).find(({ resource }) => resource?.identifier === use.resource);
  const organisation = visit.deps.town.organisations.find(({ id }) => id === owner?.organisation);
  const names = [owner?.name, organisation?.name].flatMap((name) => (name ? [inLanguage(name, language)] : []));
  return html`<li class="ss-claim"><h3 class="ss-claim__label">${names.join(' · ')}</h3>
    <div class="ss-claim__about">
      <p class="ss-claim__why">${t.purpose}: ${inLanguage(use.purpose, language)}</p>
      <p class="ss-claim__why">${t.legalBasis}: ${inLanguage(use.legalBasis, language)}</p>
    </div>
  </li>`;
};

/** Asks for permission: every claim with its value, purpose and legal basis; the optional ones to tick. */
export const view = async (visit: Visit): Promise<string> => {
  const t = visit.t.consent;
  const uses = usesOf(visit);
  const required = uses.filter((use) => use.required);
  const optional = uses.filter((use) => !use.required);
  const apis = (visit.registration.apis ?? []).filter(({ resource }) => visit.apis.includes(resource));
  const apiItems = await Promise.all(apis.map((use) => apiItem(visit, use)));
  return stepPage(visit, {
    title: uses.length === 0 ? t.apisOnlyTitle : t.title,
    cancel: false,
    body: html`${uses.length > 0 && html`<p class="kern-body">${t.lead(visit.service, visit.organisation)}</p>`}
    ${form(
      visit,
      'consent',
      html`<input type="hidden" name="shown" value="${shown(visit)}">
      ${required.length > 0 && html`<section><h2 class="kern-heading-small">${t.requiredTitle}</h2><ul class="ss-claims">${required.map((use) => claimItem(visit, use))}</ul></section>`}
      ${optional.length > 0 && html`<section><h2 class="kern-heading-small">${t.optionalTitle}</h2><p class="kern-body">${t.optionalHint}</p><ul class="ss-claims">${optional.map((use) => claimItem(visit, use))}</ul></section>`}
      ${apis.length > 0 && html`<section><h2 class="kern-heading-small">${t.apisTitle}</h2><p class="kern-body">${t.apisHint(visit.service)}</p><ul class="ss-claims">${apiItems}</ul></section>`}
      <p class="kern-body kern-body--small kern-body--muted">${apis.length === 0 && t.never} ${t.remembered}</p>
      ${submit(t.allow)}`,
    )}
    ${form(visit, 'deny', html`${submit(t.deny, 'secondary')}<p class="kern-body kern-body--small kern-body--muted ss-centred">${t.denyHint}</p>`)}`,
  });
};
