import { createPublicKey, type webcrypto } from 'node:crypto';
import type { Registration } from '../accounts/town.ts';
import type { TownSource } from './town-source.ts';

/** BSI TR-02102-1 §2.3. */
const RSA_BITS = 3000;
/** P-256, P-384 and P-521, by their names in OpenSSL. */
const CURVES = ['prime256v1', 'secp384r1', 'secp521r1'];

/** Why tokens cannot be encrypted to a key; undefined if they can. */
const keyFault = (jwk: Readonly<Record<string, unknown>>): string | undefined => {
  try {
    const key = createPublicKey({ key: jwk as webcrypto.JsonWebKey, format: 'jwk' });
    if (key.asymmetricKeyType === 'rsa' && (key.asymmetricKeyDetails?.modulusLength ?? 0) < RSA_BITS)
      return `is RSA with fewer than ${RSA_BITS} bits`;
    const { asymmetricKeyType: type = '', asymmetricKeyDetails: { namedCurve = '' } = {} } = key;
    const fit = type === 'ec' ? CURVES.includes(namedCurve) : type === 'rsa' || type === 'x25519';
    return fit ? undefined : 'is no key to encrypt to: RSA, EC on P-256, P-384 or P-521, or X25519';
  } catch {
    return 'is no public key in the form of a JWK';
  }
};

/** Notes what is wrong with a service's own API. */
export const checkResource = (source: TownSource, { resource }: Registration): void => {
  if (resource?.encryptionKey === undefined) return;
  const path = ['resource', 'encryption_key'];
  if ('d' in resource.encryptionKey)
    source.fault(
      path,
      'the key holds private material (d); leave only the public part, and replace the key: it is known now',
    );
  else {
    const fault = keyFault(resource.encryptionKey);
    if (fault !== undefined) source.fault(path, `encryption_key ${fault}`, '{ kty: EC, crv: P-256, x: …, y: … }');
  }
  if (resource.tokens === 'opaque')
    source.fault(path, 'opaque tokens hold nothing to encrypt; leave encryption_key out, or choose tokens: jwt');
};

/** Notes what services say of one another's APIs and what does not fit; `sources` in the order of the registrations. */
export const checkApis = (registrations: readonly Registration[], sources: readonly TownSource[]): void => {
  const owners = new Map<string, Registration>();
  for (const [at, registration] of registrations.entries()) {
    const identifier = registration.resource?.identifier;
    if (identifier === undefined) continue;
    const owner = owners.get(identifier);
    if (owner === undefined) owners.set(identifier, registration);
    else sources[at]?.fault(['resource', 'identifier'], `${identifier} is the API of ${owner.clientId} already`);
  }
  for (const [at, { apis = [], organisation }] of registrations.entries()) {
    for (const [index, { resource, scopes }] of apis.entries()) {
      const owner = owners.get(resource);
      const path = ['apis', index, 'resource'];
      if (owner === undefined) {
        sources[at]?.fault(
          path,
          `no service has the API ${resource}; there are: ${[...owners.keys()].join(', ') || 'none'}`,
        );
        continue;
      }
      if (owner.organisation === organisation)
        sources[at]?.fault(path, `${resource} belongs to the same organisation and needs no mention; leave it out`);
      const unknown = scopes.find((scope) => !owner.resource?.scopes.includes(scope));
      if (unknown !== undefined)
        sources[at]?.fault(
          ['apis', index, 'scopes'],
          `${resource} has no scope ${unknown}; it has: ${owner.resource?.scopes.join(', ')}`,
        );
    }
  }
};
