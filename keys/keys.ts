import {
  createPrivateKey,
  createPublicKey,
  hkdfSync,
  type KeyObject,
  sign,
  timingSafeEqual,
  verify,
} from 'node:crypto';
import { type Hmac, hmacOf } from './hmac.ts';
import type { KeyRing } from './key-ring.ts';
import { accountOfSubject, subjectOf } from './pseudonyms.ts';
import { Recent } from './recent.ts';
import { type DataKey, openWith, rewrapDataKey, sealWith, unwrapDataKey, wrapNewDataKey } from './seal.ts';

export type { DataKey } from './seal.ts';

/** Everything that the provider does with symmetric keys; the keys themselves stay inside. */
export type Keys = {
  /** A new data key for an account, wrapped by the current key-encryption key. */
  newDataKey(account: string): { wrapped: Buffer; version: number };
  /** Unwraps an account's data key. Throws if it was tampered with, is another account's, or its version is unknown. */
  openDataKey(account: string, wrapped: Buffer, version: number): DataKey;
  /** Wraps an account's data key by the current key-encryption key. Throws as `openDataKey` does. */
  rewrapDataKey(account: string, wrapped: Buffer, version: number): { wrapped: Buffer; version: number };
  /** The version that new data keys are wrapped by. */
  readonly keyEncryptionVersion: number;
  /** Seals a column of an account (AES-256-GCM; account, column and format version are associated data). */
  seal(key: DataKey, account: string, column: string, plain: string): Buffer;
  /** Opens a sealed column. Throws on tampering and on a value of another account or column. */
  open(key: DataKey, account: string, column: string, sealed: Buffer): string;
  /** Seals what belongs to no account, or must be opened before the account is known. */
  sealShared(purpose: string, id: Buffer | string, plain: string): Buffer;
  /** Opens what `sealShared` sealed for the same purpose and id; throws on anything else. */
  openShared(purpose: string, id: Buffer | string, sealed: Buffer): string;
  /** A blind index or store handle: 32 bytes, the same for the same kind and value. */
  index(kind: string, value: string): Buffer;
  /** The pairwise subject of an account in a sector (OpenID Connect Core §8.1): 43 characters of base64url. */
  subject(sector: string, account: string): string;
  /** The account id in a subject of that sector; undefined for anything that is none. */
  accountOf(sector: string, subject: string): string | undefined;
  /** The pepper for password hashes; the current one, or an older version. Throws if that version is not in the ring. */
  pepper(version?: number): { version: number; secret: Buffer };
  readonly cookieKeys: readonly Buffer[];
  /** A mark by which a key that must never change is known again: 32 bytes that tell nothing about it. */
  mark(name: 'pseudonym' | 'index'): Buffer;
  /** Signs a checkpoint of the audit (Ed25519); the key is derived from the current key-encryption key. */
  signCheckpoint(text: string): { version: number; signature: string };
  /** Whether a checkpoint was signed by that version's key; false if the version is not in the ring. */
  checkCheckpoint(version: number, text: string, signature: string): boolean;
  /** The CSRF token of a form whose owner (browser, interaction) is `id`. */
  formToken(id: string): string;
  /** Whether the token was made for `id` by any cookie key; takes the same time for every wrong token. */
  checkFormToken(id: string, token: string): boolean;
};

/** How many opened values are remembered, and for how long at most half of it. */
const KEPT = 4096;
const KEPT_MS = 60_000;

const derive = (key: Buffer, info: string): Buffer =>
  Buffer.from(hkdfSync('sha256', key, Buffer.alloc(0), `stadtschluessel ${info}`, 32));

/** RFC 8410 §7: the envelope of an Ed25519 private key of 32 bytes. */
const ED25519_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');

const checkpointKey = (keyEncryptionKey: Buffer): KeyObject =>
  createPrivateKey({
    key: Buffer.concat([ED25519_PREFIX, derive(keyEncryptionKey, 'audit checkpoints')]),
    format: 'der',
    type: 'pkcs8',
  });

/** Binds the operations to the keys of a ring. */
export const createKeys = (ring: KeyRing): Keys => {
  const keyEncryptionKey = (version: number): Buffer => {
    const key = ring.keyEncryption.versions.get(version);
    if (key === undefined) throw new Error(`key-encryption key ${version} is not in the key ring`);
    return key;
  };
  const wrappingKeys = new Map([...ring.keyEncryption.versions].map(([v, key]) => [v, derive(key, 'data keys')]));
  const wrappingKey = (version: number): Buffer => wrappingKeys.get(version) ?? keyEncryptionKey(version);

  const purposeKeys = new Map<string, Hmac>();
  /** One key for each purpose and id: sessions and codes are so many that one key would wear out its GCM nonces. */
  const sharedKey = (version: number, purpose: string, id: Buffer | string): Buffer => {
    const name = `${version} ${purpose}`;
    const known = purposeKeys.get(name);
    if (known !== undefined) return known(id);
    const made = hmacOf(derive(keyEncryptionKey(version), `shared ${purpose}`));
    purposeKeys.set(name, made);
    return made(id);
  };

  const formKeys = ring.cookies.map((key) => hmacOf(derive(key, 'form tokens')));
  const [formKey] = formKeys;
  if (formKey === undefined) throw new Error('the key ring has no cookie key');

  const index = hmacOf(ring.index);

  // What was opened or sealed a moment ago is asked for again with the next request of the same citizen. An entry counts
  // only for the very bytes that it was made from, so that what the database says is what holds.
  const texts = new Recent<{ sealed: Buffer; plain: string }>(KEPT, KEPT_MS);
  const dataKeys = new Recent<{ wrapped: Buffer; version: number; dataKey: DataKey }>(KEPT, KEPT_MS);
  const columns = new Recent<{ key: DataKey; sealed: Buffer; plain: string }>(KEPT, KEPT_MS);
  const subjects = new Recent<string>(KEPT, KEPT_MS);
  const nameOf = (purpose: string, id: Buffer | string): string =>
    typeof id === 'string'
      ? `${purpose.length}${purpose}${id}`
      : `${purpose.length} ${purpose}${id.toString('latin1')}`;

  return {
    newDataKey(account) {
      const version = ring.keyEncryption.current;
      return { wrapped: wrapNewDataKey(wrappingKey(version), account, version), version };
    },
    openDataKey(account, wrapped, version) {
      const known = dataKeys.get(account);
      if (known?.version === version && known.wrapped.equals(wrapped)) return known.dataKey;
      const dataKey = unwrapDataKey(wrappingKey(version), account, version, wrapped);
      dataKeys.set(account, { wrapped, version, dataKey });
      return dataKey;
    },
    rewrapDataKey(account, wrapped, version) {
      const to = ring.keyEncryption.current;
      const from = { key: wrappingKey(version), version, wrapped };
      return { wrapped: rewrapDataKey(account, from, { key: wrappingKey(to), version: to }), version: to };
    },
    keyEncryptionVersion: ring.keyEncryption.current,
    seal: (key, account, column, plain) => sealWith(key, ['account', account, column], plain),
    open(key, account, column, sealed) {
      const name = nameOf(account, column);
      const known = columns.get(name);
      if (known?.key === key && known.sealed.equals(sealed)) return known.plain;
      const plain = openWith(key, ['account', account, column], sealed);
      columns.set(name, { key, sealed, plain });
      return plain;
    },
    sealShared(purpose, id, plain) {
      const version = ring.keyEncryption.current;
      const header = Buffer.alloc(4);
      header.writeUInt32BE(version);
      const sealed = Buffer.concat([header, sealWith(sharedKey(version, purpose, id), ['shared', purpose, id], plain)]);
      texts.set(nameOf(purpose, id), { sealed, plain });
      return sealed;
    },
    openShared(purpose, id, sealed) {
      const name = nameOf(purpose, id);
      const known = texts.get(name);
      if (known?.sealed.equals(sealed)) return known.plain;
      const key = sharedKey(sealed.readUInt32BE(0), purpose, id);
      const plain = openWith(key, ['shared', purpose, id], sealed.subarray(4));
      texts.set(name, { sealed, plain });
      return plain;
    },
    index,
    subject(sector, account) {
      const name = nameOf(sector, account);
      const known = subjects.get(name);
      if (known !== undefined) return known;
      const subject = subjectOf(ring.pseudonym, sector, account);
      subjects.set(name, subject);
      return subject;
    },
    accountOf: (sector, subject) => accountOfSubject(ring.pseudonym, sector, subject),
    pepper(version = ring.pepper.current) {
      const secret = ring.pepper.versions.get(version);
      if (secret === undefined) throw new Error(`pepper ${version} is not in the key ring`);
      return { version, secret };
    },
    cookieKeys: ring.cookies,
    mark: (name) => derive(ring[name], `mark of the ${name} key`),
    signCheckpoint(text) {
      const version = ring.keyEncryption.current;
      const signature = sign(null, Buffer.from(text), checkpointKey(keyEncryptionKey(version))).toString('base64url');
      return { version, signature };
    },
    checkCheckpoint(version, text, signature) {
      const key = ring.keyEncryption.versions.get(version);
      if (key === undefined) return false;
      const publicKey = createPublicKey(checkpointKey(key));
      return verify(null, Buffer.from(text), publicKey, Buffer.from(signature, 'base64url'));
    },
    formToken: (id) => formKey(id).toString('base64url'),
    checkFormToken(id, token) {
      const given = Buffer.from(token, 'utf8');
      let matches = false;
      for (const key of formKeys) {
        const expected = Buffer.from(key(id).toString('base64url'), 'utf8');
        if (given.length === expected.length && timingSafeEqual(given, expected)) matches = true;
      }
      return matches;
    },
  };
};
