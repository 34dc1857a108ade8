const SEQUENCE = 0x30;
const INTEGER = 0x02;
const LONG_FORM = 0x80;

/** Where an integer that begins at `at` ends; undefined unless it is positive and as short as can be (X.690 §8.3.2). */
const endOfInteger = (bytes: Uint8Array, at: number): number | undefined => {
  const length = bytes[at + 1];
  const [first, second = LONG_FORM] = bytes.subarray(at + 2);
  if (bytes[at] !== INTEGER || length === undefined || length === 0 || length >= LONG_FORM) return undefined;
  if (first === undefined || first >= LONG_FORM) return undefined;
  if (first === 0 && length > 1 && second < LONG_FORM) return undefined;
  return at + 2 + length;
};

/**
 * Whether bytes are the one DER encoding (RFC 3279 §2.2.3) of an ECDSA signature of P-256. The library that checks
 * signatures reads BER, in which one signature can be written in several ways.
 */
export const isDerSignature = (bytes: Uint8Array): boolean => {
  if (bytes[0] !== SEQUENCE || bytes[1] !== bytes.length - 2 || bytes.length - 2 >= LONG_FORM) return false;
  const endOfR = endOfInteger(bytes, 2);
  return endOfR !== undefined && endOfInteger(bytes, endOfR) === bytes.length;
};
