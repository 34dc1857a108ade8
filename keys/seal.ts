import {
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  type KeyObject,
  randomBytes,
  randomFillSync,
} from 'node:crypto';

declare const brand: unique symbol;
/** An account's unwrapped data key; a `KeyObject`, as that prints nothing of itself. */
export type DataKey = KeyObject & { readonly [brand]: 'DataKey' };

const ALGORITHM = 'aes-256-gcm';
/** First byte of every envelope and part of the associated data: another algorithm gets another number. */
const FORMAT = 1;
const FORMAT_BYTE = Buffer.from([FORMAT]);
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const KEY_BYTES = 32;

const drawn = Buffer.alloc(512 * NONCE_BYTES);
let used = drawn.length;

/** A random nonce; drawn many at a time, which costs a tenth. */
const newNonce = (): Buffer => {
  if (used === drawn.length) {
    randomFillSync(drawn);
    used = 0;
  }
  const nonce = Buffer.from(drawn.subarray(used, used + NONCE_BYTES));
  used += NONCE_BYTES;
  return nonce;
};

const associatedData = (parts: readonly (Buffer | string)[]): Buffer => {
  let size = 1;
  for (const part of parts) size += 4 + Buffer.byteLength(part);
  const data = Buffer.allocUnsafe(size);
  let at = data.writeUInt8(FORMAT, 0);
  for (const part of parts) {
    const length = typeof part === 'string' ? data.write(part, at + 4, 'utf8') : part.copy(data, at + 4);
    at = data.writeUInt32BE(length, at) + length;
  }
  return data;
};

const encrypt = (key: KeyObject | Buffer, parts: readonly (Buffer | string)[], plain: Buffer): Buffer => {
  const nonce = newNonce();
  const cipher = createCipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_BYTES }).setAAD(associatedData(parts));
  // GCM is a stream mode: `final` gives no bytes, it makes the tag.
  const sealed = cipher.update(plain);
  cipher.final();
  return Buffer.concat([FORMAT_BYTE, nonce, sealed, cipher.getAuthTag()]);
};

const decrypt = (key: KeyObject | Buffer, parts: readonly (Buffer | string)[], sealed: Buffer): Buffer => {
  if (sealed[0] !== FORMAT || sealed.length < 1 + NONCE_BYTES + TAG_BYTES) throw new Error('not a sealed value');
  const nonce = sealed.subarray(1, 1 + NONCE_BYTES);
  const decipher = createDecipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_BYTES })
    .setAAD(associatedData(parts))
    .setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
  const plain = decipher.update(sealed.subarray(1 + NONCE_BYTES, sealed.length - TAG_BYTES));
  // Throws if anything was changed; gives no further bytes.
  decipher.final();
  return plain;
};

/** Seals a text: format (1 byte), nonce (12), ciphertext, tag (16). The parts are authenticated and not stored. */
export const sealWith = (key: KeyObject | Buffer, parts: readonly (Buffer | string)[], plain: string): Buffer =>
  encrypt(key, parts, Buffer.from(plain, 'utf8'));

/** Opens what `sealWith` made with the same key and parts; throws on anything else. */
export const openWith = (key: KeyObject | Buffer, parts: readonly (Buffer | string)[], sealed: Buffer): string =>
  decrypt(key, parts, sealed).toString('utf8');

/** A new random data key, wrapped for one account. */
export const wrapNewDataKey = (wrappingKey: Buffer, account: string, version: number): Buffer =>
  encrypt(wrappingKey, ['data key', account, String(version)], randomBytes(KEY_BYTES));

/** Unwraps a data key; throws if it was not wrapped by this key for this account and version. */
export const unwrapDataKey = (wrappingKey: Buffer, account: string, version: number, wrapped: Buffer): DataKey =>
  createSecretKey(decrypt(wrappingKey, ['data key', account, String(version)], wrapped)) as DataKey;

/** Wraps an account's data key anew, by another version of the wrapping key. */
export const rewrapDataKey = (
  account: string,
  from: { readonly key: Buffer; readonly version: number; readonly wrapped: Buffer },
  to: { readonly key: Buffer; readonly version: number },
): Buffer => {
  const plain = decrypt(from.key, ['data key', account, String(from.version)], from.wrapped);
  const wrapped = encrypt(to.key, ['data key', account, String(to.version)], plain);
  plain.fill(0);
  return wrapped;
};
