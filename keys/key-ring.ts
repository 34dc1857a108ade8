import { randomBytes } from 'node:crypto';

/** Versions of one key; `current` is used for new data, older versions still open what they sealed. */
export type KeyVersions = { readonly current: number; readonly versions: ReadonlyMap<number, Buffer> };

/** All symmetric keys of an operator. Each is independent of the others, so that renewing one changes no other. */
export type KeyRing = {
  /** Wraps the data keys of the accounts and seals what belongs to no account. */
  readonly keyEncryption: KeyVersions;
  /** Makes pairwise subjects. Never renewed: services would no longer know their citizens. */
  readonly pseudonym: Buffer;
  /** Makes blind indexes and store handles. */
  readonly index: Buffer;
  /** Goes into password hashes (argon2 `secret`). */
  readonly pepper: KeyVersions;
  /** Sign cookies and form tokens; the first signs, all verify. */
  readonly cookies: readonly Buffer[];
};

const KEY_BYTES = 32;
const MIN_COOKIE_KEYS = 2;
/** A random key has about 30 different bytes among its 32; a placeholder such as 'AAAA…' has one. */
const MIN_DISTINCT_BYTES = 12;
const FIELDS = ['keyEncryption', 'pseudonym', 'index', 'pepper', 'cookies'] as const;
const VERSION = /^[1-9][0-9]{0,8}$/;

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Collects faults by the place of a key; no fault ever quotes key material. */
class RingReader {
  readonly faults: string[] = [];
  readonly #places = new Map<string, string>();

  key(place: string, value: unknown): Buffer {
    const bytes = typeof value === 'string' ? Buffer.from(value, 'base64url') : Buffer.alloc(0);
    if (bytes.length !== KEY_BYTES || bytes.toString('base64url') !== value) {
      this.faults.push(`${place}: must be 32 bytes in base64url without padding (43 characters)`);
      return bytes;
    }
    if (new Set(bytes).size < MIN_DISTINCT_BYTES) this.faults.push(`${place}: is not random`);
    const twin = this.#places.get(value);
    if (twin !== undefined) this.faults.push(`${place}: is the same key as ${twin}`);
    else this.#places.set(value, place);
    return bytes;
  }

  versions(place: string, value: unknown): KeyVersions {
    const versions = new Map<number, Buffer>();
    if (!isObject(value) || !isObject(value['versions'])) {
      this.faults.push(`${place}: must be an object with "current" and "versions"`);
      return { current: 0, versions };
    }
    for (const [version, key] of Object.entries(value['versions'])) {
      if (VERSION.test(version)) versions.set(Number(version), this.key(`${place}.versions.${version}`, key));
      else this.faults.push(`${place}.versions: a version must be a whole number from 1`);
    }
    const current = value['current'];
    if (typeof current !== 'number' || !versions.has(current)) {
      this.faults.push(`${place}.current: must be the number of one of the versions`);
      return { current: 0, versions };
    }
    for (const field of Object.keys(value)) {
      if (field !== 'current' && field !== 'versions') this.faults.push(`${place}: has an unknown field`);
    }
    return { current, versions };
  }

  cookies(value: unknown): Buffer[] {
    if (!Array.isArray(value) || value.length < MIN_COOKIE_KEYS) {
      this.faults.push(`cookies: must be a list of at least ${MIN_COOKIE_KEYS} keys`);
      return [];
    }
    return value.map((key, position) => this.key(`cookies[${position}]`, key));
  }
}

/**
 * Reads a key ring from its JSON text.
 * @returns the ring, or every fault in one go; a fault names the place and never quotes the key
 */
export const parseKeyRing = (json: string): KeyRing | { faults: string[] } => {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    // The parser's own message would quote the text around the mistake.
    return { faults: ['the key ring is not valid JSON'] };
  }
  if (!isObject(value)) return { faults: ['the key ring must be a JSON object'] };
  const reader = new RingReader();
  for (const field of Object.keys(value)) {
    if (!(FIELDS as readonly string[]).includes(field)) reader.faults.push('the key ring has an unknown field');
  }
  const ring: KeyRing = {
    keyEncryption: reader.versions('keyEncryption', value['keyEncryption']),
    pseudonym: reader.key('pseudonym', value['pseudonym']),
    index: reader.key('index', value['index']),
    pepper: reader.versions('pepper', value['pepper']),
    cookies: reader.cookies(value['cookies']),
  };
  return reader.faults.length > 0 ? { faults: reader.faults } : ring;
};

const randomKey = (): string => randomBytes(KEY_BYTES).toString('base64url');

/** A fresh key ring as JSON text, ready to be written to a file that only the provider can read (0600). */
export const newKeyRing = (): string => {
  const key = randomKey;
  const versions = () => ({ current: 1, versions: { 1: key() } });
  const ring = {
    keyEncryption: versions(),
    pseudonym: key(),
    index: key(),
    pepper: versions(),
    cookies: [key(), key()],
  };
  return `${JSON.stringify(ring, null, 2)}\n`;
};

/** The keys that can be renewed; a new pseudonym or index key would make every citizen a stranger. */
export const RENEWABLE = ['keyEncryption', 'pepper', 'cookies'] as const;
export type Renewable = (typeof RENEWABLE)[number];

type RingText = {
  keyEncryption: { current: number; versions: Record<string, string> };
  pepper: { current: number; versions: Record<string, string> };
  cookies: string[];
};

const edit = (json: string, change: (ring: RingText) => void): string => {
  const ring = JSON.parse(json) as RingText;
  change(ring);
  return `${JSON.stringify(ring, null, 2)}\n`;
};

const newestVersion = (versions: Record<string, string>): number => Math.max(...Object.keys(versions).map(Number));

/**
 * Adds a new key that is not used yet, so that every node can be given it before the first one seals or signs with it.
 * Nothing else in the ring changes. `json` must be a valid ring.
 */
export const addKey = (json: string, part: Renewable): string =>
  edit(json, (ring) => {
    if (part === 'cookies') ring.cookies.push(randomKey());
    else ring[part].versions[newestVersion(ring[part].versions) + 1] = randomKey();
  });

/** Puts the newest key to use; the older ones go on opening and verifying what they made. */
export const useNewestKey = (json: string, part: Renewable): string =>
  edit(json, (ring) => {
    if (part === 'cookies') ring.cookies.unshift(...ring.cookies.splice(-1));
    else ring[part].current = newestVersion(ring[part].versions);
  });
