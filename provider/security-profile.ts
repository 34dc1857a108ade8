import { decodeJwt, decodeProtectedHeader } from 'jose';
import { type Client, type Configuration, errors, type KoaContextWithOIDC } from 'oidc-provider';
import type { Registrations } from './registrations.ts';

type AssertClientAuth = NonNullable<Configuration['assertJwtClientAuthClaimsAndHeader']>;

/** FAPI 2.0 Security Profile §5.3.2.1: clocks may be 10 s apart; what is dated 60 s ahead is refused. */
export const CLOCK_TOLERANCE_SECONDS = 10;
const FUTURE_LIMIT_SECONDS = 60;

/** FAPI 2.0 Security Profile §5.4.1: PS256, ES256, EdDSA. */
export const PROFILE_ALGORITHMS = ['ES256', 'PS256', 'EdDSA'] as const;

/** The `fapi` feature of oidc-provider: on for the clients whose registration says so. */
export const fapi = (registrations: Registrations) => ({
  enabled: true,
  profile: (_ctx: KoaContextWithOIDC, client: Client | undefined) =>
    registrations.find(client?.clientId ?? '')?.securityProfile === undefined ? undefined : ('2.0' as const),
});

const inTheFuture = (claim: unknown, now: number): boolean =>
  typeof claim === 'number' && claim > now + FUTURE_LIMIT_SECONDS;

/**
 * Assertions of clients (private_key_jwt). For all services the audience is the issuer and nothing else: an array or the
 * token URL could be replayed here (RFC 9700 §2.5, CVE-2025-27370). A client that registered itself may name the token
 * endpoint, as OpenID Connect Core §9 asks for and test suites do, unless it is held to FAPI 2.0.
 */
export const assertClientAssertion =
  (issuer: URL, registrations: Registrations): AssertClientAuth =>
  (_ctx, claims, header, client) => {
    const registration = registrations.find(client.clientId);
    const mayNameEndpoint = registration?.trial === true && registration.securityProfile === undefined;
    if (claims.aud !== issuer.origin && !mayNameEndpoint) {
      throw new errors.InvalidClientAuth('audience (aud) must equal the issuer');
    }
    if (registration?.securityProfile === undefined) return;
    if (!PROFILE_ALGORITHMS.some((algorithm) => algorithm === header['alg'])) {
      throw new errors.InvalidClientAuth('FAPI 2.0 clients sign with ES256, PS256 or EdDSA');
    }
    const now = Math.floor(Date.now() / 1000);
    if (inTheFuture(claims.iat, now) || inTheFuture(claims.nbf, now)) {
      throw new errors.InvalidClientAuth('the assertion is dated more than 60 seconds ahead');
    }
  };

/** A DPoP proof that is dated far ahead: oidc-provider takes 300 s in both directions. */
export async function refuseFutureProofs(ctx: KoaContextWithOIDC, next: () => Promise<void>): Promise<void> {
  const proof = ctx.get('dpop');
  if (proof !== '') {
    let iat: unknown;
    try {
      // Only its date; oidc-provider verifies it.
      if (decodeProtectedHeader(proof).typ === 'dpop+jwt') ({ iat } = decodeJwt(proof));
    } catch {
      iat = undefined;
    }
    const now = Math.floor(Date.now() / 1000);
    if (inTheFuture(iat, now)) {
      ctx.status = 400;
      ctx.set('Cache-Control', 'no-store');
      ctx.body = {
        error: 'invalid_dpop_proof',
        error_description: `the DPoP proof is dated ${Number(iat) - now} seconds ahead of our clock; 60 are accepted`,
      };
      return;
    }
  }
  await next();
}
