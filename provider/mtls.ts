import { X509Certificate } from 'node:crypto';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { Configuration, KoaContextWithOIDC, Provider } from 'oidc-provider';
import type { Registration } from '../accounts/town.ts';

type MutualTls = NonNullable<NonNullable<Configuration['features']>['mTLS']>;

/**
 * What the proxy that ends TLS says about the client's certificate: the certificate (RFC 9440, or percent-encoded PEM as
 * nginx's `$ssl_client_escaped_cert`), and `SUCCESS` where it has verified the chain (nginx's `$ssl_client_verify`).
 * The guard removes both unless a trusted proxy sent them to the host for mutual TLS.
 */
export const CERTIFICATE_HEADERS = ['client-cert', 'client-cert-verify'] as const;

/** Whether a service cannot do without a host for mutual TLS. */
export const needsMutualTls = ({ authMethod, boundTokens }: Registration): boolean =>
  authMethod === 'tls_client_auth' || authMethod === 'self_signed_tls_client_auth' || boundTokens === 'mtls';

/** The endpoints that are reached by mutual TLS (RFC 8705 §5), by their names in discovery. */
const ENDPOINTS = {
  token_endpoint: '/token',
  revocation_endpoint: '/token/revocation',
  introspection_endpoint: '/token/introspection',
  pushed_authorization_request_endpoint: '/request',
  device_authorization_endpoint: '/device/auth',
  userinfo_endpoint: '/userinfo',
} as const;

const PATHS: ReadonlySet<string> = new Set(Object.values(ENDPOINTS));

/** Whether a path is served at the host for mutual TLS. Pages are not: browsers would ask citizens for certificates. */
export const servedByMutualTls = (path: string): boolean => PATHS.has(path);

/** For discovery: where those endpoints are reached by mutual TLS. */
export const endpointAliases = (origin: URL): Record<string, string> =>
  Object.fromEntries(Object.entries(ENDPOINTS).map(([name, path]) => [name, new URL(path, origin).href]));

/** Requests that came to the host for mutual TLS; the guard has put the issuer's name in the place of that host's. */
const arrived = new WeakSet<IncomingMessage>();

/** Notes that a request came to the host for mutual TLS. */
export const noteMutualTls = (req: IncomingMessage): void => void arrived.add(req);

type UrlFor = (name: string, options?: object) => string;
type OidcContext = { ctx: { req: IncomingMessage }; route: string; urlFor: UrlFor };

/**
 * A proof of possession names the address that the request was sent to (RFC 9449 §4.3, `htu`), and that is the alias
 * where the request came there. oidc-provider compares with what it calls its own endpoint.
 */
export function nameAliases(provider: Provider, origin: URL | undefined): void {
  if (origin === undefined) return;
  const { prototype } = (provider as unknown as { OIDCContext: { prototype: OidcContext } }).OIDCContext;
  const { urlFor } = prototype;
  prototype.urlFor = function (this: OidcContext, name, options) {
    const address = urlFor.call(this, name, options);
    if (name !== this.route || !arrived.has(this.ctx.req)) return address;
    return new URL(new URL(address).pathname, origin).href;
  };
}

/** The certificate in a header; undefined if there is none that can be read. */
export function certificateIn(headers: IncomingHttpHeaders): X509Certificate | undefined {
  const value = headers['client-cert'];
  if (typeof value !== 'string' || value === '') return undefined;
  try {
    // RFC 9440 §2.1: a byte sequence of structured fields, base64 between colons.
    const der = /^:([A-Za-z0-9+/=]+):$/.exec(value)?.[1];
    return new X509Certificate(der === undefined ? decodeURIComponent(value) : Buffer.from(der, 'base64'));
  } catch {
    return undefined;
  }
}

const inForce = (certificate: X509Certificate, now: Date): boolean =>
  new Date(certificate.validFrom) <= now && now <= new Date(certificate.validTo);

/** `DNS:a, URI:b` of a certificate, as exact pairs; a value that could be read in two ways is in quotes and never equal. */
const alternativeNames = (certificate: X509Certificate): string[] =>
  (certificate.subjectAltName ?? '').includes('"') ? [] : (certificate.subjectAltName ?? '').split(', ');

/** A distinguished name as a set of its parts: RFC 4514 writes the same parts as Node does, in reverse order. */
const parts = (name: string): string =>
  name
    .split(/(?<!\\)[,\n]/)
    .map((part) => part.trim())
    .sort()
    .join('\n');

function subjectMatches(certificate: X509Certificate, property: string, expected: string): boolean {
  switch (property) {
    case 'tls_client_auth_subject_dn':
      return parts(certificate.subject) === parts(expected);
    case 'tls_client_auth_san_dns':
      return alternativeNames(certificate).includes(`DNS:${expected}`);
    case 'tls_client_auth_san_uri':
      return alternativeNames(certificate).includes(`URI:${expected}`);
    default:
      return false;
  }
}

/** The `mTLS` feature of oidc-provider (RFC 8705); off where no host for it is configured. */
export function mutualTls(origin: URL | undefined, now: () => Date): MutualTls {
  if (origin === undefined) return { enabled: false };
  const certificateOf = (ctx: KoaContextWithOIDC): X509Certificate | undefined => {
    const certificate = certificateIn(ctx.req.headers);
    return certificate !== undefined && inForce(certificate, now()) ? certificate : undefined;
  };
  return {
    enabled: true,
    certificateBoundAccessTokens: true,
    selfSignedTlsClientAuth: true,
    tlsClientAuth: true,
    getCertificate: certificateOf,
    certificateAuthorized: (ctx) => ctx.req.headers['client-cert-verify'] === 'SUCCESS',
    certificateSubjectMatches: (ctx, property, expected) => {
      const certificate = certificateOf(ctx);
      return certificate !== undefined && subjectMatches(certificate, property, expected);
    },
  };
}
