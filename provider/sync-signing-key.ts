import { createPrivateKey, createPublicKey, type KeyObject, sign, type webcrypto } from 'node:crypto';
import { ExternalSigningKey, type JWK } from 'oidc-provider';

/**
 * A key for ES256 that signs where it is asked to: one signature takes as long as handing it to another thread and
 * waking up for the answer. (RS256 takes ten times as long, and is better off on another thread.)
 */
class SyncSigningKey extends ExternalSigningKey {
  readonly #public: KeyObject;
  // JWS wants the two numbers side by side (RFC 7518 §3.4), and not as ASN.1.
  readonly #signer: { key: KeyObject; dsaEncoding: 'ieee-p1363' };

  constructor(jwk: webcrypto.JsonWebKey) {
    super();
    const key = createPrivateKey({ key: jwk, format: 'jwk' });
    this.#public = createPublicKey(key);
    this.#signer = { key, dsaEncoding: 'ieee-p1363' };
  }

  override keyObject(): KeyObject {
    return this.#public;
  }

  override sign(data: Uint8Array): Uint8Array {
    return sign('sha256', data, this.#signer);
  }
}

/** A signing key as oidc-provider takes it. */
export const signingKey = (kid: string, alg: string, privateJwk: object): JWK | ExternalSigningKey => {
  if (alg !== 'ES256') return { ...privateJwk, kid, alg, use: 'sig' } as JWK;
  return Object.assign(new SyncSigningKey(privateJwk as webcrypto.JsonWebKey), { kid, alg });
};
