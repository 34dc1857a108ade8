import { timingSafeEqual } from 'node:crypto';
import { signerOf } from '../keys/hmac.ts';

const same = (a: string, b: string): boolean => {
  const left = Buffer.from(a);
  const right = Buffer.from(b);
  return left.length === right.length && timingSafeEqual(left, right);
};

/** What the `cookies` package asks of Keygrip: sign with the first key, accept every key. */
export type CookieSigning = {
  sign(data: string): string;
  index(data: string, digest: string): number;
  verify(data: string, digest: string): boolean;
};

/**
 * Signs cookies by HMAC-SHA-256. Keygrip itself signs by SHA-1 unless told otherwise and compares by two further HMACs,
 * which makes it the most expensive single step of an authorization request.
 */
export function cookieSigning(secrets: readonly Buffer[]): CookieSigning {
  const signers = secrets.map(signerOf);
  const [first] = signers;
  if (first === undefined) throw new TypeError('at least one cookie key is needed');
  const index = (data: string, digest: string): number => signers.findIndex((sign) => same(sign(data), digest));
  return {
    sign: first,
    index,
    verify: (data, digest) => index(data, digest) >= 0,
  };
}
