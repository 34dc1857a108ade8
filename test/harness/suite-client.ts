/**
 * A client as the OpenID Foundation's conformance suite plays one: it registers itself with everything that the suite
 * registers, and looks at each answer as strictly as the suite does.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import type { ExecutionContext } from 'ava';
import {
  type CryptoKey,
  createRemoteJWKSet,
  exportJWK,
  generateKeyPair,
  type JWTPayload,
  jwtVerify,
  SignJWT,
} from 'jose';
import { atHome, type Tokens } from './relying-party.ts';
import type { RunningTown } from './town.ts';
import {
  answerPages,
  askUserinfo,
  type Credentials,
  registerTrial,
  requestUrl,
  returned,
  sendJson,
} from './trial-client.ts';
import { type Answer, Visitor } from './visitor.ts';

type Authentication = 'client_secret_basic' | 'client_secret_post' | 'private_key_jwt';
type Changes = Record<string, string | undefined>;

/** Everything that a whole sign-in gave. */
export type Visit = {
  readonly tokens: Record<string, string>;
  readonly claims: JWTPayload;
  readonly header: { readonly alg?: string | undefined; readonly kid?: string | undefined };
};

const JWT_BEARER = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
/** What an answer to an authorization request may contain (OpenID Connect Core §3.1.2.5 and §3.1.2.6, RFC 9207). */
const ANSWER = new Set(['code', 'state', 'iss']);
const REFUSAL = new Set(['error', 'error_description', 'error_uri', 'state', 'iss']);
/** RFC 6749 §4.1.2.1 and §5.2, RFC 6749 A.7 and A.8. */
const ERROR_TEXT = /^[\x20-\x21\x23-\x5B\x5D-\x7E]+$/;

const seconds = (): number => Math.floor(Date.now() / 1000);

export class SuiteClient {
  readonly town: RunningTown;
  readonly clientId: string;
  readonly redirectUri: string;
  readonly metadata: Record<string, unknown>;
  readonly credentials: Credentials;
  /** Of the keys that it signs with; changed by a test that rotates them. */
  key: { privateKey: CryptoKey; kid?: string };

  private constructor(
    town: RunningTown,
    credentials: Credentials,
    registered: Awaited<ReturnType<typeof registerTrial>>,
    key: CryptoKey,
  ) {
    this.town = town;
    this.credentials = credentials;
    this.clientId = registered.clientId;
    this.redirectUri = registered.redirectUri;
    this.metadata = registered.metadata;
    this.key = { privateKey: key };
  }

  /** What the suite sends to the registration endpoint, RSA keys included, changed by `metadata`. */
  static async register(
    town: RunningTown,
    credentials: Credentials,
    metadata: Record<string, unknown> = {},
  ): Promise<SuiteClient> {
    const { publicKey, privateKey } = await generateKeyPair('RS256', { extractable: true });
    const registered = await registerTrial(town, {
      client_name: `suite ${randomBytes(5).toString('hex')}`,
      grant_types: ['authorization_code'],
      response_types: ['code'],
      token_endpoint_auth_method: 'client_secret_basic',
      jwks: { keys: [{ ...(await exportJWK(publicKey)), use: 'sig', alg: 'RS256' }] },
      contacts: ['certification@oidf.org'],
      ...metadata,
    });
    return new SuiteClient(town, credentials, registered, privateKey);
  }

  url(changes: Changes = {}): URL {
    return requestUrl(this.town, this, changes);
  }

  /** Opens the request and follows it as far as the provider goes by itself. */
  open(visitor: Visitor, changes: Changes = {}): Promise<Answer> {
    return visitor.open(this.url(changes), atHome(this.town));
  }

  /** Answers whatever pages there are, from `first` on. */
  finish(visitor: Visitor, first: Answer): Promise<Answer> {
    return answerPages(this.town, visitor, first, this.credentials);
  }

  /** What comes back, its parameters checked: nothing but what the specifications name, and the state unchanged. */
  async authorize(t: ExecutionContext, visitor: Visitor, changes: Changes = {}): Promise<URLSearchParams> {
    const state = 'state' in changes ? changes['state'] : randomBytes(10).toString('base64url');
    const answer = await this.finish(visitor, await this.open(visitor, { ...changes, state }));
    const back = returned(answer);
    t.not(back.get('code'), null, `${back} ${answer.text}`);
    const own = new URL(this.redirectUri).searchParams;
    for (const name of back.keys()) t.true(ANSWER.has(name) || own.has(name), `unexpected in the answer: ${name}`);
    t.is(back.get('state') ?? undefined, state);
    t.is(back.get('iss'), this.town.issuer);
    return back;
  }

  /** The error that comes back by redirect; checked as far as the specifications say what it may hold. */
  refused(t: ExecutionContext, answer: Answer, state = 'zustand'): string {
    const back = returned(answer);
    t.true(String(answer.headers['location']).startsWith(this.redirectUri), `${answer.status} ${answer.text}`);
    for (const name of back.keys()) t.true(REFUSAL.has(name), `unexpected in the refusal: ${name}`);
    t.is(back.get('state'), state);
    t.is(back.get('iss'), this.town.issuer);
    t.is(back.get('code'), null);
    t.regex(back.get('error_description') ?? 'none', ERROR_TEXT);
    return back.get('error') ?? '';
  }

  /** A client assertion; its audience is the token endpoint, as OpenID Connect Core §9 has it, unless `claims` say so. */
  assertion(claims: Record<string, unknown> = {}): Promise<string> {
    const now = seconds();
    const standard = {
      iss: this.clientId,
      sub: this.clientId,
      aud: `${this.town.issuer}/token`,
      jti: randomUUID(),
      nbf: now,
      iat: now,
      exp: now + 60,
    };
    return new SignJWT({ ...standard, ...claims })
      .setProtectedHeader({ alg: 'RS256', ...(this.key.kid !== undefined && { kid: this.key.kid }) })
      .sign(this.key.privateKey);
  }

  /** A request as this client, authenticated as it has registered. */
  async post(
    fields: Record<string, string>,
    { path = '/token', assertion = {} }: { path?: string; assertion?: Record<string, unknown> } = {},
  ): Promise<Tokens> {
    const method = this.metadata['token_endpoint_auth_method'] as Authentication;
    const secret = String(this.metadata['client_secret']);
    const own: Record<Authentication, () => Promise<Record<string, string>>> = {
      client_secret_basic: async () => ({}),
      client_secret_post: async () => ({ client_id: this.clientId, client_secret: secret }),
      private_key_jwt: async () => ({
        client_assertion_type: JWT_BEARER,
        client_assertion: await this.assertion(assertion),
      }),
    };
    const authorization = `Basic ${Buffer.from(`${this.clientId}:${secret}`).toString('base64')}`;
    const { status, headers, text } = await new Visitor().send(new URL(path, this.town.issuer), {
      method: 'POST',
      body: new URLSearchParams({ ...fields, ...(await own[method]()) }),
      headers: { accept: 'application/json', ...(method === 'client_secret_basic' && { authorization }) },
    });
    return { status, headers, body: (text.startsWith('{') ? JSON.parse(text) : { text }) as Record<string, string> };
  }

  redeem(code: string | null, options: Parameters<SuiteClient['post']>[1] = {}, more = {}): Promise<Tokens> {
    const fields = { grant_type: 'authorization_code', code: code ?? '', redirect_uri: this.redirectUri, ...more };
    return this.post(fields, options);
  }

  /** The tokens of an answer of the token endpoint, and the ID token checked (OpenID Connect Core §3.1.3.3, §3.1.3.7). */
  async read(t: ExecutionContext, answer: Tokens, nonce: string | undefined): Promise<Visit> {
    t.is(answer.status, 200, JSON.stringify(answer.body));
    t.regex(String(answer.headers['content-type']), /^application\/json/);
    t.regex(String(answer.headers['cache-control']), /no-store/);
    t.is(answer.body['token_type'], 'Bearer');
    t.true(Number(answer.body['expires_in']) > 0);
    const issuer = this.town.issuer;
    const keys = createRemoteJWKSet(new URL('/jwks', issuer));
    const { payload, protectedHeader } = await jwtVerify(answer.body['id_token'] ?? '', keys, {
      issuer,
      audience: this.clientId,
      requiredClaims: ['sub', 'iat', 'exp'],
      maxTokenAge: 300,
    });
    t.is(payload['nonce'], nonce);
    return { tokens: answer.body, claims: payload, header: protectedHeader };
  }

  /** A whole sign-in: request, pages, tokens, ID token, and userinfo answers the access token. */
  async signIn(t: ExecutionContext, visitor: Visitor, changes: Changes = {}): Promise<Visit> {
    const back = await this.authorize(t, visitor, changes);
    const nonce = 'nonce' in changes ? changes['nonce'] : 'einmal';
    const answer = await this.redeem(back.get('code'));
    const visit = await this.read(t, answer, nonce);
    const info = await askUserinfo(this.town, visit.tokens['access_token'] ?? '');
    t.is(info.status, 200, JSON.stringify(info.body));
    t.is(info.body['sub'], visit.claims.sub);
    return visit;
  }

  /** Deletes the registration, as the suite does after each module. */
  async unregister(t: ExecutionContext): Promise<void> {
    const address = String(this.metadata['registration_client_uri']);
    const answer = await sendJson(address, 'DELETE', undefined, String(this.metadata['registration_access_token']));
    t.is(answer.status, 204);
  }
}
