import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK } from 'jose';

/** `next` is published and not yet used, `current` signs, `retired` only verifies, `gone` is no longer published. */
export type SigningKeyState = 'next' | 'current' | 'retired' | 'gone';

/** Algorithms that new signing keys may have (TR-02102-1: ECC of at least 250 bits, RSA of at least 3000). */
export type SigningAlgorithm = 'ES256' | 'RS256';

const RSA_BITS = 3072;

export type SigningKeyTimes = { readonly createdAt: Date; readonly revokedAt?: Date | null };

export type SigningKeySettings = {
  /** Age at which a key hands over to its successor. */
  readonly rotateAfterSeconds: number;
  /** How long a key is published before it signs, so that every service has fetched it by then. */
  readonly prePublishSeconds: number;
  /** How long a key is published after it last signed: the longest token's life and the services' caches. */
  readonly retireSeconds: number;
};

const HOUR = 3600;

export const SIGNING_KEY_SETTINGS: SigningKeySettings = {
  rotateAfterSeconds: 30 * 24 * HOUR,
  prePublishSeconds: 24 * HOUR,
  retireSeconds: (1 + 24) * HOUR,
};

const after = (date: Date, seconds: number): number => date.getTime() + seconds * 1000;

/** The keys that count, oldest first; a revoked key counts no more, as of the moment of its revocation. */
const inService = <K extends SigningKeyTimes>(all: readonly K[], now: Date): K[] =>
  all
    .filter(({ revokedAt }) => !revokedAt || revokedAt > now)
    .sort((one, other) => one.createdAt.getTime() - other.createdAt.getTime());

/** Where the current key stands among the keys in service. */
const currentPosition = (keys: readonly SigningKeyTimes[], now: Date, settings: SigningKeySettings): number => {
  const published = keys.findLastIndex(
    ({ createdAt }) => after(createdAt, settings.prePublishSeconds) <= now.getTime(),
  );
  // The very first key, and the oldest one left after a revocation, sign at once: the alternative is not to sign.
  return published === -1 ? 0 : published;
};

/**
 * The state of a signing key, from time alone: every process comes to the same result without talking to another.
 * @param key one of `all` (the same object)
 * @param all all keys of the key's algorithm, revoked ones included
 */
export const signingKeyState = <K extends SigningKeyTimes>(
  key: K,
  all: readonly K[],
  now: Date,
  settings: SigningKeySettings = SIGNING_KEY_SETTINGS,
): SigningKeyState => {
  const keys = inService(all, now);
  const position = keys.indexOf(key);
  if (position === -1) return 'gone';
  const current = currentPosition(keys, now, settings);
  if (position === current) return 'current';
  if (position > current) return 'next';
  const successor = keys[position + 1];
  if (successor === undefined) return 'gone';
  const lastSigned = after(successor.createdAt, settings.prePublishSeconds);
  return lastSigned + settings.retireSeconds * 1000 > now.getTime() ? 'retired' : 'gone';
};

/** Whether a successor has to be made now: there is no key at all, or the newest will soon be too old. */
export const needsNewSigningKey = (
  all: readonly SigningKeyTimes[],
  now: Date,
  settings: SigningKeySettings = SIGNING_KEY_SETTINGS,
): boolean => {
  const newest = inService(all, now).at(-1);
  if (newest === undefined) return true;
  return after(newest.createdAt, settings.rotateAfterSeconds - settings.prePublishSeconds) <= now.getTime();
};

/** A new signing key pair; `kid` is the RFC 7638 thumbprint. */
export const newSigningKey = async (
  alg: SigningAlgorithm,
): Promise<{ kid: string; alg: SigningAlgorithm; publicJwk: JWK; privateJwk: JWK }> => {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true, modulusLength: RSA_BITS });
  const kid = await calculateJwkThumbprint(publicKey);
  const common = { kid, alg, use: 'sig' };
  return {
    kid,
    alg,
    publicJwk: { ...(await exportJWK(publicKey)), ...common },
    privateJwk: { ...(await exportJWK(privateKey)), ...common },
  };
};
