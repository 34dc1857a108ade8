import type { Configuration, KoaContextWithOIDC } from 'oidc-provider';
import type { Registrations } from './registrations.ts';

type ExtraClaims = NonNullable<Configuration['extraTokenClaims']>;

/** What a token is made from: the code, device code or refresh token that remembers the sign-in. */
type SignInFacts = { readonly acr?: string | undefined; readonly authTime?: number | undefined };

/** Whether a request is for an API that may demand a stronger or fresher sign-in. */
export const isForStepUp = (registrations: Registrations, ctx: KoaContextWithOIDC): boolean =>
  Object.values(ctx.oidc.resourceServers ?? {}).some(
    (api) => registrations.resource(api.identifier())?.stepUp === true,
  );

/**
 * `acr` and `auth_time` in access tokens and introspection (RFC 9470 §6, RFC 9068 §2.2.1): only for APIs that are
 * registered for it. To all others they would tell more of the citizen's sign-in than they need. A refreshed token
 * speaks of the sign-in it goes back to.
 */
export const stepUpClaims =
  (registrations: Registrations): ExtraClaims =>
  (ctx, token) => {
    if (token.kind !== 'AccessToken' || typeof token.aud !== 'string') return undefined;
    if (registrations.resource(token.aud)?.stepUp !== true) return undefined;
    const { AuthorizationCode, DeviceCode, RefreshToken } = ctx.oidc.entities;
    const { acr, authTime }: SignInFacts = AuthorizationCode ?? DeviceCode ?? RefreshToken ?? {};
    return { ...(acr !== undefined && { acr }), ...(authTime !== undefined && { auth_time: authTime }) };
  };
