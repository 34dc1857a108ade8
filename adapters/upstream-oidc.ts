import { createLocalJWKSet, type JSONWebKeySet, errors as joseErrors, jwtVerify } from 'jose';
import * as client from 'openid-client';
import { createCircuit } from './circuit.ts';
import { ANSWER_MILLISECONDS, CONNECT_MILLISECONDS, callSource, Unreachable } from './source-call.ts';

/** The identity provider of the staff: Keycloak, Entra ID, or another instance of this provider. */
export type UpstreamSettings = {
  readonly issuer: URL;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly redirectUri: URL;
  /** What each of its `acr` values is worth here; a value that is not named is worth nothing. */
  readonly levels: Readonly<Record<string, UpstreamLevel>>;
  /** Plain HTTP on this machine; no setting of production leads here. */
  readonly insecureLoopback?: true;
};
export type UpstreamLevel = 'none' | 'low' | 'substantial' | 'high';

/** To be kept in the shared store while the browser is away, and taken from there exactly once. */
export type UpstreamPending = { readonly state: string; readonly nonce: string; readonly verifier: string };

export type UpstreamAnswer =
  /** `subject` means somebody only together with `issuer`. E-mail and names are never read. */
  | {
      readonly outcome: 'proven';
      readonly issuer: string;
      readonly subject: string;
      readonly level: UpstreamLevel;
      readonly amr: readonly string[];
      readonly sid?: string;
    }
  /** The provider sent the browser back with an error: `access_denied` means that the person went back. */
  | { readonly outcome: 'refused'; readonly error: string }
  | { readonly outcome: 'untrusted' }
  | { readonly outcome: 'unavailable' };

export type LogoutNote = { readonly issuer: string; readonly subject?: string; readonly sid?: string };

export type Upstream = {
  readonly issuer: string;
  begin(): Promise<{ outcome: 'begun'; url: string; pending: UpstreamPending } | { outcome: 'unavailable' }>;
  finish(callback: URL, pending: UpstreamPending): Promise<UpstreamAnswer>;
  /** A back-channel logout token (OpenID Connect Back-Channel Logout 1.0 §2.6); undefined if it must not be believed. */
  logout(token: string): Promise<LogoutNote | 'unavailable' | undefined>;
  up(): boolean;
};

type Parts = {
  readonly now: () => Date;
  readonly once: (mark: string, ttlSeconds: number) => Promise<boolean>;
  readonly log: { warn(details: object, message: string): void };
};

const DISCOVERY_MILLISECONDS = 60 * 60_000;
const LOGOUT_TOKEN_SECONDS = 120;
const LOGOUT_EVENT = 'http://schemas.openid.net/event/backchannel-logout';
/** RFC 8176; anything else would mean here what it means elsewhere. */
const AMR = new Set([
  'face',
  'fpt',
  'geo',
  'hwk',
  'iris',
  'kba',
  'mca',
  'mfa',
  'otp',
  'pin',
  'pop',
  'pwd',
  'rba',
  'retina',
  'sc',
  'sms',
  'swk',
  'tel',
  'user',
  'vbm',
  'wia',
]);
const ASYMMETRIC = ['ES256', 'ES384', 'PS256', 'PS384', 'RS256', 'RS384', 'EdDSA', 'Ed25519'];

/** A server that cannot be reached or does not speak sense; not an answer that must not be believed. */
const isOutage = (error: unknown): boolean => {
  const { code, cause, status } = error as { code?: unknown; cause?: unknown; status?: unknown };
  if (error instanceof Unreachable || cause instanceof Unreachable) return true;
  if (typeof status === 'number' && status >= 500) return true;
  return code === 'OAUTH_TIMEOUT' || code === 'OAUTH_RESPONSE_IS_NOT_CONFORM' || code === 'OAUTH_RESPONSE_IS_NOT_JSON';
};

/** How openid-client reaches the server: by the time-outs of all sources. */
const sourceFetch: client.CustomFetch = async (address, { method, headers, body }) => {
  const answer = await callSource(new URL(address), {
    method,
    headers,
    ...(body != null && { body: typeof body === 'string' || body instanceof Uint8Array ? body : String(body) }),
  });
  const given = new Headers();
  for (const [name, value] of Object.entries(answer.headers))
    for (const one of [value ?? []].flat()) given.append(name, one);
  const empty = answer.status === 204 || answer.status === 304;
  return new Response(empty ? null : new Uint8Array(answer.body), { status: answer.status, headers: given });
};

export const createUpstream = (settings: UpstreamSettings, { now, once, log }: Parts): Upstream => {
  const circuit = createCircuit(() => now().getTime());
  let discovered: { configuration: client.Configuration; at: number } | undefined;

  const configuration = async (): Promise<client.Configuration> => {
    if (discovered !== undefined && now().getTime() - discovered.at < DISCOVERY_MILLISECONDS)
      return discovered.configuration;
    const found = await client.discovery(
      settings.issuer,
      settings.clientId,
      {},
      client.ClientSecretBasic(settings.clientSecret),
      {
        timeout: (CONNECT_MILLISECONDS + ANSWER_MILLISECONDS) / 1000,
        [client.customFetch]: sourceFetch,
        // The signature of the id_token is checked although it comes straight from the server: TLS may end before it.
        execute: [
          client.enableNonRepudiationChecks,
          ...(settings.insecureLoopback === true ? [client.allowInsecureRequests] : []),
        ],
      },
    );
    discovered = { configuration: found, at: now().getTime() };
    return found;
  };

  /** Runs a request to the server; an outage opens the circuit, anything else is the caller's. */
  const ask = async <T>(
    work: (config: client.Configuration) => Promise<T>,
  ): Promise<{ value: T } | { fault: unknown } | undefined> => {
    try {
      const answered = await circuit.run(async () => {
        try {
          return { value: await work(await configuration()) };
        } catch (error) {
          if (isOutage(error)) throw error;
          return { fault: error };
        }
      });
      return answered.outcome === 'answered' ? answered.value : undefined;
    } catch (error) {
      log.warn({ source: 'upstream', detail: (error as Error).message }, 'the upstream provider cannot be reached');
      return undefined;
    }
  };

  const warn = (error: unknown): void =>
    log.warn(
      { source: 'upstream', detail: error instanceof Error ? error.message : 'unknown' },
      'an answer that must not be believed',
    );

  return {
    issuer: settings.issuer.href,
    async begin() {
      const pending = {
        state: client.randomState(),
        nonce: client.randomNonce(),
        verifier: client.randomPKCECodeVerifier(),
      };
      const challenge = await client.calculatePKCECodeChallenge(pending.verifier);
      const built = await ask(async (config) =>
        client.buildAuthorizationUrl(config, {
          redirect_uri: settings.redirectUri.href,
          scope: 'openid',
          state: pending.state,
          nonce: pending.nonce,
          code_challenge: challenge,
          code_challenge_method: 'S256',
          // Some send these only when asked (OpenID Connect Core §5.5); no name, no e-mail.
          claims: JSON.stringify({ id_token: { acr: null, amr: null, sid: null } }),
        }),
      );
      return built !== undefined && 'value' in built
        ? { outcome: 'begun', url: built.value.href, pending }
        : { outcome: 'unavailable' };
    },

    async finish(callback, pending) {
      const asked = await ask(async (config) =>
        client.authorizationCodeGrant(config, callback, {
          expectedState: pending.state,
          expectedNonce: pending.nonce,
          pkceCodeVerifier: pending.verifier,
          idTokenExpected: true,
        }),
      );
      if (asked === undefined) return { outcome: 'unavailable' };
      if ('fault' in asked) {
        if (asked.fault instanceof client.AuthorizationResponseError)
          return { outcome: 'refused', error: asked.fault.error };
        warn(asked.fault);
        return { outcome: 'untrusted' };
      }
      const claims = asked.value.claims();
      if (claims === undefined || claims.sub === '' || claims.sub.length > 255) return { outcome: 'untrusted' };
      const { acr, amr, sid } = claims as Record<string, unknown>;
      return {
        outcome: 'proven',
        issuer: claims.iss,
        subject: claims.sub,
        level:
          typeof acr === 'string' && Object.hasOwn(settings.levels, acr) ? (settings.levels[acr] ?? 'none') : 'none',
        amr: Array.isArray(amr) ? amr.filter((one): one is string => typeof one === 'string' && AMR.has(one)) : [],
        ...(typeof sid === 'string' && { sid }),
      };
    },

    async logout(token) {
      const keys = await ask(async (config) => {
        const { issuer, jwks_uri: jwksUri } = config.serverMetadata();
        const { status, body } = await callSource(new URL(jwksUri ?? ''));
        if (status !== 200) throw new Unreachable(`JWKS: status ${status}`);
        return { issuer, keys: createLocalJWKSet(JSON.parse(body.toString('utf8')) as JSONWebKeySet) };
      });
      if (keys === undefined || !('value' in keys)) return 'unavailable';
      try {
        const { payload, protectedHeader } = await jwtVerify(token, keys.value.keys, {
          issuer: keys.value.issuer,
          audience: settings.clientId,
          algorithms: ASYMMETRIC,
          currentDate: now(),
          maxTokenAge: LOGOUT_TOKEN_SECONDS,
          clockTolerance: 30,
          requiredClaims: ['iat', 'jti'],
        });
        const { events, nonce, sub, sid, jti } = payload as Record<string, unknown>;
        const type = protectedHeader.typ?.toLowerCase().replace(/^application\//, '');
        if (type !== undefined && type !== 'logout+jwt' && type !== 'jwt') throw new Error('not a logout token');
        if (nonce !== undefined || typeof events !== 'object' || events === null || !(LOGOUT_EVENT in events))
          throw new Error('not a logout token');
        if (typeof sub !== 'string' && typeof sid !== 'string') throw new Error('nobody named');
        if (!(await once(`logout ${String(jti)}`, LOGOUT_TOKEN_SECONDS + 60))) throw new Error('seen before');
        return {
          issuer: keys.value.issuer,
          ...(typeof sub === 'string' && { subject: sub }),
          ...(typeof sid === 'string' && { sid }),
        };
      } catch (error) {
        if (!(error instanceof joseErrors.JOSEError) && !(error instanceof Error)) throw error;
        warn(error);
        return undefined;
      }
    },
    up: circuit.up,
  };
};
