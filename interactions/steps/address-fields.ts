import { type FormState, field } from '../form.view.ts';
import { type Html, html } from '../html.ts';
import type { Fault } from '../progress.ts';
import type { Texts } from '../texts/de.ts';

/** What is wrong with an address that could not be read, field by field; never nothing. */
export const addressFaults = (fields: { street_address: string; postal_code: string; locality: string }): Fault[] => {
  const faults: Fault[] = [];
  if (fields.street_address.trim() === '') faults.push({ field: 'street_address', code: 'street-missing' });
  if (!/^\d{5}$/.test(fields.postal_code.trim())) faults.push({ field: 'postal_code', code: 'postal-code-invalid' });
  if (fields.locality.trim() === '') faults.push({ field: 'locality', code: 'locality-missing' });
  return faults.length > 0 ? faults : [{ field: 'street_address', code: 'street-missing' }];
};

/** The three fields of a German postal address. */
export const addressFields = (state: FormState, t: Texts['address']): Html =>
  html`${field(state, { name: 'street_address', label: t.street, autocomplete: 'street-address' })}
  ${field(state, { name: 'postal_code', label: t.postalCode, hint: t.postalCodeHint, inputmode: 'numeric', autocomplete: 'postal-code', width: 'short', maxlength: 5 })}
  ${field(state, { name: 'locality', label: t.locality, autocomplete: 'address-level2' })}`;
