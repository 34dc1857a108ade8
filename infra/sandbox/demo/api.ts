import type { IncomingMessage, ServerResponse } from 'node:http';
import { createRemoteJWKSet, type JWTPayload, jwtVerify } from 'jose';

/** All that an API knows: whose tokens it takes, its own name, and what sign-in it asks for. */
export type DemoApiOptions = {
  readonly issuer: string;
  readonly jwksUri: string;
  /** The `identifier` of its registration. */
  readonly audience: string;
  readonly scope: string;
  /** Levels that will do, the one to ask for first. */
  readonly acrValues: readonly [string, ...string[]];
  readonly maxAgeSeconds: number;
};

/** An API as a service of its organisation knows it. */
export type DemoApiPlace = { readonly url: URL; readonly audience: string; readonly scope: string };

/** Clocks of two machines. */
const TOLERANCE_SECONDS = 10;

type Refusal = { readonly status: 401 | 403; readonly challenge: Readonly<Record<string, string>> };

/**
 * An API as any vendor could have written it: it checks JWT access tokens by itself (RFC 9068 §4) and asks for a stronger
 * or fresher sign-in where the one behind the token will not do (RFC 9470 §3).
 */
export const demoApi = (options: DemoApiOptions) => {
  const keys = createRemoteJWKSet(new URL(options.jwksUri));

  const judge = ({ acr, auth_time: authTime, scope }: JWTPayload): Refusal | undefined => {
    if (!String(scope).split(' ').includes(options.scope)) {
      return { status: 403, challenge: { error: 'insufficient_scope', scope: options.scope } };
    }
    const [wanted] = options.acrValues;
    const age = Date.now() / 1000 - Number(authTime ?? 0);
    const strong = typeof acr === 'string' && options.acrValues.includes(acr);
    if (strong && age <= options.maxAgeSeconds + TOLERANCE_SECONDS) return undefined;
    const error_description = strong ? 'the sign-in is too old' : 'a stronger sign-in is needed';
    return {
      status: 401,
      challenge: {
        error: 'insufficient_user_authentication',
        error_description,
        acr_values: wanted,
        max_age: String(options.maxAgeSeconds),
      },
    };
  };

  const check = async (req: IncomingMessage): Promise<JWTPayload | Refusal> => {
    const [, token] = /^Bearer ([\w.~+/-]+=*)$/.exec(req.headers.authorization ?? '') ?? [];
    if (token === undefined) return { status: 401, challenge: {} };
    try {
      const { issuer, audience } = options;
      const { payload } = await jwtVerify(token, keys, { issuer, audience, typ: 'at+jwt' });
      return judge(payload) ?? payload;
    } catch {
      return { status: 401, challenge: { error: 'invalid_token' } };
    }
  };

  return async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const checked = await check(req);
    res.setHeader('cache-control', 'no-store').setHeader('content-type', 'application/json');
    if ('challenge' in checked) {
      const { status, challenge } = checked as Refusal;
      const parameters = Object.entries(challenge).map(([name, value]) => `${name}="${value}"`);
      res.setHeader('www-authenticate', ['Bearer', parameters.join(', ')].filter(Boolean).join(' '));
      res.writeHead(status).end(JSON.stringify(challenge));
      return;
    }
    // The specimen IBAN of the German Bundesbank.
    res.end(
      JSON.stringify({ iban: 'DE02 1203 0000 0000 2020 51', acr: checked['acr'], auth_time: checked['auth_time'] }),
    );
  };
};

/** The parameters of a `WWW-Authenticate: Bearer` challenge (RFC 6750 §3). */
export const challengeOf = (header: string | null): Readonly<Record<string, string>> =>
  Object.fromEntries(
    [...(header ?? '').matchAll(/([a-z_]+)="([^"\\]*)"/g)].map(([, name = '', value = '']) => [name, value]),
  );
