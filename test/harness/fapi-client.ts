/** A FAPI 2.0 client by hand: right by default, and wrong in exactly the way a test asks for. */

import { createHash, randomUUID } from 'node:crypto';
import {
  type CryptoKey,
  calculateJwkThumbprint,
  exportJWK,
  generateKeyPair,
  type JWTPayload,
  SignJWT,
  UnsecuredJWT,
} from 'jose';
import type { Registration } from '../../accounts/town.ts';
import type { ClientCertificate } from './client-certificates.ts';
import { serviceWith } from './registration.ts';
import { atHome, type Pkce, pkce, type Tokens } from './relying-party.ts';
import type { RunningTown } from './town.ts';
import { answerPages, type Credentials, registerTrial, returned } from './trial-client.ts';
import { type Answer, Visitor } from './visitor.ts';

export type Variant = {
  readonly clientId: string;
  readonly auth: 'private_key_jwt' | 'tls_client_auth' | 'self_signed_tls_client_auth';
  readonly bound: 'dpop' | 'mtls';
  readonly signing?: boolean;
  readonly certificate?: ClientCertificate;
};

type Changes = Record<string, unknown>;
/** What one request gets wrong. */
export type Deviation = {
  /** Claims of the client assertion; `undefined` removes one. */
  readonly assertion?: Changes;
  readonly assertionKey?: { key: CryptoKey; alg: string; kid?: string };
  /** No authentication at all. */
  readonly anonymous?: boolean;
  /** Claims of the DPoP proof. */
  readonly proof?: Changes;
  readonly proofHeader?: Changes;
  readonly proofKey?: KeyPair;
  readonly noProof?: boolean;
  /** The finished proof, for sending it again. */
  readonly rawProof?: string;
  readonly certificate?: ClientCertificate | undefined;
  readonly noCertificate?: boolean;
  /** Form fields; `undefined` removes one. */
  readonly fields?: Record<string, string | undefined>;
  /** Claims of the signed request object. */
  readonly request?: Changes;
  readonly requestKey?: { key: CryptoKey; alg: string };
  /** The request object is signed by the client's RSA key that is none for this, or not at all. */
  readonly requestAlg?: 'RS256' | 'none';
  readonly unsignedAssertion?: boolean;
  /** The parameters go beside the request object instead of into it. */
  readonly unsignedRequest?: boolean;
  readonly headers?: Record<string, string>;
  readonly origin?: string;
};

export type KeyPair = { readonly publicKey: CryptoKey; readonly privateKey: CryptoKey };

export const newKeyPair = (alg = 'ES256'): Promise<KeyPair> => generateKeyPair(alg, { extractable: true });

const seconds = (): number => Math.floor(Date.now() / 1000);
const given = (fields: Record<string, string | undefined>): URLSearchParams =>
  new URLSearchParams(Object.entries(fields).filter((entry): entry is [string, string] => entry[1] !== undefined));
const payload = (claims: Changes): JWTPayload =>
  Object.fromEntries(Object.entries(claims).filter(([, value]) => value !== undefined));

/** What a client publishes: its own key, one that it must not sign with, and its certificate where that is the key. */
const publicKeys = async (
  own: KeyPair,
  rsa: KeyPair,
  certificate: ClientCertificate | undefined,
): Promise<object[]> => [
  { ...(await exportJWK(own.publicKey)), kid: 'eins', use: 'sig' },
  { ...(await exportJWK(rsa.publicKey)), kid: 'zwei', use: 'sig' },
  ...(certificate === undefined ? [] : [certificate.jwk]),
];

/** A DPoP proof (RFC 9449 §4.2). */
export const dpopProof = async (
  keys: KeyPair,
  method: string,
  url: string,
  token: string | undefined,
  { proof = {}, proofHeader = {} }: Deviation = {},
): Promise<string> =>
  new SignJWT(
    payload({
      jti: randomUUID(),
      iat: seconds(),
      htm: method,
      htu: url,
      ...(token !== undefined && { ath: createHash('sha256').update(token).digest('base64url') }),
      ...proof,
    }),
  )
    .setProtectedHeader({
      alg: 'ES256',
      typ: 'dpop+jwt',
      jwk: await exportJWK(keys.publicKey),
      ...proofHeader,
    } as { alg: string })
    .sign(keys.privateKey);

export class FapiClient {
  readonly variant: Variant;
  readonly keys: KeyPair;
  readonly proofKeys: KeyPair;
  /** Registered as well, for what must not be signed with it. */
  readonly rsa: KeyPair;
  readonly redirectUri: string;
  town: RunningTown | undefined;

  private constructor(variant: Variant, keys: KeyPair, proofKeys: KeyPair, rsa: KeyPair, redirectUri?: string) {
    this.rsa = rsa;
    this.variant = variant;
    this.keys = keys;
    this.proofKeys = proofKeys;
    this.redirectUri = redirectUri ?? `https://${variant.clientId}.bank.example/callback`;
  }

  static async create(variant: Variant): Promise<FapiClient> {
    return new FapiClient(variant, await newKeyPair(), await newKeyPair(), await newKeyPair('RS256'));
  }

  /** A client that registers itself with what FAPI 2.0 demands of one, and is held to the rest of it by that. */
  static async registered(
    town: RunningTown,
    { auth, bound, signing, certificate, tlsName }: Omit<Variant, 'clientId'> & { tlsName?: string },
    metadata: Record<string, unknown> = {},
  ): Promise<FapiClient> {
    const [keys, proofKeys, rsa] = [await newKeyPair(), await newKeyPair(), await newKeyPair('RS256')];
    const { clientId, redirectUri } = await registerTrial(town, {
      response_types: ['code'],
      grant_types: ['authorization_code', 'refresh_token'],
      token_endpoint_auth_method: auth,
      jwks: { keys: await publicKeys(keys, rsa, auth === 'self_signed_tls_client_auth' ? certificate : undefined) },
      id_token_signed_response_alg: 'ES256',
      authorization_signed_response_alg: 'ES256',
      introspection_signed_response_alg: 'ES256',
      require_pushed_authorization_requests: true,
      ...(bound === 'dpop' ? { dpop_bound_access_tokens: true } : { tls_client_certificate_bound_access_tokens: true }),
      ...(signing === true && { require_signed_request_object: true }),
      ...(auth === 'tls_client_auth' && { tls_client_auth_san_dns: tlsName }),
      ...metadata,
    });
    const variant = {
      clientId,
      auth,
      bound,
      ...(signing === true && { signing }),
      ...(certificate && { certificate }),
    };
    const client = new FapiClient(variant, keys, proofKeys, rsa, redirectUri);
    client.town = town;
    return client;
  }

  async registration(): Promise<Registration> {
    const { variant } = this;
    const { auth, bound, certificate, signing } = variant;
    return serviceWith(variant.clientId, {
      redirectUris: [this.redirectUri],
      authMethod: auth,
      jwks: {
        keys: await publicKeys(this.keys, this.rsa, auth === 'self_signed_tls_client_auth' ? certificate : undefined),
      },
      ...(auth === 'tls_client_auth' && { tlsSubject: { sanDns: `${variant.clientId}.bank.example` } }),
      securityProfile: signing === true ? 'fapi2-message-signing' : 'fapi2',
      boundTokens: bound,
      refreshTokens: true,
    });
  }

  get #running(): RunningTown {
    if (this.town === undefined) throw new Error('the town does not run yet');
    return this.town;
  }

  /** Where it goes: by mutual TLS if it authenticates or binds its tokens that way. */
  get origin(): string {
    const { auth, bound } = this.variant;
    return auth !== 'private_key_jwt' || bound === 'mtls' ? this.#running.mtlsOrigin : this.#running.issuer;
  }

  async assertion({ assertion = {}, assertionKey, unsignedAssertion }: Deviation = {}): Promise<string> {
    const { clientId } = this.variant;
    const now = seconds();
    const claims = {
      iss: clientId,
      sub: clientId,
      aud: this.#running.issuer,
      jti: randomUUID(),
      iat: now,
      exp: now + 60,
    };
    if (unsignedAssertion === true) return new UnsecuredJWT(payload({ ...claims, ...assertion })).encode();
    return new SignJWT(payload({ ...claims, ...assertion }))
      .setProtectedHeader({ alg: assertionKey?.alg ?? 'ES256', kid: assertionKey?.kid ?? 'eins' })
      .sign(assertionKey?.key ?? this.keys.privateKey);
  }

  /** The thumbprint of the key by which it binds its tokens (RFC 7638), for `dpop_jkt`. */
  async thumbprint(): Promise<string> {
    return calculateJwkThumbprint(await exportJWK(this.proofKeys.publicKey));
  }

  /** A proof for an endpoint of the issuer, where none is sent by default, or one to be spoilt. */
  proofFor(path: string, keys = this.proofKeys, token?: string): Promise<string> {
    return dpopProof(keys, token === undefined ? 'POST' : 'GET', `${this.#running.issuer}${path}`, token);
  }

  /** A POST as this client, with whatever is to be wrong. */
  async post(path: string, fields: Record<string, string | undefined>, wrong: Deviation = {}): Promise<Tokens> {
    const { auth, bound, clientId, certificate } = this.variant;
    const url = `${wrong.origin ?? this.origin}${path}`;
    const authentication =
      wrong.anonymous === true
        ? { client_id: clientId }
        : auth === 'private_key_jwt'
          ? {
              client_id: clientId,
              client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
              client_assertion: await this.assertion(wrong),
            }
          : { client_id: clientId };
    const proves = bound === 'dpop' && path === '/token' && wrong.noProof !== true;
    const proof =
      wrong.rawProof ??
      (proves ? await dpopProof(wrong.proofKey ?? this.proofKeys, 'POST', url, undefined, wrong) : '');
    return this.#send(url, {
      method: 'POST',
      body: given({ ...authentication, ...fields, ...wrong.fields }),
      headers: { accept: 'application/json', ...(proof !== '' && { dpop: proof }), ...wrong.headers },
      tls: wrong.noCertificate === true ? undefined : (wrong.certificate ?? certificate),
    });
  }

  async #send(url: string, options: Parameters<Visitor['send']>[1]): Promise<Tokens> {
    const { status, headers, text } = await new Visitor().send(url, options);
    return { status, headers, body: (text.startsWith('{') ? JSON.parse(text) : { text }) as Record<string, string> };
  }

  /** Pushes an authorization request (RFC 9126). */
  async push(proof: Pick<Pkce, 'challenge'>, wrong: Deviation = {}): Promise<Tokens> {
    const parameters: Record<string, string | undefined> = {
      client_id: this.variant.clientId,
      response_type: 'code',
      redirect_uri: this.redirectUri,
      scope: 'openid',
      state: 'zustand',
      nonce: 'einmal',
      code_challenge: proof.challenge,
      code_challenge_method: 'S256',
      ...(this.variant.signing === true && { response_mode: 'jwt' }),
      ...wrong.fields,
    };
    if (this.variant.signing !== true || wrong.unsignedRequest === true)
      return this.post('/request', parameters, { ...wrong, fields: {} });
    const now = seconds();
    const claims = { ...parameters, iss: this.variant.clientId, aud: this.#running.issuer, nbf: now, exp: now + 300 };
    if (wrong.requestAlg === 'none') {
      const request = new UnsecuredJWT(payload({ ...claims, ...wrong.request })).encode();
      return this.post('/request', { request }, { ...wrong, fields: {} });
    }
    const key = wrong.requestAlg === 'RS256' ? { key: this.rsa.privateKey, alg: 'RS256' } : wrong.requestKey;
    const request = await new SignJWT(payload({ ...claims, ...wrong.request }))
      .setProtectedHeader({ alg: key?.alg ?? 'ES256', typ: 'oauth-authz-req+jwt' })
      .sign(key?.key ?? this.keys.privateKey);
    return this.post('/request', { request }, { ...wrong, fields: {} });
  }

  /** The address to which the citizen's browser is sent. */
  authorizationUrl(requestUri: string, changes: Record<string, string> = {}): URL {
    const url = new URL('/auth', this.#running.issuer);
    url.search = new URLSearchParams({
      client_id: this.variant.clientId,
      request_uri: requestUri,
      ...changes,
    }).toString();
    return url;
  }

  /** Sends a citizen there; what comes back. */
  async visit(
    visitor: Visitor,
    url: URL,
    credentials: Credentials,
  ): Promise<{ answer: Answer; back: URLSearchParams }> {
    const first = await visitor.open(url, atHome(this.#running));
    const answer = await answerPages(this.#running, visitor, first, credentials);
    return { answer, back: returned(answer) };
  }

  /** A code for a citizen, and what is needed to redeem it. */
  async obtainCode(
    visitor: Visitor,
    credentials: Credentials,
    wrong: Deviation = {},
  ): Promise<{ back: URLSearchParams; proof: Pkce }> {
    const proof = pkce();
    const pushed = await this.push(proof, wrong);
    if (pushed.status !== 201) throw new Error(`not pushed: ${JSON.stringify(pushed.body)}`);
    const { back } = await this.visit(visitor, this.authorizationUrl(pushed.body['request_uri'] ?? ''), credentials);
    return { back, proof };
  }

  redeem(code: string | null, verifier: string, wrong: Deviation = {}): Promise<Tokens> {
    return this.post(
      '/token',
      { grant_type: 'authorization_code', code: code ?? '', redirect_uri: this.redirectUri, code_verifier: verifier },
      wrong,
    );
  }

  /** Asks userinfo as the client's own API would be asked. */
  async userinfo(token: string, wrong: Deviation = {}): Promise<Tokens> {
    const { bound, certificate } = this.variant;
    const url = `${wrong.origin ?? this.origin}/userinfo`;
    const proof =
      bound === 'dpop' && wrong.noProof !== true
        ? (wrong.rawProof ?? (await dpopProof(wrong.proofKey ?? this.proofKeys, 'GET', url, token, wrong)))
        : '';
    return this.#send(url, {
      headers: {
        accept: 'application/json',
        authorization: `${bound === 'dpop' ? 'DPoP' : 'Bearer'} ${token}`,
        ...(proof !== '' && { dpop: proof }),
        ...wrong.headers,
      },
      tls: wrong.noCertificate === true ? undefined : (wrong.certificate ?? certificate),
    });
  }
}
