import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  type KeyObject,
  timingSafeEqual,
} from 'node:crypto';
import { Recent } from './recent.ts';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const SUBJECT = /^[A-Za-z0-9_-]{43}$/;
const IV_BYTES = 16;
const UUID_BYTES = 16;

const SECTORS_KEPT = 1000;
const KEPT_MS = 3_600_000;
/** By key: a town has few sectors, and each answer to a service needs the two keys of one. */
const sectors = new WeakMap<Buffer, Recent<SectorKeys>>();

type SectorKeys = { readonly authentication: KeyObject; readonly encryption: KeyObject };

const sectorKeys = (key: Buffer, sector: string): SectorKeys => {
  const known = sectors.get(key) ?? new Recent<SectorKeys>(SECTORS_KEPT, KEPT_MS);
  sectors.set(key, known);
  const before = known.get(sector);
  if (before !== undefined) return before;
  const derived = (use: string): KeyObject =>
    createSecretKey(createHmac('sha256', key).update(`${use}\0${sector.length}\0${sector}`).digest());
  const made = { authentication: derived('subject authentication'), encryption: derived('subject encryption') };
  known.set(sector, made);
  return made;
};

const toBytes = (account: string): Buffer => Buffer.from(account.replaceAll('-', ''), 'hex');

const toUuid = (bytes: Buffer): string =>
  bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');

const initialVector = ({ authentication }: SectorKeys, account: Buffer): Buffer =>
  createHmac('sha256', authentication).update(account).digest().subarray(0, IV_BYTES);

/**
 * The pairwise subject of an account in a sector (OpenID Connect Core §8.1): deterministic authenticated encryption of
 * the account's id (the construction of RFC 5297 with HMAC-SHA-256 as its PRF, and AES-256-CTR), 32 bytes as base64url. Without the key,
 * subjects of two sectors are unrelated random strings; with it, the account can be read back, so that no table has to
 * say who has which pseudonym where.
 */
export const subjectOf = (key: Buffer, sector: string, account: string): string => {
  if (!UUID.test(account)) throw new TypeError('a subject is made from an account id');
  const plain = toBytes(account);
  const keys = sectorKeys(key, sector);
  const iv = initialVector(keys, plain);
  const cipher = createCipheriv('aes-256-ctr', keys.encryption, iv);
  return Buffer.concat([iv, cipher.update(plain), cipher.final()]).toString('base64url');
};

/** The account id in a subject, undefined if it was not made with this key for this sector. */
export const accountOfSubject = (key: Buffer, sector: string, subject: string): string | undefined => {
  if (!SUBJECT.test(subject)) return undefined;
  const bytes = Buffer.from(subject, 'base64url');
  // The last character has unused bits; only the one spelling that was given out counts.
  if (bytes.length !== IV_BYTES + UUID_BYTES || bytes.toString('base64url') !== subject) return undefined;
  const iv = bytes.subarray(0, IV_BYTES);
  const keys = sectorKeys(key, sector);
  const decipher = createDecipheriv('aes-256-ctr', keys.encryption, iv);
  const plain = Buffer.concat([decipher.update(bytes.subarray(IV_BYTES)), decipher.final()]);
  return timingSafeEqual(initialVector(keys, plain), iv) ? toUuid(plain) : undefined;
};
