import * as attributes from '../../accounts/attributes.ts';
import * as deletion from '../../accounts/deletion.ts';
import { exportAccount } from '../../accounts/export.ts';
import { parseClientId } from '../../accounts/ids.ts';
import type { Form } from '../form.ts';
import { addressFaults } from '../steps/address-fields.ts';
import { parseBirthdate } from '../steps/details.ts';
import { deletionMail } from '../texts/privacy-mails.ts';
import { view } from './daten.view.ts';
import { exportPdf } from './daten-pdf.ts';
import { type KontoOutcome, type KontoPage, type KontoPost, type Visitor, wrong } from './konto.ts';

const done: KontoOutcome = { go: 'page', flash: { done: true } };

const withdraw = async ({ deps, account }: Visitor, form: Form): Promise<KontoOutcome> => {
  const service = parseClientId(form.text('service'));
  if (service === undefined) return { go: 'page' };
  const { outcome } = await deps.withdraw(account.id, service);
  return outcome === 'withdrawn' ? done : { go: 'page' };
};

const ADDRESS = ['street_address', 'postal_code', 'locality'] as const;
const BIRTHDATE = ['day', 'month', 'year'] as const;

/** What the citizen typed takes the place of what was there, but never of what somebody else has proofed. */
const correct = async ({ domain, account }: Visitor, form: Form): Promise<KontoOutcome> => {
  const typed = {
    given_name: form.text('given_name'),
    family_name: form.text('family_name'),
    street_address: form.text('street_address'),
    postal_code: form.text('postal_code'),
    locality: form.text('locality'),
  };
  const born = BIRTHDATE.map((name) => form.text(name).trim());
  const wantsBirthdate = born.some((part) => part !== '');
  const [day = '', month = '', year = ''] = born;
  const birthdate = wantsBirthdate ? parseBirthdate(day, month, year, domain.now()) : undefined;
  if (wantsBirthdate && birthdate === undefined)
    return wrong([{ field: 'day', code: 'birthdate-invalid' }], { ...typed, day, month, year });
  const wantsAddress = ADDRESS.some((name) => typed[name].trim() !== '');
  const address = wantsAddress ? attributes.parsePostalAddress(typed) : undefined;
  if (wantsAddress && address === undefined) return wrong(addressFaults(typed), { ...typed, day, month, year });
  const given_name = attributes.parseName(typed.given_name);
  const family_name = attributes.parseName(typed.family_name);
  const changed = {
    ...(given_name !== undefined && { given_name }),
    ...(family_name !== undefined && { family_name }),
    ...(birthdate !== undefined && { birthdate }),
    ...(address !== undefined && { address }),
  };
  if (Object.keys(changed).length === 0) return { go: 'page' };
  await attributes.record(domain, account.id, changed, 'self');
  return done;
};

const download =
  (format: 'json' | 'pdf') =>
  async ({ domain, account, deps, shell }: Visitor): Promise<KontoOutcome> => {
    const data = await exportAccount(domain, account.id, deps.town, deps.registration, format);
    if (data === undefined) return { go: 'page' };
    const file = `stadtschluessel-${data.created_on}.${format}`;
    return format === 'json'
      ? { go: 'file', file, type: 'application/json', body: `${JSON.stringify(data, null, 2)}\n` }
      : { go: 'file', file, type: 'application/pdf', body: await exportPdf(data, shell.language) };
  };

const remove = async ({ domain, account, deps }: Visitor): Promise<KontoOutcome> => {
  await deletion.request(
    domain,
    account.id,
    (due) =>
      account.email === undefined ? undefined : { to: account.email, ...deletionMail(deps, account.language, due) },
    deps.sandbox?.deletionSeconds,
  );
  return done;
};

const keep = async ({ domain, account }: Visitor): Promise<KontoOutcome> =>
  (await deletion.withdraw(domain, account.id)) ? done : { go: 'page' };

const post = (handle: KontoPost['handle'], fresh: boolean, fields: readonly string[] = []): KontoPost => ({
  fields,
  fresh,
  handle,
});

/** Everything about the citizen's data. What changes or hands out all of it wants a fresh proof. */
export const page: KontoPage = {
  fresh: false,
  view,
  posts: {
    withdraw: post(withdraw, false, ['service']),
    correct: post(correct, false, ['given_name', 'family_name', ...BIRTHDATE, ...ADDRESS]),
    json: post(download('json'), true),
    pdf: post(download('pdf'), true),
    delete: post(remove, true),
    keep: post(keep, false),
  },
};
