import { createRemoteJWKSet, customFetch, errors, type JWTPayload, jwtVerify } from 'jose';

const EVENT = 'http://schemas.openid.net/event/backchannel-logout';
const MAX_AGE_SECONDS = 180;
const MAX_REMEMBERED = 10_000;

type LogoutOrder =
  | { outcome: 'valid'; sid: string | undefined; subject: string | undefined }
  | { outcome: 'refused'; reason: string };

type Verifier = (token: string, jwksUri: string) => Promise<LogoutOrder>;

/** Checks logout tokens as OpenID Connect Back-Channel Logout 1.0 §2.6 demands, each accepted once. */
export const logoutTokenVerifier = (issuer: string, clientId: string, fetcher?: typeof fetch): Verifier => {
  let keys: { uri: string; get: ReturnType<typeof createRemoteJWKSet> } | undefined;
  const seen = new Set<string>();
  return async (token, jwksUri) => {
    if (keys?.uri !== jwksUri) {
      const options = fetcher === undefined ? {} : { [customFetch]: fetcher };
      keys = { uri: jwksUri, get: createRemoteJWKSet(new URL(jwksUri), options) };
    }
    let payload: JWTPayload;
    try {
      ({ payload } = await jwtVerify(token, keys.get, {
        issuer,
        audience: clientId,
        typ: 'logout+jwt',
        algorithms: ['ES256', 'PS256', 'EdDSA', 'Ed25519', 'RS256'],
        requiredClaims: ['iat', 'exp', 'jti', 'events'],
        maxTokenAge: MAX_AGE_SECONDS,
        clockTolerance: 10,
      }));
    } catch (error) {
      if (error instanceof errors.JOSEError) return { outcome: 'refused', reason: error.message };
      throw error;
    }
    const event = (payload['events'] as Record<string, unknown> | null)?.[EVENT];
    if (typeof event !== 'object' || event === null)
      return { outcome: 'refused', reason: 'no back-channel logout event' };
    if ('nonce' in payload) return { outcome: 'refused', reason: 'a nonce is prohibited' };
    const sid = typeof payload['sid'] === 'string' ? payload['sid'] : undefined;
    if (sid === undefined && payload.sub === undefined) return { outcome: 'refused', reason: 'neither sid nor sub' };
    const id = String(payload.jti);
    if (seen.has(id)) return { outcome: 'refused', reason: 'used before' };
    if (seen.size >= MAX_REMEMBERED) seen.clear();
    seen.add(id);
    return { outcome: 'valid', sid, subject: payload.sub };
  };
};
