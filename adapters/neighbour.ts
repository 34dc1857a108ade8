import { lookup } from 'node:dns';
import { type ClientRequest, request as httpRequest, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isIP } from 'node:net';
import type { TLSSocket } from 'node:tls';
import ipaddr from 'ipaddr.js';

/** What a service's address answered, and by which TLS. */
export type Answered = {
  readonly outcome: 'answered';
  readonly status: number;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly text: string;
  readonly tls?: { readonly protocol: string; readonly validTo: Date };
};
/** `code`: of the system or of TLS, `private` for an address that is not asked, `too-late`, `too-long`. */
export type Visited = Answered | { readonly outcome: 'failed'; readonly code: string };

type Options = {
  /** Addresses on this machine and in private networks may be asked: in the sandbox. */
  readonly allowPrivate: boolean;
  /** Sent as a form by POST; without it the address is asked by GET. */
  readonly form?: Readonly<Record<string, string>>;
};

const TIMEOUT_MS = 5000;
const MAX_BYTES = 128 * 1024;

class Refused extends Error {
  readonly code: string;
  constructor(code: string) {
    super(code);
    this.code = code;
  }
}

const isPublic = (address: string): boolean => ipaddr.process(address).range() === 'unicast';

/** Resolves a name and refuses it if any of its addresses is private; what was looked at is what is connected to. */
const publicLookup: RequestOptions['lookup'] = (hostname, options, callback) => {
  lookup(hostname, { ...options, all: true }, (error, addresses) => {
    if (error !== null) return callback(error, []);
    if (!addresses.every(({ address }) => isPublic(address))) return callback(new Refused('private'), []);
    const [first] = addresses;
    if (options.all === true) callback(null, addresses);
    else callback(first === undefined ? new Refused('ENOTFOUND') : null, first?.address ?? '', first?.family);
  });
};

/** One request to a service, as a stranger: no redirect is followed, nothing but the answer's beginning is kept. */
export const visit = (url: URL, { allowPrivate, form }: Options): Promise<Visited> =>
  new Promise((resolve) => {
    const literal = url.hostname.replace(/^\[|\]$/g, '');
    if (!allowPrivate && (isIP(literal) === 0 ? url.protocol !== 'https:' : !isPublic(literal))) {
      resolve({ outcome: 'failed', code: 'private' });
      return;
    }
    const body = form && new URLSearchParams(form).toString();
    const secure = url.protocol === 'https:';
    const call: ClientRequest = (secure ? httpsRequest : httpRequest)(url, {
      agent: false,
      method: body === undefined ? 'GET' : 'POST',
      ...(!allowPrivate && { lookup: publicLookup }),
      headers: {
        accept: '*/*',
        'user-agent': 'Stadtschluessel-Pruefung',
        ...(body !== undefined && {
          'content-type': 'application/x-www-form-urlencoded',
          'content-length': Buffer.byteLength(body),
        }),
      },
    });
    const fail = (code: string): void => void call.destroy(new Refused(code));
    const timer = setTimeout(() => fail('too-late'), TIMEOUT_MS);
    const failed = (error: NodeJS.ErrnoException): void => {
      clearTimeout(timer);
      resolve({ outcome: 'failed', code: error.code ?? error.message });
    };
    call.on('error', failed);
    call.on('response', (response) => {
      const chunks: Buffer[] = [];
      let length = 0;
      const socket = response.socket as TLSSocket;
      const tls = secure && {
        protocol: socket.getProtocol() ?? '',
        validTo: new Date(socket.getPeerCertificate().valid_to),
      };
      response.on('data', (chunk: Buffer) => {
        length += chunk.length;
        if (length > MAX_BYTES) fail('too-long');
        else chunks.push(chunk);
      });
      response.on('error', failed);
      response.on('end', () => {
        clearTimeout(timer);
        const { statusCode: status = 0, headers } = response;
        const text = Buffer.concat(chunks).toString('utf8');
        resolve({ outcome: 'answered', status, headers, text, ...(tls !== false && { tls }) });
      });
    });
    call.end(body);
  });
