import type { Attributes } from './attributes.ts';

/** Values are compared as registers and cards write them differently: case, umlauts, accents, hyphens, spaces. Pure. */

const SPELLINGS: readonly (readonly [RegExp, string])[] = [
  [/ä|ae/g, 'a'],
  [/ö|oe/g, 'o'],
  [/ü|ue/g, 'u'],
  [/ß|ss/g, 's'],
  [/ø/g, 'o'],
  [/æ/g, 'a'],
  [/ł/g, 'l'],
  [/đ|ð/g, 'd'],
  [/ı/g, 'i'],
];

/** A name without everything that transliteration changes (ICAO 9303 and DIN 91379 spellings meet here). */
export const comparable = (name: string): string => {
  let text = name.normalize('NFC').toLocaleLowerCase('de');
  for (const [pattern, letter] of SPELLINGS) text = text.replaceAll(pattern, letter);
  return text.normalize('NFD').replaceAll(/\P{L}/gu, '');
};

/** Cards and registers list all given names, people the ones they use: one list must begin or contain the other. */
const sameGivenNames = (one: string, other: string): boolean => {
  const parts = (text: string): string[] =>
    text
      .split(/[\s-]+/)
      .map(comparable)
      .filter(Boolean);
  const [few, many] = [parts(one), parts(other)].toSorted((a, b) => a.length - b.length);
  return few !== undefined && many !== undefined && few.length > 0 && few.every((part) => many.includes(part));
};

/**
 * What two records contradict each other in. Addresses may differ, as people move. A family name that changed with a
 * marriage is a contradiction as well: the citizens' office links that card, as nothing here tells it from a stranger's.
 */
export const contradictions = (one: Attributes, other: Attributes): string[] => {
  const differs = (
    name: 'given_name' | 'family_name' | 'birthdate',
    same: (a: string, b: string) => boolean,
  ): boolean => {
    const [a, b] = [one[name], other[name]];
    return a !== undefined && b !== undefined && !same(a, b);
  };
  return [
    ...(differs('birthdate', (a, b) => a === b) ? ['birthdate'] : []),
    ...(differs('given_name', sameGivenNames) ? ['given_name'] : []),
    ...(differs('family_name', (a, b) => comparable(a) === comparable(b)) ? ['family_name'] : []),
  ];
};
