import { constants, createDecipheriv, createHash, privateDecrypt, timingSafeEqual } from 'node:crypto';
import { child, descendants, textOf, XmlFault } from './xml.ts';

/**
 * Opens what was sealed by XML Encryption 1.1: AES-GCM under a key that came by RSA-OAEP. Nothing older: PKCS#1 v1.5 and
 * CBC answer wrong guesses in ways that give the text away. What calls this has checked the signature around it first.
 */
const DS = 'http://www.w3.org/2000/09/xmldsig#';
const ENC = 'http://www.w3.org/2001/04/xmlenc#';
const ENC11 = 'http://www.w3.org/2009/xmlenc11#';

const CONTENT: Readonly<Record<string, 'aes-128-gcm' | 'aes-192-gcm' | 'aes-256-gcm'>> = {
  [`${ENC11}aes128-gcm`]: 'aes-128-gcm',
  [`${ENC11}aes192-gcm`]: 'aes-192-gcm',
  [`${ENC11}aes256-gcm`]: 'aes-256-gcm',
};
/** SHA-1 is the default of both schemes; its collisions do no harm here, where it only fills a block. */
const DIGESTS: Readonly<Record<string, string>> = {
  [`${DS}sha1`]: 'sha1',
  [`${ENC}sha256`]: 'sha256',
  'http://www.w3.org/2001/04/xmldsig-more#sha384': 'sha384',
  [`${ENC}sha512`]: 'sha512',
};
const MASKS: Readonly<Record<string, string>> = {
  [`${ENC11}mgf1sha1`]: 'sha1',
  [`${ENC11}mgf1sha256`]: 'sha256',
  [`${ENC11}mgf1sha384`]: 'sha384',
  [`${ENC11}mgf1sha512`]: 'sha512',
};
const IV_BYTES = 12;
const TAG_BYTES = 16;

/** What cannot be opened; the reason is for the log and tells nothing of the content. */
const fail = (reason: string): never => {
  throw new XmlFault(reason);
};

const known = <T>(table: Readonly<Record<string, T>>, algorithm: string, what: string): T =>
  (Object.hasOwn(table, algorithm) ? table[algorithm] : undefined) ?? fail(`algorithm of ${what}`);

const within = (parent: Element, name: string, namespace: string): Element =>
  child(parent, name, namespace) ?? fail(`no ${name}`);

const algorithmOf = (element: Element | undefined): string | undefined =>
  element?.getAttribute('Algorithm') ?? undefined;

const bytesOf = (parent: Element): Buffer => {
  const text = textOf(within(within(parent, 'CipherData', ENC), 'CipherValue', ENC)) ?? '';
  return /^[A-Za-z0-9+/\s]+={0,2}\s*$/.test(text) ? Buffer.from(text, 'base64') : fail('no base64');
};

type Scheme = { readonly digest: string; readonly mask: string; readonly label: Buffer };

/** XML Encryption 1.1 §5.5.2: `rsa-oaep-mgf1p` always masks with SHA-1, `rsa-oaep` names what it masks with. */
const schemeOf = (method: Element): Scheme => {
  const digest = algorithmOf(child(method, 'DigestMethod', DS));
  const mask = algorithmOf(child(method, 'MGF', ENC11));
  const scheme = {
    digest: digest === undefined ? 'sha1' : known(DIGESTS, digest, 'DigestMethod'),
    label: Buffer.from(textOf(child(method, 'OAEPparams', ENC)) ?? '', 'base64'),
  };
  switch (algorithmOf(method)) {
    case `${ENC}rsa-oaep-mgf1p`:
      return mask === undefined ? { ...scheme, mask: 'sha1' } : fail('a mask for rsa-oaep-mgf1p');
    case `${ENC11}rsa-oaep`:
      return { ...scheme, mask: mask === undefined ? 'sha1' : known(MASKS, mask, 'MGF') };
    default:
      return fail('algorithm of EncryptionMethod');
  }
};

const hash = (name: string, ...parts: readonly Uint8Array[]): Buffer => {
  const digest = createHash(name);
  for (const part of parts) digest.update(part);
  return digest.digest();
};

/** RFC 8017 §B.2.1, applied to the bytes. */
const unmask = (bytes: Buffer, seed: Buffer, name: string): Buffer => {
  const clear = Buffer.alloc(bytes.length);
  const counter = Buffer.alloc(4);
  for (let at = 0, round = 0; at < bytes.length; round += 1) {
    counter.writeUInt32BE(round);
    for (const byte of hash(name, seed, counter)) {
      if (at === bytes.length) break;
      clear[at] = (bytes[at] ?? 0) ^ byte;
      at += 1;
    }
  }
  return clear;
};

/**
 * RSAES-OAEP (RFC 8017 §7.1.2). Node's own takes one hash for both places, and half of the senders name two. Every mistake
 * looks the same from outside, after the same steps (Manger 2001).
 */
const openKey = (wrapped: Buffer, privateKey: string, { digest, mask, label }: Scheme): Buffer => {
  const block = privateDecrypt({ key: privateKey, padding: constants.RSA_NO_PADDING }, wrapped);
  const length = hash(digest).length;
  const masked = block.subarray(1 + length);
  const data = unmask(masked, unmask(block.subarray(1, 1 + length), masked, mask), mask);
  const labelled = timingSafeEqual(data.subarray(0, length), hash(digest, label));
  const mark = data.indexOf(1, length);
  const padded = mark > 0 && data.subarray(length, mark).every((byte) => byte === 0);
  return block[0] === 0 && labelled && padded ? data.subarray(mark + 1) : fail('key');
};

const openContent = (sealed: Buffer, cipher: 'aes-128-gcm' | 'aes-192-gcm' | 'aes-256-gcm', key: Buffer): string => {
  if (sealed.length <= IV_BYTES + TAG_BYTES) return fail('content');
  const decipher = createDecipheriv(cipher, key, sealed.subarray(0, IV_BYTES), { authTagLength: TAG_BYTES });
  decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
  return Buffer.concat([decipher.update(sealed.subarray(IV_BYTES, -TAG_BYTES)), decipher.final()]).toString('utf8');
};

/**
 * The XML that an element like `EncryptedAssertion` holds: one `EncryptedData`, whose key stands in its `KeyInfo` or beside
 * it (SAML Core §6.1). Of the private keys (PEM) the first that opens it counts. Throws `XmlFault`.
 */
export const openSealed = (element: Element, privateKeys: readonly string[]): string => {
  const data = within(element, 'EncryptedData', ENC);
  const [keyElement, ...more] = descendants(element).filter(
    (one) => one.localName === 'EncryptedKey' && one.namespaceURI === ENC,
  );
  if (keyElement === undefined || more.length > 0) return fail(`${more.length === 0 ? 'no' : 'several'} keys`);
  const cipher = known(
    CONTENT,
    algorithmOf(within(data, 'EncryptionMethod', ENC)) ?? '',
    'EncryptionMethod of the content',
  );
  const scheme = schemeOf(within(keyElement, 'EncryptionMethod', ENC));
  const [wrapped, sealed] = [bytesOf(keyElement), bytesOf(data)];
  for (const privateKey of privateKeys) {
    try {
      return openContent(sealed, cipher, openKey(wrapped, privateKey, scheme));
    } catch {
      // Another key may be the right one: two are in force while ours changes.
    }
  }
  return fail('sealed for somebody else, or changed');
};
