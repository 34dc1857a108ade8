import { decodeJwt, decodeProtectedHeader, type JWTPayload } from 'jose';
import type { KoaContextWithOIDC } from 'oidc-provider';
import type { Cause, Facts, Failure } from '../accounts/client-failures.ts';
import { SECRET_LENGTH } from '../accounts/clients.ts';
import type { Registration } from '../accounts/town.ts';
import { difference, shownAddress, shownText } from './shown-value.ts';

/** As oidc-provider's errors are, with what only its log would say. */
export type ProtocolError = Error & {
  readonly error: string;
  readonly error_description?: string | undefined;
  readonly error_detail?: string | undefined;
  readonly scope?: string | undefined;
};

type Known = { readonly registration: Registration; readonly issuer: URL; readonly now: Date };
type Explained = { readonly cause: Cause; readonly facts: Facts };

/** What a citizen did, or we failed at: nothing for a service's developer, and nothing to keep. */
const NOT_THE_SERVICE = new Set([
  'access_denied',
  'authorization_pending',
  'consent_required',
  'expired_token',
  'interaction_required',
  'login_required',
  'server_error',
  'slow_down',
  'temporarily_unavailable',
  'unmet_authentication_requirements',
  'use_dpop_nonce',
]);

const REGISTERED_SHOWN = 5;

type Request = { readonly ctx: KoaContextWithOIDC; readonly error: ProtocolError; readonly known: Known };

const parameter = ({ ctx }: Request, name: string): string => {
  // oidc-provider takes some values out that it refuses.
  const value = ctx.oidc?.params?.[name] ?? ctx.query[name];
  return typeof value === 'string' ? value : '';
};

const sent = (request: Request, name: string): Facts => ({ sent: shownText(parameter(request, name)) });
const messageOf = ({ error }: Request): string =>
  shownText([error.error_description, error.error_detail].filter(Boolean).join(': '));

const addresses = (request: Request, name: string, registered: readonly string[]): Facts => {
  const address = parameter(request, name);
  const differs = difference(address, registered);
  return {
    sent: shownAddress(address),
    registered: registered.slice(0, REGISTERED_SHOWN).map(shownAddress),
    ...(differs.length > 0 && { differs }),
  };
};

const decoded = (jwt: string): { header: Record<string, unknown>; payload: JWTPayload } | undefined => {
  try {
    return { header: decodeProtectedHeader(jwt) as Record<string, unknown>, payload: decodeJwt(jwt) };
  } catch {
    return undefined;
  }
};

/** How far the clock behind a JWT is ahead of ours, as far as its `iat` tells. */
const skew = (payload: JWTPayload | undefined, now: Date): Facts =>
  typeof payload?.iat === 'number' ? { skewSeconds: Math.round(payload.iat - now.getTime() / 1000) } : {};

const isOutOfTime = ({ exp, iat, nbf }: JWTPayload, now: number): boolean =>
  (exp !== undefined && exp < now) || Math.max(iat ?? 0, nbf ?? 0) > now;

/** Why a JWT of the service was refused, by what stands in it: oidc-provider's message says less. */
const ofAssertion = (request: Request): Explained => {
  const { known, error } = request;
  const jwt = decoded(parameter(request, 'client_assertion'));
  const detail = error.error_detail ?? '';
  if (jwt === undefined) return { cause: 'assertion-malformed', facts: { message: shownText(detail) } };
  const { header, payload } = jwt;
  const facts = skew(payload, known.now);
  if (/only be used once/.test(detail)) return { cause: 'assertion-replayed', facts };
  if (/alg mismatch|sign with/.test(detail))
    return { cause: 'assertion-algorithm', facts: { sent: shownText(String(header['alg'])) } };
  if (/issuer\) must be the client_id/.test(detail))
    return {
      cause: 'assertion-issuer',
      facts: { sent: shownText(payload.iss ?? ''), expected: known.registration.clientId },
    };
  if (/\baud/.test(detail)) {
    const aud = ([] as string[]).concat(payload.aud ?? []).slice(0, REGISTERED_SHOWN);
    return { cause: 'assertion-audience', facts: { sent: aud.map(shownText), expected: known.issuer.origin } };
  }
  if (/must be (specified|provided)/.test(detail))
    return { cause: 'assertion-malformed', facts: { message: shownText(detail) } };
  if (/dated more than/.test(detail) || isOutOfTime(payload, known.now.getTime() / 1000))
    return { cause: 'assertion-time', facts };
  const kids = (known.registration.jwks?.keys ?? []).map((key) => (key as { kid?: string }).kid);
  const { kid } = header;
  if (typeof kid === 'string' && known.registration.jwks !== undefined && !kids.includes(kid)) {
    const registered = kids.filter((one) => one !== undefined).slice(0, REGISTERED_SHOWN);
    return { cause: 'assertion-key', facts: { sent: shownText(kid), registered: registered.map(shownText) } };
  }
  return { cause: 'assertion-signature', facts: typeof kid === 'string' ? { sent: shownText(kid) } : {} };
};

/** The secret that was sent: by form or by Basic authentication (RFC 6749 §2.3.1). */
export const sentSecret = (ctx: KoaContextWithOIDC): string | undefined => {
  const posted = ctx.oidc?.params?.['client_secret'];
  if (typeof posted === 'string' && posted !== '') return posted;
  const [scheme = '', credentials = ''] = ctx.get('Authorization').split(' ', 2);
  if (scheme.toLowerCase() !== 'basic') return undefined;
  const pair = Buffer.from(credentials, 'base64').toString('utf8');
  try {
    return decodeURIComponent(pair.slice(pair.indexOf(':') + 1).replaceAll('+', '%20'));
  } catch {
    return undefined;
  }
};

const ofSecret = ({ ctx, known }: Request): Explained => {
  const secret = sentSecret(ctx) ?? '';
  const looks = [
    ...(secret === known.registration.clientId ? ['client-id'] : []),
    ...(secret !== secret.trim() ? ['blanks'] : []),
    ...(/[^A-Za-z0-9]/.test(secret.trim()) ? ['encoded'] : []),
  ];
  return {
    cause: 'secret-wrong',
    facts: { ...(looks.length > 0 && { looks }), length: secret.length, expectedLength: SECRET_LENGTH },
  };
};

/** How the service authenticated, by what it sent. */
const methodOf = (request: Request): string => {
  if (parameter(request, 'client_assertion') !== '') return 'private_key_jwt';
  if (parameter(request, 'client_secret') !== '') return 'client_secret_post';
  return request.ctx.get('Authorization') === '' ? 'none' : 'client_secret_basic';
};

const ofClient = (request: Request): Explained => {
  const detail = request.error.error_detail ?? '';
  const { authMethod } = request.known.registration;
  if (/does not match the registered client authentication method/.test(detail))
    return { cause: 'auth-method', facts: { sent: methodOf(request), registered: [authMethod] } };
  if (/secret/.test(detail)) return ofSecret(request);
  if (/certificate/.test(detail)) return { cause: 'certificate', facts: { message: shownText(detail) } };
  if (authMethod === 'private_key_jwt') return ofAssertion(request);
  return { cause: 'other', facts: { message: messageOf(request) } };
};

const ofGrant = (request: Request): Explained => {
  const { error, known } = request;
  const detail = `${error.error_detail ?? ''} ${error.error_description ?? ''}`;
  const refresh = parameter(request, 'grant_type') === 'refresh_token';
  if (/code_verifier|code_challenge/.test(detail)) {
    const missing = parameter(request, 'code_verifier') === '';
    return { cause: 'pkce-verifier', facts: missing ? { missing: 'code_verifier' } : {} };
  }
  // The one of the request is in the code, which is not shown; it is one of those registered.
  if (/redirect_uri mismatch/.test(detail))
    return { cause: 'code-redirect-uri', facts: addresses(request, 'redirect_uri', known.registration.redirectUris) };
  if (/client mismatch/.test(detail)) return { cause: 'other-client', facts: {} };
  if (/missing DPoP proof/.test(detail)) return { cause: 'dpop-missing', facts: {} };
  if (/jkt/.test(detail)) return { cause: 'dpop-key', facts: {} };
  if (/certificate|x5t/.test(detail)) return { cause: 'certificate', facts: { message: shownText(detail) } };
  if (/^grant |account/i.test(detail)) return { cause: 'grant-ended', facts: {} };
  if (/already (consumed|used)/.test(detail)) return { cause: refresh ? 'refresh-used' : 'code-used', facts: {} };
  if (/expired/.test(detail)) return { cause: refresh ? 'refresh-expired' : 'code-expired', facts: {} };
  if (/not found/.test(detail)) return { cause: refresh ? 'refresh-unknown' : 'code-unknown', facts: {} };
  return { cause: 'other', facts: { message: messageOf(request) } };
};

const ofProof = (request: Request): Explained => {
  const { ctx, known } = request;
  const proof = decoded(ctx.get('DPoP'));
  const message = messageOf(request);
  if (/iat is not recent|dated more than/.test(message))
    return { cause: 'dpop-time', facts: skew(proof?.payload, known.now) };
  if (/ht[um] mismatch/.test(message)) {
    const { htu, htm } = proof?.payload ?? {};
    const expected = `${ctx.method} ${known.issuer.origin}${ctx.path}`;
    return {
      cause: 'dpop-address',
      facts: { sent: `${shownText(String(htm))} ${shownAddress(String(htu))}`, expected },
    };
  }
  if (/thumbprint|jkt|key binding/.test(message)) return { cause: 'dpop-key', facts: { message } };
  return { cause: 'dpop-malformed', facts: { message } };
};

const ofRequest = (request: Request): Explained => {
  const message = messageOf(request);
  const { known } = request;
  if (/policy requires PKCE/.test(message)) return { cause: 'pkce-missing', facts: {} };
  if (/code_challenge_method/.test(message))
    return { cause: 'pkce-method', facts: sent(request, 'code_challenge_method') };
  if (/^openid scope must/.test(message)) return { cause: 'scope-missing', facts: sent(request, 'scope') };
  const missing = /missing required parameters? (.+)/.exec(message)?.[1];
  if (missing !== undefined) return { cause: 'parameter-missing', facts: { missing } };
  if (/^post_logout_redirect_uri/.test(message))
    return {
      cause: 'logout-uri',
      facts: addresses(request, 'post_logout_redirect_uri', known.registration.postLogoutRedirectUris),
    };
  if (/^origin .* not allowed/.test(message)) {
    const registered = known.registration.corsOrigins.slice(0, REGISTERED_SHOWN).map(shownAddress);
    return { cause: 'cors-origin', facts: { sent: shownAddress(request.ctx.get('Origin')), registered } };
  }
  if (/Pushed Authorization Request must/.test(message)) return { cause: 'par-missing', facts: {} };
  if (/Request Object must/.test(message)) return { cause: 'request-object-missing', facts: {} };
  if (/response_type/.test(message)) return { cause: 'response-type', facts: sent(request, 'response_type') };
  if (/response_mode/.test(message)) return { cause: 'response-mode', facts: sent(request, 'response_mode') };
  if (/grant type|is not allowed for this client/.test(message))
    return { cause: 'grant-type', facts: sent(request, 'grant_type') };
  if (/client authentication|authorization header|client_secret|client_assertion/.test(message))
    return { cause: 'auth-missing', facts: { message, registered: [known.registration.authMethod] } };
  return { cause: 'parameter', facts: { message } };
};

const ofRequestObject = (request: Request): Explained => {
  const jwt = decoded(parameter(request, 'request'));
  return { cause: 'request-object', facts: { message: messageOf(request), ...skew(jwt?.payload, request.known.now) } };
};

/** What is wrong, by the code that the service got. */
const BY_CODE: Readonly<Record<string, (request: Request) => Explained>> = {
  access_denied: (request) => ({ cause: 'scope-missing', facts: sent(request, 'scope') }),
  invalid_redirect_uri: (request) => ({
    cause: 'redirect-uri',
    facts: addresses(request, 'redirect_uri', request.known.registration.redirectUris),
  }),
  invalid_client: ofClient,
  invalid_grant: ofGrant,
  invalid_dpop_proof: ofProof,
  invalid_request: ofRequest,
  invalid_request_object: ofRequestObject,
  invalid_request_uri: (request) => ({ cause: 'request-uri', facts: { message: messageOf(request) } }),
  invalid_scope: (request) => ({
    cause: 'scope',
    facts: { sent: shownText(request.error.scope ?? parameter(request, 'scope')), message: messageOf(request) },
  }),
  invalid_target: (request) => ({ cause: 'resource', facts: { sent: shownAddress(parameter(request, 'resource')) } }),
  invalid_token: (request) => ({ cause: 'token', facts: { message: messageOf(request) } }),
  unauthorized_client: (request) => ({ cause: 'grant-type', facts: sent(request, 'grant_type') }),
  unsupported_grant_type: (request) => ({ cause: 'grant-type', facts: sent(request, 'grant_type') }),
  unsupported_response_type: (request) => ({ cause: 'response-type', facts: sent(request, 'response_type') }),
  unsupported_response_mode: (request) => ({ cause: 'response-mode', facts: sent(request, 'response_mode') }),
};

/** Which service a refused request says it comes from; nobody has proven it. */
export const claimedClient = (ctx: KoaContextWithOIDC): string | undefined => {
  const known = ctx.oidc?.client?.clientId ?? ctx.oidc?.params?.['client_id'];
  if (typeof known === 'string') return known;
  const [scheme = '', credentials = ''] = ctx.get('Authorization').split(' ', 2);
  if (scheme.toLowerCase() !== 'basic') return undefined;
  return Buffer.from(credentials, 'base64').toString('utf8').split(':', 1)[0];
};

/** Explains a refusal to the service's developer; undefined for what is not theirs to put right. */
export const explain = (
  ctx: KoaContextWithOIDC,
  endpoint: string,
  error: ProtocolError,
  known: Known,
): Failure | undefined => {
  // A request that asks for nothing is granted nothing: the code is the citizen's, the fault the service's.
  const asksForNothing = /no scope was granted/.test(error.error_detail ?? '');
  if (NOT_THE_SERVICE.has(error.error) && !asksForNothing) return undefined;
  const request = { ctx, error, known };
  const { cause, facts } = BY_CODE[error.error]?.(request) ?? {
    cause: 'other',
    facts: { message: messageOf(request) },
  };
  return { endpoint, code: error.error, cause, facts };
};
