import { createHash } from 'node:crypto';
import { IncomingMessage, type RequestListener, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type Koa from 'koa';
import { HSTS_SECONDS } from './navigation.ts';

/** Seconds for which clients may keep a document. A new signing key is published a day before its first use. */
const MAX_AGE_SECONDS = 300;
const DISCOVERY_PATHS = new Set(['/.well-known/openid-configuration', '/.well-known/oauth-authorization-server']);
const DOCUMENTS: ReadonlyMap<string, string> = new Map([
  ['/.well-known/openid-configuration', 'application/json; charset=utf-8'],
  ['/.well-known/oauth-authorization-server', 'application/json; charset=utf-8'],
  ['/jwks', 'application/jwk-set+json; charset=utf-8'],
]);

type Document = { readonly body: Buffer; readonly etag: string; readonly headers: Readonly<Record<string, string>> };

/**
 * Discovery as it is for services: that the administrators' own client has a public subject is nothing that any other
 * client could choose. `requestUris`: request objects are fetched, which oidc-provider itself cannot (any more).
 */
export const discoveryForServices =
  (requestUris: boolean) =>
  (ctx: Koa.Context): void => {
    if (!DISCOVERY_PATHS.has(ctx.path)) return;
    const body = ctx.body as Record<string, unknown> | null | undefined;
    if (typeof body === 'object' && body?.['subject_types_supported'] !== undefined) {
      body['subject_types_supported'] = ['pairwise'];
      body['request_uri_parameter_supported'] = requestUris;
      if (requestUris) body['require_request_uri_registration'] = true;
    }
  };

/** Answers a request for one of the documents; false for any other request. */
export type Documents = (req: IncomingMessage, res: ServerResponse) => boolean;

/** What the provider answers to a request of our own, without a connection. */
const ask = (handler: RequestListener, issuer: URL, path: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const req = new IncomingMessage(new Socket());
    Object.assign(req, { method: 'GET', url: path });
    req.headers = { host: issuer.host, 'x-forwarded-proto': issuer.protocol.slice(0, -1) };
    req.push(null);
    const res = new ServerResponse(req);
    res.end = ((body: unknown) => {
      if (res.statusCode === 200) resolve(String(body));
      else reject(new Error(`the provider answers ${res.statusCode} for ${path}`));
      return res;
    }) as ServerResponse['end'];
    handler(req, res);
  });

const documentOf = (text: string, type: string, secure: boolean): Document => {
  const body = Buffer.from(text);
  const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`;
  return {
    body,
    etag,
    headers: {
      'content-type': type,
      'content-length': String(body.length),
      etag,
      'cache-control': `public, max-age=${MAX_AGE_SECONDS}`,
      // Public documents: any page may read them.
      'access-control-allow-origin': '*',
      'x-content-type-options': 'nosniff',
      ...(secure && { 'strict-transport-security': `max-age=${HSTS_SECONDS}; includeSubDomains` }),
    },
  };
};

/** Whether a weak or strong tag, or any, is among those that the client has (RFC 9110 §13.1.2). */
const matches = (header: string | undefined, etag: string): boolean =>
  header !== undefined &&
  (header === etag || header === '*' || header.split(',').some((one) => one.trim().replace(/^W\//, '') === etag));

/**
 * Discovery and JWKS as the provider writes them, serialised once: they are what clients ask for most, change with the
 * signing keys only, and are answered while the database is away.
 */
export async function createDocuments(handler: RequestListener, issuer: URL): Promise<Documents> {
  const documents = new Map<string, Document>();
  for (const [path, type] of DOCUMENTS)
    documents.set(path, documentOf(await ask(handler, issuer, path), type, issuer.protocol === 'https:'));

  return (req, res) => {
    const document = documents.get(req.url ?? '');
    if (document === undefined || (req.method !== 'GET' && req.method !== 'HEAD')) return false;
    if (matches(req.headers['if-none-match'], document.etag)) {
      const { 'content-length': _length, 'content-type': _type, ...headers } = document.headers;
      res.writeHead(304, headers).end();
    } else {
      res.writeHead(200, document.headers);
      res.end(req.method === 'HEAD' ? undefined : document.body);
    }
    return true;
  };
}
