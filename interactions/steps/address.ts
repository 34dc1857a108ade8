import { parsePostalAddress } from '../../accounts/attributes.ts';
import type { Form } from '../form.ts';
import type { Draft, Fault } from '../progress.ts';
import { faulty, type Outcome, type Step, type Visit } from '../visit.ts';
import { view } from './address.view.ts';
import { addressFaults } from './address-fields.ts';
import { back } from './email.ts';

const keep = (address: NonNullable<Draft['address']>): Outcome => ({
  go: 'on',
  apply: (progress) => progress.draft && { ...progress, draft: { ...progress.draft, address } },
});

const save = async (_visit: Visit, form: Form): Promise<Outcome> => {
  const fields = {
    street_address: form.text('street_address'),
    postal_code: form.text('postal_code'),
    locality: form.text('locality'),
  };
  const address = parsePostalAddress(fields);
  if (address !== undefined) return keep(address);
  const faults: Fault[] = addressFaults(fields);
  return faulty(faults, fields);
};

export const step: Step = {
  view,
  posts: {
    address: { fields: ['street_address', 'postal_code', 'locality'], handle: save },
    'without-address': { fields: [], handle: async () => keep('none') },
    back,
  },
};
