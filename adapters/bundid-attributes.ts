import type { Attributes } from '../accounts/attributes.ts';
import { nameOf } from './eid-person.ts';

/** BundID's attributes by name; friendly names differ between senders and are never read. */
export const BUNDID_ATTRIBUTES = {
  givenName: '2.5.4.42',
  surname: '2.5.4.4',
  birthdate: '1.2.40.0.10.2.1.1.55',
  street: '2.5.4.16',
  postalCode: '2.5.4.17',
  locality: '2.5.4.7',
  country: '1.2.40.0.10.2.1.1.225599',
  bpk2: '1.3.6.1.4.1.25484.494450.3',
  qaaLevel: '1.2.40.0.10.2.1.1.261.94',
} as const;
export type BundIdAttribute = keyof typeof BUNDID_ATTRIBUTES;

export const nameOfAttribute = (attribute: BundIdAttribute): string => `urn:oid:${BUNDID_ATTRIBUTES[attribute]}`;

const BY_OID = new Map<string, BundIdAttribute>(
  Object.entries(BUNDID_ATTRIBUTES).map(([name, oid]) => [oid, name as BundIdAttribute]),
);

/** Some senders print a space after `urn:oid:`. */
export const attributeNamed = (name: string): BundIdAttribute | undefined => {
  const [, oid] = /^urn:oid:\s*([\d.]+)$/.exec(name.trim()) ?? [];
  return oid === undefined ? undefined : BY_OID.get(oid);
};

export type BundIdValues = Partial<Record<BundIdAttribute, string>>;

/** The attributes as the provider records them; an incomplete address or a partial date proves nothing. */
export const bundIdAttributes = (values: BundIdValues): Attributes => {
  const { givenName, surname, birthdate, street, postalCode, locality, country } = values;
  const whole = street !== undefined && postalCode !== undefined && locality !== undefined;
  return {
    ...(givenName !== undefined && { given_name: nameOf(givenName) }),
    ...(surname !== undefined && { family_name: nameOf(surname) }),
    ...(birthdate !== undefined && /^\d{4}-\d\d-\d\d$/.test(birthdate) && { birthdate }),
    ...(whole && {
      address: {
        street_address: nameOf(street),
        postal_code: postalCode,
        locality: nameOf(locality),
        ...(country !== undefined && { country: country === 'D' ? 'DE' : country }),
      },
    }),
  };
};
