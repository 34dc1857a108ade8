import type { Attributes } from '../accounts/attributes.ts';
import type { CardAnswer, CardPlace } from './eid-messages.ts';

/**
 * Cards print names in capitals, as the machine-readable zone does. Services expect them as people write them; what
 * capitals do not tell (MCDONALD, DE LA CRUZ) cannot be won back, so parts are set in the plainest way.
 */
const LOWER_PARTICLES = new Set(['von', 'vom', 'zu', 'zum', 'zur', 'der', 'den', 'dem', 'und']);

const capitalised = (word: string): string => {
  const lower = word.toLocaleLowerCase('de');
  return lower
    .replace(/^\p{L}/u, (letter) => letter.toLocaleUpperCase('de'))
    .replace(/(?<=['’])\p{L}/gu, (letter) => letter.toLocaleUpperCase('de'));
};

/** A name as people write it; a name that is not all capitals is left as it is. */
export const nameOf = (text: string): string => {
  const name = text.trim().replace(/\s+/g, ' ').normalize('NFC');
  if (name !== name.toLocaleUpperCase('de')) return name;
  return name
    .split(' ')
    .map((word) =>
      LOWER_PARTICLES.has(word.toLocaleLowerCase('de'))
        ? word.toLocaleLowerCase('de')
        : word.split('-').map(capitalised).join('-'),
    )
    .join(' ');
};

/** Streets keep what is not a name: `BERLINER STR. 70A` becomes `Berliner Str. 70a`. */
const addressOf = (place: CardPlace | undefined): Attributes['address'] => {
  if (place?.kind !== 'structured' || place.street === undefined || place.zip === undefined) return undefined;
  return {
    street_address: nameOf(place.street),
    postal_code: place.zip,
    locality: nameOf(place.city),
    // The card writes D, as on number plates (ICAO 9303 of Germany); an address claim has ISO 3166.
    country: place.country === 'D' ? 'DE' : place.country,
  };
};

/**
 * The attributes that a card proves. Partial dates of birth, free-text places and `no main residence` prove nothing that
 * a claim could carry, and are left out. Of the age only a yes is worth keeping, as nobody stays under age.
 * @param today YYYY-MM-DD
 */
export const cardAttributes = (
  answer: CardAnswer,
  asked: { ageOver?: number | undefined },
  today: string,
): Attributes => {
  const address = addressOf(answer.residence);
  const birthdate =
    answer.birthdate !== undefined && /^\d{4}-\d\d-\d\d$/.test(answer.birthdate) ? answer.birthdate : undefined;
  return {
    ...(answer.givenNames !== undefined && { given_name: nameOf(answer.givenNames) }),
    ...(answer.familyNames !== undefined && { family_name: nameOf(answer.familyNames) }),
    ...(birthdate !== undefined && { birthdate }),
    ...(address !== undefined && { address }),
    ...(answer.ageOver === true && asked.ageOver !== undefined && { age_over: asked.ageOver }),
    ...(answer.livesIn !== undefined && { resident: { lives: answer.livesIn, on: today } }),
  };
};
