import type { IncomingMessage, ServerResponse } from 'node:http';
import ipaddr from 'ipaddr.js';
import { catalogueAddress } from '../interactions/entwickler/catalogue.ts';
import { CERTIFICATE_HEADERS, noteMutualTls, servedByMutualTls } from './mtls.ts';

type Network = ReturnType<typeof ipaddr.parseCIDR>;

/** Headers that only a trusted proxy may set, and that nothing behind this guard reads from outside. */
const FORWARDING_HEADERS = [
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-forwarded-prefix',
  'x-real-ip',
  'x-original-url',
  'x-rewrite-url',
] as const;

/**
 * Larger than anything that an endpoint takes, but for the administrators' own (audit checkpoints), which has a limit of
 * its own. oidc-provider itself stops at 56 KiB, but without reading on.
 */
const BODY_LIMIT_BYTES = 128 * 1024;

const ADMIN_PREFIX = '/admin/api/';

/** Paths that monitoring asks for by address, without knowing the issuer's name. */
const HOSTLESS_PATHS = new Set(['/healthz', '/readyz']);

/** An address as it is written canonically, and whether it is a proxy's; undefined for what is no address. */
type Judged = { readonly text: string; readonly trusted: boolean } | undefined;

const JUDGEMENTS_KEPT = 10_000;

/** Tells of addresses whether they are a proxy's, and remembers it: parsing one costs more than the rest of the guard. */
const judge = (trusted: readonly Network[]): ((address: string) => Judged) => {
  const known = new Map<string, Judged>();
  return (address) => {
    if (known.has(address)) return known.get(address);
    let judged: Judged;
    if (ipaddr.isValid(address)) {
      const parsed = ipaddr.process(address);
      const inside = trusted.some(([range, bits]) => range.kind() === parsed.kind() && parsed.match(range, bits));
      judged = { text: parsed.toString(), trusted: inside };
    }
    if (known.size >= JUDGEMENTS_KEPT) known.clear();
    known.set(address, judged);
    return judged;
  };
};

/**
 * Finds the citizen's address: the last hop in `X-Forwarded-For` that is no trusted proxy, and only when the peer itself
 * is one. Whatever else stands in the header was written by the client.
 */
const clientAddress = (peer: string, forwardedFor: string, judged: (address: string) => Judged): string => {
  let address = judged(peer);
  const hops = forwardedFor.split(',').map((hop) => hop.trim());
  while (address?.trusted === true) {
    const hop = judged(hops.pop() ?? '');
    if (hop === undefined) break;
    address = hop;
  }
  return address?.text ?? 'unknown';
};

/** In plain text: no page is made for what did not come by the provider's name. */
const refusing =
  (issuer: URL) =>
  (res: ServerResponse, status: number, code: string, text: string): void => {
    res.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' });
    res.end(`${code}: ${text}\n${new URL(catalogueAddress(code) ?? '/', issuer).href}\n`);
  };

/**
 * The first look at a request. A host other than the issuer's is refused (links, redirects and cookies always follow the
 * issuer), and what the request says about its own origin is replaced by what the operator configured.
 *
 * @param mtlsOrigin where clients with certificates reach some endpoints, if anywhere
 * @param trustedProxies CIDR ranges whose `X-Forwarded-For` is believed
 * @returns the guard: the citizen's address, or undefined when it has answered the request itself
 */
export function createGuard(issuer: URL, trustedProxies: readonly string[], mtlsOrigin?: URL) {
  const judged = judge(trustedProxies.map((range) => ipaddr.parseCIDR(range)));
  const refuse = refusing(issuer);
  const scheme = issuer.protocol.slice(0, -1);

  return (req: IncomingMessage, res: ServerResponse): string | undefined => {
    const url = req.url ?? '';
    // An absolute-form target would become the base of every URL that Koa builds.
    if (!url.startsWith('/')) {
      refuse(res, 400, 'bad_request_target', 'the request target must be a path');
      return undefined;
    }
    const [path = ''] = url.split('?', 1);
    const byMutualTls = mtlsOrigin !== undefined && req.headers.host === mtlsOrigin.host && servedByMutualTls(path);
    if (req.headers.host !== issuer.host && !byMutualTls && !HOSTLESS_PATHS.has(path)) {
      refuse(res, 421, 'unknown_host', `this server answers for ${issuer.origin} only`);
      return undefined;
    }
    if (Number(req.headers['content-length'] ?? 0) > BODY_LIMIT_BYTES && !path.startsWith(ADMIN_PREFIX)) {
      // Read to the end, or a proxy that is still sending would see a broken connection instead of the answer.
      req.resume();
      res.setHeader('connection', 'close');
      refuse(res, 413, 'body_too_large', `at most ${BODY_LIMIT_BYTES} bytes are accepted`);
      return undefined;
    }
    const address = clientAddress(req.socket.remoteAddress ?? '', String(req.headers['x-forwarded-for'] ?? ''), judged);
    // Taken out only where there is one: an object that something was deleted from is slow ever after.
    for (const name of FORWARDING_HEADERS) if (req.headers[name] !== undefined) delete req.headers[name];
    // A certificate counts only as the proxy's word, and only where the proxy asks for certificates.
    if (!byMutualTls || judged(req.socket.remoteAddress ?? '')?.trusted !== true) {
      for (const name of CERTIFICATE_HEADERS) if (req.headers[name] !== undefined) delete req.headers[name];
    }
    if (byMutualTls) noteMutualTls(req);
    req.headers.host = issuer.host;
    req.headers['x-forwarded-proto'] = scheme;
    return address;
  };
}
