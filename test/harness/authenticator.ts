/** A WebAuthn authenticator in software: makes and uses ES256 passkeys as a browser would hand them over (WebAuthn L3 §6). */
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';

export type Ceremony = { challenge: string; origin: string; rpId: string };
/** What a faulty or hostile authenticator does differently. */
export type Quirks = {
  userPresent?: boolean;
  userVerified?: boolean;
  counter?: number;
  userHandle?: Buffer | undefined;
  type?: string;
};

const USER_PRESENT = 0x01;
const USER_VERIFIED = 0x04;
const ATTESTED_DATA = 0x40;

const head = (major: number, length: number): Buffer => {
  if (length < 24) return Buffer.from([(major << 5) | length]);
  if (length < 256) return Buffer.from([(major << 5) | 24, length]);
  return Buffer.from([(major << 5) | 25, length >> 8, length & 0xff]);
};
const integer = (value: number): Buffer => (value < 0 ? head(1, -1 - value) : head(0, value));
const bytes = (value: Buffer): Buffer => Buffer.concat([head(2, value.length), value]);
const text = (value: string): Buffer => Buffer.concat([head(3, Buffer.byteLength(value)), Buffer.from(value)]);
const map = (...entries: [Buffer, Buffer][]): Buffer => Buffer.concat([head(5, entries.length), ...entries.flat()]);

const sha256 = (value: string | Buffer): Buffer => createHash('sha256').update(value).digest();

/** One passkey on the authenticator. */
export class SoftPasskey {
  readonly credentialId = randomBytes(32);
  readonly #privateKey: KeyObject;
  readonly #coseKey: Buffer;
  readonly #handle: Buffer;

  constructor(handle: Buffer) {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const { x = '', y = '' } = publicKey.export({ format: 'jwk' });
    this.#privateKey = privateKey;
    this.#handle = handle;
    this.#coseKey = map(
      [integer(1), integer(2)],
      [integer(3), integer(-7)],
      [integer(-1), integer(1)],
      [integer(-2), bytes(Buffer.from(x, 'base64url'))],
      [integer(-3), bytes(Buffer.from(y, 'base64url'))],
    );
  }

  #envelope(response: Record<string, unknown>): Record<string, unknown> {
    const id = this.credentialId.toString('base64url');
    return {
      id,
      rawId: id,
      type: 'public-key',
      authenticatorAttachment: 'platform',
      clientExtensionResults: {},
      response,
    };
  }

  /** As a browser's virtual authenticator takes it (CDP, WebAuthn.addCredential). */
  export(rpId: string) {
    return {
      credentialId: this.credentialId.toString('base64'),
      isResidentCredential: true,
      rpId,
      privateKey: this.#privateKey.export({ format: 'der', type: 'pkcs8' }).toString('base64'),
      userHandle: this.#handle.toString('base64'),
      signCount: 0,
    };
  }

  static #clientData(type: string, { challenge, origin }: Ceremony): Buffer {
    return Buffer.from(JSON.stringify({ type, challenge, origin, crossOrigin: false }));
  }

  static #authenticatorData(rpId: string, flags: number, counter: number): Buffer {
    const count = Buffer.alloc(4);
    count.writeUInt32BE(counter);
    return Buffer.concat([sha256(rpId), Buffer.from([flags]), count]);
  }

  /** The answer to `navigator.credentials.create()`, as JSON. */
  create(
    ceremony: Ceremony,
    { userPresent = true, userVerified = true, counter = 0, type = 'webauthn.create' }: Quirks = {},
  ): Record<string, unknown> {
    const flags = (userPresent ? USER_PRESENT : 0) | ATTESTED_DATA | (userVerified ? USER_VERIFIED : 0);
    const length = Buffer.alloc(2);
    length.writeUInt16BE(this.credentialId.length);
    const data = Buffer.concat([
      SoftPasskey.#authenticatorData(ceremony.rpId, flags, counter),
      Buffer.alloc(16),
      length,
      this.credentialId,
      this.#coseKey,
    ]);
    const attestation = map([text('fmt'), text('none')], [text('attStmt'), map()], [text('authData'), bytes(data)]);
    return this.#envelope({
      clientDataJSON: SoftPasskey.#clientData(type, ceremony).toString('base64url'),
      attestationObject: attestation.toString('base64url'),
      transports: ['internal', 'hybrid', 'made-up'],
    });
  }

  /** The answer to `navigator.credentials.get()`, as JSON. */
  get(ceremony: Ceremony, quirks: Quirks = {}): Record<string, unknown> {
    const { userPresent = true, userVerified = true, counter = 0, type = 'webauthn.get' } = quirks;
    const handle = 'userHandle' in quirks ? quirks.userHandle : this.#handle;
    const flags = (userPresent ? USER_PRESENT : 0) | (userVerified ? USER_VERIFIED : 0);
    const data = SoftPasskey.#authenticatorData(ceremony.rpId, flags, counter);
    const clientData = SoftPasskey.#clientData(type, ceremony);
    const signature = sign('sha256', Buffer.concat([data, sha256(clientData)]), this.#privateKey);
    return this.#envelope({
      clientDataJSON: clientData.toString('base64url'),
      authenticatorData: data.toString('base64url'),
      signature: signature.toString('base64url'),
      ...(handle === undefined ? {} : { userHandle: handle.toString('base64url') }),
    });
  }
}
