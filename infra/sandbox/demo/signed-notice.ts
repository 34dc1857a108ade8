import { createRemoteJWKSet, customFetch, errors, type JWTPayload, jwtVerify } from 'jose';

const MAX_AGE_SECONDS = 180;
const MAX_REMEMBERED = 10_000;

export type Refused = { readonly outcome: 'refused'; readonly reason: string };

/** What the provider says to a service directly; `again` if it has said so before. */
type Notice = { readonly outcome: 'genuine'; readonly payload: JWTPayload; readonly again: boolean } | Refused;

type Kind = {
  readonly issuer: string;
  readonly clientId: string;
  /** The `typ` of the JWT, and the claims that it must have. */
  readonly type: string;
  readonly required: readonly string[];
};

/** Checks JWTs that the provider sends to a service: signature, issuer, audience, type, age. */
export const noticeVerifier = ({ issuer, clientId, type, required }: Kind, fetcher?: typeof fetch) => {
  let keys: { uri: string; get: ReturnType<typeof createRemoteJWKSet> } | undefined;
  const seen = new Set<string>();
  return async (token: string, jwksUri: string): Promise<Notice> => {
    if (keys?.uri !== jwksUri) {
      const options = fetcher === undefined ? {} : { [customFetch]: fetcher };
      keys = { uri: jwksUri, get: createRemoteJWKSet(new URL(jwksUri), options) };
    }
    try {
      const { payload } = await jwtVerify(token, keys.get, {
        issuer,
        audience: clientId,
        typ: type,
        algorithms: ['ES256', 'PS256', 'EdDSA', 'Ed25519', 'RS256'],
        requiredClaims: ['iat', 'jti', 'events', ...required],
        maxTokenAge: MAX_AGE_SECONDS,
        clockTolerance: 10,
      });
      const id = String(payload.jti);
      const again = seen.has(id);
      if (seen.size >= MAX_REMEMBERED) seen.clear();
      seen.add(id);
      return { outcome: 'genuine', payload, again };
    } catch (error) {
      if (error instanceof errors.JOSEError) return { outcome: 'refused', reason: error.message };
      throw error;
    }
  };
};
