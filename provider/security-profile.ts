import { decodeJwt, decodeProtectedHeader } from 'jose';
import { type Client, type Configuration, errors, type KoaContextWithOIDC } from 'oidc-provider';
import type { Context } from '../accounts/context.ts';
import * as exemptions from '../accounts/exemptions.ts';
import type { Registrations } from './registrations.ts';

type AssertClientAuth = NonNullable<Configuration['assertJwtClientAuthClaimsAndHeader']>;
type RequestObjects = NonNullable<NonNullable<Configuration['features']>['requestObjects']>;
type AssertRequest = NonNullable<RequestObjects['assertJwtClaimsAndHeader']>;

/** FAPI 2.0 Security Profile §5.3.2.1: clocks may be 10 s apart; what is dated 60 s ahead is refused. */
export const CLOCK_TOLERANCE_SECONDS = 10;
const FUTURE_LIMIT_SECONDS = 60;

/** FAPI 2.0 Security Profile §5.4.1: PS256, ES256, EdDSA. */
export const PROFILE_ALGORITHMS = ['ES256', 'PS256', 'EdDSA'] as const;

const isPermitted = (algorithm: unknown): boolean => PROFILE_ALGORITHMS.some((one) => one === algorithm);

/** The `fapi` feature of oidc-provider: on for the clients whose registration says so. */
export const fapi = (registrations: Registrations) => ({
  enabled: true,
  profile: (_ctx: KoaContextWithOIDC, client: Client | undefined) =>
    registrations.find(client?.clientId ?? '')?.securityProfile === undefined ? undefined : ('2.0' as const),
});

const inTheFuture = (claim: unknown, now: number): boolean =>
  typeof claim === 'number' && claim > now + FUTURE_LIMIT_SECONDS;

/**
 * Assertions of clients (private_key_jwt). Their audience is the issuer and nothing else: one that names the token
 * endpoint may have been made for another server, which replays it here (draft-ietf-oauth-rfc7523bis §4,
 * CVE-2025-27370). Under an exemption (decision 0082) and for clients that registered themselves, as test suites do, the
 * token endpoint is taken beside it. FAPI 2.0 Security Profile §5.3.2.1-8: the issuer, and that as a string.
 */
export const assertClientAssertion =
  (issuer: URL, registrations: Registrations, context: () => Context): AssertClientAuth =>
  (_ctx, claims, header, client) => {
    const registration = registrations.find(client.clientId);
    const audience = ([] as unknown[]).concat(claims.aud ?? []);
    if (registration?.securityProfile === undefined) {
      const mayNameEndpoint =
        registration?.trial === true || exemptions.holds(registration?.audienceExemption, context().now());
      const taken = mayNameEndpoint ? [issuer.origin, `${issuer.origin}/token`] : [issuer.origin];
      // oidc-provider has refused those that name none of its addresses; an array may hold no others beside them.
      if (registration?.trial !== true && !audience.every((one) => taken.some((address) => address === one)))
        throw new errors.InvalidClientAuth(`audience (aud) must equal the issuer, ${issuer.origin}`);
      return;
    }
    if (claims.aud !== issuer.origin) {
      throw new errors.InvalidClientAuth(`audience (aud) must equal the issuer, ${issuer.origin}, as a string`);
    }
    if (!isPermitted(header['alg'])) {
      throw new errors.InvalidClientAuth('FAPI 2.0 clients sign with ES256, PS256 or EdDSA');
    }
    const now = Math.floor(Date.now() / 1000);
    if (inTheFuture(claims.iat, now) || inTheFuture(claims.nbf, now)) {
      throw new errors.InvalidClientAuth('the assertion is dated more than 60 seconds ahead');
    }
  };

/** FAPI 2.0 Message Signing §5.3.1: how long ago a request object may begin to be good, and for how long it may be. */
const REQUEST_LIMIT_SECONDS = 60 * 60;

/**
 * Request objects of clients of FAPI 2.0. This takes the place of oidc-provider's own rules, which do not look at the
 * algorithm: where clients register themselves, the others may sign with RS256.
 */
export const assertRequestObject =
  (registrations: Registrations): AssertRequest =>
  (_ctx, claims, header, client) => {
    if (registrations.find(client.clientId)?.securityProfile === undefined) return;
    const { exp, nbf, aud } = claims;
    const refuse = (reason: string): never => {
      throw new errors.InvalidRequestObject(reason);
    };
    // `none` is how oidc-provider keeps a pushed request that is no request object; from a client it never comes this far.
    if (header['alg'] !== 'none' && !isPermitted(header['alg'])) {
      refuse('FAPI 2.0 clients sign with ES256, PS256 or EdDSA');
    }
    if (typeof exp !== 'number' || typeof nbf !== 'number' || aud === undefined) {
      return refuse('the request object of a FAPI 2.0 client has exp, nbf and aud');
    }
    const now = Math.floor(Date.now() / 1000);
    if (inTheFuture(nbf, now)) refuse('nbf is more than 60 seconds ahead');
    if (nbf < now - REQUEST_LIMIT_SECONDS) refuse('nbf is more than 60 minutes ago');
    if (exp <= nbf || exp - nbf > REQUEST_LIMIT_SECONDS) refuse('exp is not within 60 minutes after nbf');
  };

/** What a DPoP proof says about when it was issued; oidc-provider verifies it. Undefined for what is no proof. */
export const proofIssuedAt = (proof: string): number | undefined => {
  try {
    return decodeProtectedHeader(proof).typ === 'dpop+jwt' ? decodeJwt(proof).iat : undefined;
  } catch {
    return undefined;
  }
};

/** Refuses a DPoP proof that is dated far ahead: oidc-provider takes 300 s in both directions. */
export const refusesFutureProof = (ctx: KoaContextWithOIDC, issuedAt: number | undefined): boolean => {
  const now = Math.floor(Date.now() / 1000);
  if (!inTheFuture(issuedAt, now)) return false;
  ctx.status = 400;
  ctx.set('Cache-Control', 'no-store');
  ctx.body = {
    error: 'invalid_dpop_proof',
    error_description: `the DPoP proof is dated ${Number(issuedAt) - now} seconds ahead of our clock; 60 are accepted`,
  };
  return true;
};
