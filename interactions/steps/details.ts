import {
  type Attributes,
  parseName,
  parsePostalAddress,
  proofs,
  read,
  record,
  type TypedAttribute,
} from '../../accounts/attributes.ts';
import { CLAIM_CATALOGUE, dayOf } from '../../accounts/claims.ts';
import type { Form } from '../form.ts';
import { sourcePosts } from '../identity/start.ts';
import type { Fault } from '../progress.ts';
import { faulty, type Outcome, type Step, type Visit } from '../visit.ts';
import { addressFaults } from './address-fields.ts';
import { view } from './details.view.ts';

const MAX_AGE_YEARS = 130;
const NAMES = [
  'street_address',
  'postal_code',
  'locality',
  'given_name',
  'family_name',
  'day',
  'month',
  'year',
] as const;

/** The attributes that the missing claims are made from and that the account lacks, in the order of the page. */
const missingAttributes = async (visit: Visit): Promise<TypedAttribute[]> => {
  if (visit.account === undefined) return [];
  const known = await read(visit.domain, visit.account.id);
  // A value whose proof is too old is asked for again: it may have changed.
  const over = new Set(
    (await proofs(visit.domain, visit.account.id)).filter((one) => one.over).map(({ name }) => name),
  );
  const wanted = new Set(visit.needs.missing.flatMap((claim) => CLAIM_CATALOGUE[claim]?.from ?? []));
  const order: readonly TypedAttribute[] = ['given_name', 'family_name', 'birthdate', 'address'];
  return order.filter((name) => wanted.has(name) && (known[name] === undefined || over.has(name)));
};

/** Day, month and year as typed → YYYY-MM-DD; undefined for a day that does not exist, is to come, or too long ago. */
export const parseBirthdate = (day: string, month: string, year: string, now: Date): string | undefined => {
  if (!/^\d{1,2}$/.test(day) || !/^\d{1,2}$/.test(month) || !/^\d{4}$/.test(year)) return undefined;
  const date = `${year}-${month.padStart(2, '0')}-${day.padStart(2, '0')}`;
  const parsed = new Date(`${date}T00:00:00Z`);
  // Node reads 30 February as 1 March: the way back shows it.
  if (Number.isNaN(parsed.getTime()) || parsed.toISOString().slice(0, 10) !== date) return undefined;
  return date <= dayOf(now) && Number(year) > now.getUTCFullYear() - MAX_AGE_YEARS ? date : undefined;
};

const save = async (visit: Visit, form: Form): Promise<Outcome> => {
  if (visit.account === undefined) return { go: 'on' };
  const attributes: { -readonly [Name in keyof Attributes]: Attributes[Name] } = {};
  const faults: Fault[] = [];
  for (const name of await missingAttributes(visit)) {
    if (name === 'given_name' || name === 'family_name') {
      const value = parseName(form.text(name));
      if (value !== undefined) attributes[name] = value;
      else faults.push({ field: name, code: name === 'given_name' ? 'given-name-missing' : 'family-name-missing' });
    } else if (name === 'birthdate') {
      const [day, month, year] = [form.text('day').trim(), form.text('month').trim(), form.text('year').trim()];
      const value = parseBirthdate(day, month, year, visit.domain.now());
      if (value !== undefined) attributes.birthdate = value;
      else faults.push({ field: 'day', code: 'birthdate-invalid' });
    } else {
      const fields = {
        street_address: form.text('street_address'),
        postal_code: form.text('postal_code'),
        locality: form.text('locality'),
      };
      const value = parsePostalAddress(fields);
      if (value !== undefined) attributes.address = value;
      else faults.push(...addressFaults(fields));
    }
  }
  if (faults.length > 0) return faulty(faults, Object.fromEntries(NAMES.map((name) => [name, form.text(name)])));
  if (Object.keys(attributes).length > 0) await record(visit.domain, visit.account.id, attributes, 'self');
  return { go: 'on' };
};

export const step: Step = {
  view: async (visit) => view(visit, await missingAttributes(visit)),
  posts: { eid: sourcePosts.eid, bundid: sourcePosts.bundid, details: { fields: NAMES, handle: save } },
};
