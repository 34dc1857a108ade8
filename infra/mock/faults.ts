import type { IncomingMessage, ServerResponse } from 'node:http';
import { decodeJwt, decodeProtectedHeader, importJWK, type JWTPayload, SignJWT } from 'jose';
import type { Context } from '../../accounts/context.ts';
import * as signingKeys from '../../accounts/signing-keys.ts';

/** Where something can go wrong, by path. */
const ENDPOINTS = {
  discovery: '/.well-known/openid-configuration',
  jwks: '/jwks',
  authorization: '/auth',
  par: '/request',
  token: '/token',
  userinfo: '/userinfo',
  introspection: '/token/introspection',
  revocation: '/token/revocation',
  logout: '/session/end',
} as const;
type Endpoint = keyof typeof ENDPOINTS;

/** What is wrong with the ID token of the next answer, so that a service can show that it notices. */
const ID_TOKEN_FAULTS = ['signature', 'nonce', 'audience', 'issuer', 'expired', 'subject'] as const;
type IdTokenFault = (typeof ID_TOKEN_FAULTS)[number];

export type Fault = {
  readonly endpoint: Endpoint;
  /** `invalid_grant`, `temporarily_unavailable` … */
  readonly error?: string;
  readonly status?: number;
  readonly delayMs?: number;
  readonly idToken?: IdTokenFault;
  /** How often; then all is well again. */
  readonly times: number;
};

const HEADER = 'x-mock-fault';
const MAX_DELAY_MS = 120_000;

const STATUS: Readonly<Record<string, number>> = {
  server_error: 500,
  temporarily_unavailable: 503,
  invalid_client: 401,
  invalid_token: 401,
  insufficient_scope: 403,
};

/** A fault as a test orders it; what is wrong with the order otherwise. */
export const readFault = (body: Record<string, unknown>): Fault | { fault: string } => {
  const { endpoint, error, status, delayMs, idToken, times = 1 } = body;
  if (typeof endpoint !== 'string' || !Object.hasOwn(ENDPOINTS, endpoint))
    return { fault: `endpoint: one of ${Object.keys(ENDPOINTS).join(', ')}` };
  if (error !== undefined && (typeof error !== 'string' || !/^[a-z_]{3,60}$/.test(error)))
    return { fault: 'error: a code like invalid_grant' };
  if (status !== undefined && !(Number.isInteger(status) && Number(status) >= 400 && Number(status) < 600))
    return { fault: 'status: 400 to 599' };
  if (delayMs !== undefined && !(Number(delayMs) >= 0 && Number(delayMs) <= MAX_DELAY_MS))
    return { fault: `delayMs: 0 to ${MAX_DELAY_MS}` };
  if (idToken !== undefined && !ID_TOKEN_FAULTS.some((one) => one === idToken))
    return { fault: `idToken: one of ${ID_TOKEN_FAULTS.join(', ')}` };
  if (!(Number.isInteger(times) && Number(times) >= 1)) return { fault: 'times: 1 or more' };
  return {
    endpoint: endpoint as Endpoint,
    times: Number(times),
    ...(error !== undefined && { error: error as string }),
    ...(status !== undefined && { status: Number(status) }),
    ...(delayMs !== undefined && { delayMs: Number(delayMs) }),
    ...(idToken !== undefined && { idToken: idToken as IdTokenFault }),
  };
};

/** Lets requests go wrong as ordered, each order as often as it says. */
export class Faults {
  #ordered: Fault[] = [];
  readonly #context: () => Context;

  constructor(context: () => Context) {
    this.#context = context;
  }

  order(fault: Fault): void {
    this.#ordered.push(fault);
  }

  get ordered(): readonly Fault[] {
    return this.#ordered;
  }

  reset(): void {
    this.#ordered = [];
  }

  #take(req: IncomingMessage): Fault | undefined {
    const path = (req.url ?? '').split('?', 1)[0];
    const endpoint = (Object.keys(ENDPOINTS) as Endpoint[]).find((name) => ENDPOINTS[name] === path);
    if (endpoint === undefined) return undefined;
    const header = req.headers[HEADER];
    if (typeof header === 'string') {
      const idToken = ID_TOKEN_FAULTS.find((one) => header === `id_token:${one}`);
      return { endpoint, times: 1, ...(idToken === undefined ? { error: header } : { idToken }) };
    }
    const found = this.#ordered.find((one) => one.endpoint === endpoint);
    if (found === undefined) return undefined;
    this.#ordered = this.#ordered.flatMap((one) =>
      one !== found ? [one] : one.times > 1 ? [{ ...one, times: one.times - 1 }] : [],
    );
    return found;
  }

  /** Answers a request that is to fail; false if it goes on, perhaps later or to an answer that will be wrong. */
  async answer(req: IncomingMessage, res: ServerResponse): Promise<boolean> {
    const fault = this.#take(req);
    if (fault === undefined) return false;
    if (fault.delayMs !== undefined) await new Promise((resolve) => setTimeout(resolve, fault.delayMs));
    if (fault.idToken !== undefined) this.#spoil(res, fault.idToken);
    if (fault.error === undefined && fault.status === undefined) return false;
    const error = fault.error ?? 'server_error';
    const status = fault.status ?? STATUS[error] ?? 400;
    req.resume();
    res.writeHead(status, {
      'content-type': 'application/json; charset=utf-8',
      'cache-control': 'no-store',
      ...(status === 401 && { 'www-authenticate': `Bearer error="${error}"` }),
      ...(status === 503 && { 'retry-after': '1' }),
    });
    res.end(JSON.stringify({ error, error_description: 'as the mock was told' }));
    return true;
  }

  /** Puts another ID token into the answer when it is written. */
  #spoil(res: ServerResponse, fault: IdTokenFault): void {
    const end = res.end.bind(res) as (body?: unknown) => ServerResponse;
    res.end = ((body: unknown) => {
      const text = Buffer.isBuffer(body) ? body.toString() : String(body ?? '');
      void this.#spoiled(text, fault).then((changed) => {
        if (!res.headersSent) res.setHeader('content-length', Buffer.byteLength(changed));
        end(changed);
      });
      return res;
    }) as ServerResponse['end'];
  }

  async #spoiled(text: string, fault: IdTokenFault): Promise<string> {
    if (!text.startsWith('{')) return text;
    const body = JSON.parse(text) as { id_token?: string };
    if (body.id_token === undefined) return text;
    return JSON.stringify({ ...body, id_token: await this.#wrong(body.id_token, fault) });
  }

  async #wrong(token: string, fault: IdTokenFault): Promise<string> {
    if (fault === 'signature') {
      const [header, payload, signature = ''] = token.split('.');
      return [header, payload, Buffer.from(signature, 'base64url').reverse().toString('base64url')].join('.');
    }
    const changes: Record<Exclude<IdTokenFault, 'signature'>, JWTPayload> = {
      nonce: { nonce: 'of-another-sign-in' },
      audience: { aud: 'anotherservice' },
      issuer: { iss: 'https://another.example' },
      expired: { iat: 1_700_000_000, exp: 1_700_000_600 },
      subject: { sub: 'somebody-else' },
    };
    const header = decodeProtectedHeader(token);
    const key = (await signingKeys.load(this.#context())).find(({ kid }) => kid === header.kid);
    if (key === undefined) throw new Error('the key of the ID token is gone');
    return new SignJWT({ ...decodeJwt(token), ...changes[fault] })
      .setProtectedHeader({ ...header, alg: key.alg })
      .sign(await importJWK(key.privateJwk, key.alg));
  }
}
