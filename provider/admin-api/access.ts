import { createHash } from 'node:crypto';
import { calculateJwkThumbprint, EmbeddedJWK, jwtVerify } from 'jose';
import type Koa from 'koa';
import type { Provider } from 'oidc-provider';
import * as attempts from '../../accounts/attempts.ts';
import type { Context } from '../../accounts/context.ts';
import { type AccountId, parseAccountId } from '../../accounts/ids.ts';
import { adminResource, STAFF_CLIENT_ID, STAFF_SCOPE } from './staff-client.ts';

export type Access = { outcome: 'account'; account: AccountId } | { outcome: 'refused'; reason: string };

/** RFC 9449 §11.1: a proof is good for moments only. */
const PROOF_SECONDS = 60;
const PROOF_ALGORITHMS = ['ES256', 'EdDSA'];
const MAX_HEADER = 4096;

const refused = (reason: string): Access => ({ outcome: 'refused', reason });

type Proof = { thumbprint: string; jti: string };

/** RFC 9449 §4.3: the checks of a DPoP proof at a resource server; undefined if one fails. */
const checkProof = async (
  proof: string,
  request: { method: string; url: string; token: string; now: Date },
): Promise<Proof | undefined> => {
  try {
    const { payload, protectedHeader } = await jwtVerify(proof, EmbeddedJWK, {
      typ: 'dpop+jwt',
      algorithms: PROOF_ALGORITHMS,
      maxTokenAge: PROOF_SECONDS,
      clockTolerance: 5,
      currentDate: request.now,
      requiredClaims: ['jti', 'htm', 'htu', 'ath', 'iat'],
    });
    const { jti, htm, htu, ath } = payload;
    if (typeof jti !== 'string' || jti === '' || htm !== request.method || htu !== request.url) return undefined;
    if (ath !== createHash('sha256').update(request.token).digest('base64url')) return undefined;
    if (protectedHeader.jwk === undefined) return undefined;
    return { jti, thumbprint: await calculateJwkThumbprint(protectedHeader.jwk) };
  } catch (error) {
    // jose throws for every fault in a proof; anything without its code is ours.
    if (typeof (error as { code?: unknown }).code === 'string') return undefined;
    throw error;
  }
};

/**
 * Whose request it is. Only tokens for the admin API count, of the administrators' client, bound to the key that signs
 * this very request, under a grant that still stands.
 */
export const checkAccess = async (
  ctx: Koa.Context,
  provider: Provider,
  issuer: URL,
  domain: Context,
): Promise<Access> => {
  const [scheme = '', token = ''] = ctx.get('Authorization').split(' ', 2);
  const proofs = ctx.req.headersDistinct['dpop'] ?? [];
  const [proof = ''] = proofs;
  if (scheme.toLowerCase() !== 'dpop' || token === '') return refused('no DPoP-bound access token');
  if (proofs.length !== 1 || proof.length > MAX_HEADER || token.length > MAX_HEADER) return refused('no DPoP proof');
  const stored = await provider.AccessToken.find(token);
  if (stored === undefined || !stored.isValid) return refused('the access token is not valid');
  const audience = ([] as unknown[]).concat(stored.aud);
  if (
    stored.clientId !== STAFF_CLIENT_ID ||
    audience.length !== 1 ||
    audience[0] !== adminResource(issuer) ||
    !stored.scopes.has(STAFF_SCOPE)
  ) {
    return refused('the access token is for something else');
  }
  const url = new URL(ctx.path, issuer).href;
  const checked = await checkProof(proof, { method: ctx.method, url, token, now: domain.now() });
  if (checked === undefined || stored.jkt !== checked.thumbprint) return refused('the DPoP proof does not fit');
  const [grant, first] = await Promise.all([
    stored.grantId === undefined ? undefined : provider.Grant.find(stored.grantId),
    isFirstUse(domain, checked),
  ]);
  if (grant === undefined || grant.accountId !== stored.accountId) return refused('the sign-in was ended');
  if (!first) return refused('the DPoP proof was used before');
  const account = parseAccountId(stored.accountId);
  return account === undefined ? refused('the access token is not valid') : { outcome: 'account', account };
};

/**
 * Each proof may be tried once. Counted in Postgres, whatever there is beside it: an account must be locked, and the
 * doctor asked, while Redis is away.
 */
const isFirstUse = async (domain: Context, { thumbprint, jti }: Proof): Promise<boolean> => {
  const once = { kind: 'proof', key: `${thumbprint} ${jti}`, limit: 1, windowSeconds: 2 * PROOF_SECONDS } as const;
  return (await attempts.reserve(domain, [once])).outcome === 'ok';
};
