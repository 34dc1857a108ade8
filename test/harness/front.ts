/** The TLS end of the town: one port, many names, each handed to what serves it. */
import { createServer as createHttpServer, type RequestListener, request } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { certificateFor, nameExampleHosts } from './names.ts';

export type Front = {
  readonly port: number;
  /** For the browser: the public key it must accept. */
  readonly spki: string;
  /** The authority of its certificate, PEM. */
  readonly authority: string;
  origin(host: string): string;
  serve(host: string, listener: RequestListener): void;
  /** Serves through a plain HTTP hop, as a reverse proxy does, and says so in `X-Forwarded-*`. */
  proxy(host: string, listener: RequestListener): Promise<void>;
  close(): Promise<void>;
};

const listening = (server: ReturnType<typeof createHttpServer>): Promise<number> =>
  new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });

const closed = (server: ReturnType<typeof createHttpServer>): Promise<unknown> =>
  new Promise((resolve) => {
    server.close(resolve);
    server.closeAllConnections();
  });

/** What the proxy says of the client's certificate, in place of whatever the client says in these headers. */
const certificateHeaders = (socket: TLSSocket): Record<string, string> => {
  const { raw } = socket.getPeerCertificate() as { raw?: Buffer };
  return raw === undefined
    ? { 'client-cert': '', 'client-cert-verify': 'NONE' }
    : { 'client-cert': `:${raw.toString('base64')}:`, 'client-cert-verify': socket.authorized ? 'SUCCESS' : 'FAILED' };
};

/** Listens for the given names, with a certificate that this process (and by `spki` the browser) accepts. */
export const startFront = async (names: readonly string[], clientAuthority?: string): Promise<Front> => {
  const certificate = await certificateFor(names);
  nameExampleHosts();
  const listeners = new Map<string, RequestListener>();
  const behind: ReturnType<typeof createHttpServer>[] = [];
  let fallback: RequestListener | undefined;
  // Like nginx with `ssl_verify_client optional_no_ca`: any certificate is passed on, with what became of its check.
  const askForCertificates =
    clientAuthority === undefined ? {} : { requestCert: true, rejectUnauthorized: false, ca: clientAuthority };
  const options = { key: certificate.key, cert: certificate.cert, ...askForCertificates };
  const server = createServer(options, (req, res) => {
    const listener = listeners.get((req.headers.host ?? '').split(':', 1)[0] ?? '') ?? fallback;
    if (listener === undefined) res.writeHead(404).end();
    else listener(req, res);
  });
  const port = await listening(server);
  server.unref();

  return {
    port,
    spki: certificate.spki,
    authority: certificate.authority,
    origin: (host) => `https://${host}:${port}`,
    serve: (host, listener) => listeners.set(host, listener),
    async proxy(host, listener) {
      const inner = createHttpServer(listener);
      behind.push(inner);
      const innerPort = await listening(inner);
      const pass: RequestListener = (req, res) => {
        const forwarded = [req.headers['x-forwarded-for'], req.socket.remoteAddress].filter(Boolean).join(', ');
        const hop = request(
          {
            host: '127.0.0.1',
            port: innerPort,
            method: req.method,
            path: req.url,
            headers: {
              ...req.headers,
              ...(clientAuthority !== undefined && certificateHeaders(req.socket as TLSSocket)),
              'x-forwarded-for': forwarded,
              'x-forwarded-proto': 'https',
            },
          },
          (answer) => {
            res.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
            // An answer that breaks off is broken off for the client as well.
            pipeline(answer, res, () => {});
          },
        );
        hop.on('error', () => (res.headersSent ? res.destroy() : res.writeHead(502).end()));
        res.on('close', () => hop.destroy());
        // The whole body first, as proxies do: an answer before its end would be lost with the broken connection.
        const body: Buffer[] = [];
        req.on('data', (chunk: Buffer) => body.push(chunk));
        req.on('end', () => hop.end(Buffer.concat(body)));
      };
      listeners.set(host, pass);
      fallback ??= pass; // an unknown Host reaches the provider, as with a proxy's default server
    },
    close: async () => {
      await Promise.all([server, ...behind].map(closed));
    },
  };
};
