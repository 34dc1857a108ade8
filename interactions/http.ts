import type { IncomingMessage } from 'node:http';
import type Koa from 'koa';
import * as attempts from '../accounts/attempts.ts';
import type { Context } from '../accounts/context.ts';
import type { Town } from '../accounts/town.ts';
import type { Keys } from '../keys/keys.ts';
import { errorPage, type PageError } from './errors.view.ts';
import { type Form, parseForm } from './form.ts';
import { LANGUAGE_COOKIE, languageOf } from './language.ts';
import type { Shell } from './layout.view.ts';
import { readBody } from './request-body.ts';

const BODY_LIMIT_BYTES = 16 * 1024;
const LANGUAGE_COOKIE_DAYS = 365;
const DAY_MILLISECONDS = 86_400_000;

const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "style-src 'self'",
  "font-src 'self'",
  "img-src 'self' data:",
  "script-src 'self'",
  "connect-src 'self'",
  "form-action 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
].join('; ');

const PERMISSIONS_POLICY = [
  'camera=()',
  'geolocation=()',
  'microphone=()',
  'payment=()',
  'usb=()',
  'publickey-credentials-create=(self)',
  'publickey-credentials-get=(self)',
].join(', ');

/** How many forms one address (IPv6: one prefix) may send. Whole libraries and mobile networks share an address. */
const FORMS_PER_ADDRESS = { limit: 600, windowSeconds: 300 } as const;

/** What no answer may let a browser do, whoever gives it. */
export const SAFE_HEADERS: Readonly<Record<string, string>> = {
  'Content-Security-Policy': CONTENT_SECURITY_POLICY,
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
};

/** The headers that every page has; for pages outside of this folder too. */
const PAGE_HEADERS: Record<string, string> = {
  ...SAFE_HEADERS,
  'Permissions-Policy': PERMISSIONS_POLICY,
  'Cross-Origin-Resource-Policy': 'same-origin',
  'X-Robots-Tag': 'noindex',
  'Cache-Control': 'no-store',
};

/** Answers with a page. */
export const sendPage = (ctx: Koa.Context, status: number, page: string): void => {
  ctx.set(PAGE_HEADERS);
  ctx.status = status;
  ctx.type = 'text/html; charset=utf-8';
  ctx.body = page;
};

/** Directives of the Content-Security-Policy that a page needs otherwise; undefined takes one out. */
export type PolicyChanges = Readonly<Record<string, string | undefined>>;

/** Changes single directives of the policy that a page was sent with. */
export const changePolicy = (ctx: Koa.Context, changes: PolicyChanges): void => {
  const policy = ctx.response.get('Content-Security-Policy').split('; ');
  const kept = policy.filter((directive) => !Object.hasOwn(changes, directive.split(' ', 1)[0] ?? ''));
  const added = Object.entries(changes).flatMap(([name, value]) => (value === undefined ? [] : [`${name} ${value}`]));
  ctx.set('Content-Security-Policy', [...kept, ...added].join('; '));
};

/** Answers with an error page, and `Retry-After` where a later try may succeed. */
export const sendError = (ctx: Koa.Context, shell: Shell, error: PageError): void => {
  if (error.retryAfterSeconds !== undefined) ctx.set('Retry-After', String(error.retryAfterSeconds));
  sendPage(ctx, error.status, errorPage(shell, error));
};

/** The surroundings of a page that answers this request; `uiLocales` as the service sent it. */
export const shellOf = (
  ctx: Koa.Context,
  deps: { readonly town: Town; readonly sandbox?: { readonly inboxUrl: string } | undefined },
  uiLocales?: unknown,
): Shell => ({
  town: deps.town,
  sandbox: deps.sandbox,
  language: languageOf(ctx, deps.town.languages, uiLocales),
  path: ctx.method === 'GET' || ctx.method === 'HEAD' ? ctx.path : undefined,
});

type HttpDeps = {
  readonly context: () => Context;
  readonly town: Town;
  readonly issuer: URL;
  readonly sandbox?: { readonly inboxUrl: string };
  readonly clientAddress: (ctx: Koa.Context) => string;
  readonly formsPerAddress?: { readonly limit: number; readonly windowSeconds: number };
};

export type Params = Readonly<Record<string, string>>;
type Get = (ctx: Koa.Context, params: Params) => Promise<void>;
type Post = (ctx: Koa.Context, params: Params, form: Form) => Promise<void>;
type Receive = (ctx: Koa.Context, fields: URLSearchParams) => Promise<void>;
/** What the form token is bound to; undefined if this browser has nothing to bind it to any more. */
type TokenOf = (ctx: Koa.Context, params: Params) => Promise<string | undefined>;
type Route = {
  readonly pattern: RegExp;
  readonly get?: Get;
  readonly post?: Post;
  readonly tokenOf?: TokenOf;
  /** A POST from another site. */
  readonly receive?: { readonly limit: number; readonly handle: Receive };
  /** A POST that somebody else answers. */
  readonly counted?: true;
};

/** The interaction that the address names. */
const ofInteraction: TokenOf = async (_ctx, params) => params['uid'] ?? '';

/** `/interaction/:uid/:action` → a pattern with named groups; `:name*` takes the rest of the path. */
const patternOf = (path: string): RegExp =>
  new RegExp(`^${path.replaceAll(/:(\w+)\*/g, '(?<$1>.+)').replaceAll(/:(\w+)/g, '(?<$1>[A-Za-z0-9_-]{1,64})')}$`);

/**
 * Whether the browser says that the form came from our own pages. `Sec-Fetch-Site` cannot be forged by a page; where it
 * is absent, `Origin` decides, which is `null` for same-origin forms too under `Referrer-Policy: no-referrer` (Fetch
 * Standard, "serialized request origin"). Clients that send neither have the form token alone.
 */
export const cameFromUs = (headers: IncomingMessage['headers'], issuer: URL): boolean => {
  const site = headers['sec-fetch-site'];
  if (site !== undefined) return site === 'same-origin';
  const { origin } = headers;
  return origin === undefined || origin === 'null' || origin === issuer.origin;
};

const refuse = (kind: PageError['kind'], status: number, code: string, detail?: string): PageError => ({
  kind,
  status,
  code,
  detail,
});

/**
 * Where pages are registered. Whatever is registered is protected: no-store, CSP and the other headers on each answer;
 * on a POST also origin and form token, media type, size, plain fields and the rate limit, before its handler runs.
 */
export const createRegistrar = (deps: HttpDeps) => {
  const routes: Route[] = [];

  const bodyOf = async (ctx: Koa.Context, limit: number): Promise<Buffer | PageError> => {
    if (ctx.is('application/x-www-form-urlencoded') === false || ctx.get('Content-Encoding') !== '')
      return refuse('badRequest', 415, 'unsupported_media_type', 'application/x-www-form-urlencoded is expected');
    const body = await readBody(ctx.req, limit);
    if (body !== undefined) return body;
    ctx.set('Connection', 'close');
    return refuse('tooLarge', 413, 'body_too_large', `at most ${limit} bytes are accepted`);
  };

  const checkPost = async (ctx: Koa.Context, binding: string | undefined, keys: Keys): Promise<Form | PageError> => {
    if (!cameFromUs(ctx.headers, deps.issuer)) return refuse('forbidden', 403, 'foreign_origin');
    const body = await bodyOf(ctx, BODY_LIMIT_BYTES);
    if (!Buffer.isBuffer(body)) return body;
    const parsed = parseForm(body);
    if (parsed.outcome === 'malformed') return refuse('badRequest', 400, 'malformed_form', parsed.reason);
    if (binding === undefined || !keys.checkFormToken(binding, parsed.form.text('token')))
      return refuse('forbidden', 403, 'wrong_form_token');
    return parsed.form;
  };

  /** Whether the address may send another form now; answers the request itself if not. */
  const reserveForm = async (ctx: Koa.Context, shell: Shell): Promise<boolean> => {
    const domain = deps.context();
    const reserved = await attempts.reserve(domain, [
      {
        kind: 'address',
        key: `form ${attempts.addressPrefix(deps.clientAddress(ctx))}`,
        ...(deps.formsPerAddress ?? FORMS_PER_ADDRESS),
      },
    ]);
    if (reserved.outcome === 'wait') {
      const seconds = Math.max(1, Math.ceil((reserved.until.getTime() - domain.now().getTime()) / 1000));
      sendError(ctx, shell, { ...refuse('tooMany', 429, 'too_many_requests'), retryAfterSeconds: seconds });
      return false;
    }
    return true;
  };

  /** Other sites have no form token: what they send is believed for its own signature or not at all. */
  const answerReceive = async (ctx: Koa.Context, { limit, handle }: NonNullable<Route['receive']>): Promise<void> => {
    const shell = shellOf(ctx, deps);
    const body = await bodyOf(ctx, limit);
    if (!Buffer.isBuffer(body)) return sendError(ctx, shell, body);
    const fields = new URLSearchParams(body.toString('utf8'));
    if ([...fields.keys()].length !== new Set(fields.keys()).size)
      return sendError(ctx, shell, refuse('badRequest', 400, 'malformed_form', 'a field was sent twice'));
    if (!(await reserveForm(ctx, shell))) return;
    return handle(ctx, fields);
  };

  const answerPost = async (ctx: Koa.Context, params: Params, post: Post, tokenOf: TokenOf): Promise<void> => {
    const shell = shellOf(ctx, deps);
    const domain = deps.context();
    const form = await checkPost(ctx, await tokenOf(ctx, params), domain.keys);
    if (!('text' in form)) return sendError(ctx, shell, form);
    if (!(await reserveForm(ctx, shell))) return;
    return post(ctx, params, form);
  };

  const keepLanguage = (ctx: Koa.Context): void => {
    if (typeof ctx.query['lang'] !== 'string') return;
    const secure = deps.issuer.protocol === 'https:';
    const parts = [`${LANGUAGE_COOKIE}=${languageOf(ctx, deps.town.languages)}`, 'Path=/', 'HttpOnly', 'SameSite=Lax'];
    ctx.append(
      'Set-Cookie',
      [...parts, `Max-Age=${(LANGUAGE_COOKIE_DAYS * DAY_MILLISECONDS) / 1000}`, ...(secure ? ['Secure'] : [])].join(
        '; ',
      ),
    );
  };

  const middleware: Koa.Middleware = async (ctx, next) => {
    for (const { pattern, get, post, receive, counted, tokenOf = ofInteraction } of routes) {
      const match = pattern.exec(ctx.path);
      if (match === null) continue;
      const params: Params = { ...match.groups };
      const reading = ctx.method === 'GET' || ctx.method === 'HEAD';
      if (reading && get !== undefined) {
        ctx.set(PAGE_HEADERS);
        keepLanguage(ctx);
        return get(ctx, params);
      }
      if (ctx.method === 'POST' && post !== undefined) {
        ctx.set(PAGE_HEADERS);
        return answerPost(ctx, params, post, tokenOf);
      }
      if (ctx.method === 'POST' && receive !== undefined) {
        ctx.set(PAGE_HEADERS);
        return answerReceive(ctx, receive);
      }
      if (ctx.method === 'POST' && counted && !(await reserveForm(ctx, shellOf(ctx, deps)))) return;
    }
    return next();
  };

  return {
    get: (path: string, get: Get): void => void routes.push({ pattern: patternOf(path), get }),
    post: (path: string, post: Post, tokenOf: TokenOf = ofInteraction): void =>
      void routes.push({ pattern: patternOf(path), post, tokenOf }),
    /** Registers what other sites post, of at most `limit` bytes. */
    receive: (path: string, limit: number, handle: Receive): void =>
      void routes.push({ pattern: patternOf(path), receive: { limit, handle } }),
    /** Counts the forms that are sent to a page of the provider's own: no address may guess without end. */
    count: (path: string): void => void routes.push({ pattern: patternOf(path), counted: true }),
    middleware,
  };
};
