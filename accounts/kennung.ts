import { randomBytes } from 'node:crypto';
import type { Keys } from '../keys/keys.ts';
import type { Town } from './town.ts';

declare const brand: unique symbol;
/** A Bürgerkennung as it is printed, e.g. `GT-4F7K-29QX-C`: the town's letters, 40 random bits, a check character. */
export type Kennung = string & { readonly [brand]: 'Kennung' };

/** Crockford's base32: no I, L, O, U, so that nothing can be misread. */
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const BODY_LENGTH = 8;
const MAX_PREFIX = 3;

/**
 * The hybrid system of ISO 7064 (MOD M+1,M) with M = 32: finds every single wrong character and nearly every swap of
 * neighbours, and the check character is one of the alphabet too.
 */
const checkCharacter = (body: string): string => {
  const size = ALPHABET.length;
  let product = size;
  for (const character of body) {
    const sum = (product + ALPHABET.indexOf(character)) % size || size;
    product = (sum * 2) % (size + 1);
  }
  return ALPHABET.charAt((size + 1 - product) % size);
};

/** The letters before a town's Kennungen: its first letter and the next consonant (guetersloh → GT). Ornament only. */
const prefixOf = (town: Pick<Town, 'id'>): string => {
  const [first = 'B', ...rest] = town.id.toUpperCase().replace(/[^A-Z]/g, '');
  return first + (rest.find((letter) => !'AEIOU'.includes(letter)) ?? 'K');
};

const format = (prefix: string, body: string): Kennung =>
  [...(prefix === '' ? [] : [prefix]), body.slice(0, 4), body.slice(4), checkCharacter(body)].join('-') as Kennung;

/** A new random Kennung. It names an account and is no secret; 40 bits keep it from being found by trying. */
export const generate = (town: Pick<Town, 'id'>): Kennung => {
  const body = [...randomBytes(BODY_LENGTH)].map((byte) => ALPHABET.charAt(byte % ALPHABET.length)).join('');
  return format(prefixOf(town), body);
};

/**
 * Reads a Kennung as people type it: any case, blanks and hyphens anywhere or nowhere, O for 0, I and L for 1, with or
 * without the town's letters. Undefined if it is none, or if the check character says that there is a typing error.
 */
export const parse = (value: unknown): Kennung | undefined => {
  if (typeof value !== 'string' || value.length > 40) return undefined;
  const characters = value.toUpperCase().replace(/[\s\-–—._/]/g, '');
  const start = characters.length - BODY_LENGTH - 1;
  if (start < 0 || start > MAX_PREFIX || !/^[A-Z0-9]+$/.test(characters)) return undefined;
  const code = characters.slice(start).replaceAll('O', '0').replaceAll(/[IL]/g, '1');
  const body = code.slice(0, BODY_LENGTH);
  if (code.includes('U') || checkCharacter(body) !== code.slice(BODY_LENGTH)) return undefined;
  return format(characters.slice(0, start), body);
};

/** The blind index under which a Kennung is found; the town's letters do not count. */
export const kennungIndex = (keys: Keys, kennung: Kennung): Buffer =>
  keys.index('kennung', kennung.replaceAll('-', '').slice(-BODY_LENGTH - 1));
