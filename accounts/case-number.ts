import { randomInt } from 'node:crypto';

/** Crockford's base32: nothing in it can be misread or misheard. */
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const LENGTH = 8;

/** What a number is of: R a recovery, D a change of the services, B letters that are printed together. */
export type Series = 'R' | 'D' | 'B';

const format = (series: Series, characters: string): string =>
  `${series}-${characters.slice(0, LENGTH / 2)}-${characters.slice(LENGTH / 2)}`;

/** A number for people to name a case by, like `R-7K3F-29QX`. It is no secret. */
export const newNumber = (series: Series): string =>
  format(series, Array.from({ length: LENGTH }, () => ALPHABET.charAt(randomInt(ALPHABET.length))).join(''));

/** Reads a number as people type it; undefined if it is none. */
export const parseNumber = (series: Series, typed: string): string | undefined => {
  if (typed.length > 40) return undefined;
  const all = typed.toUpperCase().replace(/[\s-]/g, '');
  // The letter of the series may be left out.
  const characters = (all.length > LENGTH && all.startsWith(series) ? all.slice(1) : all)
    .replaceAll('O', '0')
    .replaceAll(/[IL]/g, '1');
  return /^[0-9A-HJKMNP-TV-Z]{8}$/.test(characters) ? format(series, characters) : undefined;
};
