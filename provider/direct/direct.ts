import type { IncomingMessage, ServerResponse } from 'node:http';
import { withPatience } from '../../adapters/patience.ts';
import { type AuthorizationParts, authorization, REDIRECT_HEADERS } from './authorization.ts';
import { type Answer, FOR_ALL_ORIGINS, JSON_HEADERS } from './call.ts';
import { formLength, giveBack, readBody } from './form.ts';
import { introspection } from './introspection.ts';
import { token } from './token.ts';
import { bearerToken, userinfo } from './userinfo.ts';

export type DirectDeps = AuthorizationParts & {
  /** Of every answer. */
  readonly headers: readonly (readonly [string, string])[];
};

/** Whatever came of it: an answer has gone out, or oidc-provider goes on; with a failure it has to be told as well. */
export type Outcome = 'answered' | 'elsewhere' | { readonly failure: unknown };

type Way = { readonly part: 'whole' | 'status'; readonly work: (body: Buffer) => Promise<Answer | undefined> };

export type DirectAnswers = {
  /** What answers a request here; undefined for what is oidc-provider's from the start. */
  find(req: IncomingMessage): Way | undefined;
  /** `id`: under which the request is logged. */
  answer(way: Way, req: IncomingMessage, res: ServerResponse, id: string): Promise<Outcome>;
};

/** With one of these, more is asked for than is answered here (RFC 9449, RFC 8705, CORS). */
const SPECIAL = ['dpop', 'origin', 'client-cert', 'oauth-client-attestation', 'oauth-client-attestation-pop'] as const;

const AUTHORIZATION = '/auth?';
const isAuthorization = ({ url = '' }: IncomingMessage): boolean => url.startsWith(AUTHORIZATION);
const NO_BODY = Buffer.alloc(0);
/** Nothing is undone: what is refused here was refused before anything was stored, or by the store as a whole. */
const NEVER = (): boolean => false;

/**
 * Answers what applications ask for all day in its plainest form, without the detour over Koa, routes and some twenty
 * pieces of middleware; by oidc-provider's own models, settings and policy. Every request that asks for more, and every
 * one that would be refused, is oidc-provider's: decision 0033.
 */
export const createDirect = (deps: DirectDeps): DirectAnswers => {
  const { store } = deps;
  const ways = {
    userinfo: userinfo(deps),
    introspection: introspection(deps),
    token: token(deps),
    authorization: authorization(deps),
  };
  const common = deps.headers.flat();
  const kinds = {
    json: { status: 200, fixed: [...JSON_HEADERS, ...common] },
    redirect: { status: 303, fixed: [...REDIRECT_HEADERS, ...common] },
  } as const;

  const wayOf = (req: IncomingMessage): Way | undefined => {
    const { method, url = '' } = req;
    if (method === 'GET') {
      if (isAuthorization(req)) {
        const query = url.slice(AUTHORIZATION.length);
        return { part: 'whole', work: () => ways.authorization(req, query) };
      }
      const value = url === '/userinfo' ? bearerToken(req) : undefined;
      return value === undefined ? undefined : { part: 'whole', work: () => ways.userinfo(req, value) };
    }
    if (method !== 'POST' || formLength(req) === undefined) return undefined;
    if (url === '/token') return { part: 'status', work: (body) => ways.token(req, body) };
    if (url === '/token/introspection') return { part: 'status', work: (body) => ways.introspection(req, body) };
    return undefined;
  };

  return {
    find(req) {
      return SPECIAL.some((name) => req.headers[name] !== undefined) ? undefined : wayOf(req);
    },

    async answer({ part, work }, req, res, id) {
      const body = req.method === 'POST' ? await readBody(req) : NO_BODY;
      try {
        const whole = body.length === Number(req.headers['content-length'] ?? 0);
        const inStore = () => store.inRequest(() => work(body), NEVER, part);
        const answer = whole ? await withPatience(inStore) : undefined;
        if (answer !== undefined) {
          const { status, fixed } = kinds[answer.kind];
          const length = String(Buffer.byteLength(answer.body));
          res.writeHead(status, fixed.concat('X-Request-Id', id, 'Content-Length', length, answer.headers));
          res.end(answer.body);
          return 'answered';
        }
        if (req.method === 'POST') giveBack(req, body);
        return 'elsewhere';
      } catch (failure) {
        if (req.method === 'POST') giveBack(req, body);
        if (!isAuthorization(req)) for (const [name, value] of FOR_ALL_ORIGINS) res.setHeader(name, value);
        return { failure };
      }
    },
  };
};
