/** Fetching and checking a TC token as AusweisApp does it (TR-03124-1 §2.4 to §2.7). */

import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { TLSSocket } from 'node:tls';
import { DOMParser } from '@xmldom/xmldom';
import { certificateHash } from './certificates.ts';

export type FetchedToken = {
  readonly url: URL;
  readonly serverAddress: URL;
  readonly session: string;
  readonly psk: Buffer;
  readonly refreshAddress: URL;
  readonly errorAddress: URL | undefined;
  /** The TLS certificate that the token came over; none over plain HTTP to this machine. */
  readonly tlsHash: string | undefined;
};

const LIMIT_BYTES = 64 * 1024;

const get = (
  url: URL,
  ca: string | undefined,
): Promise<{ status: number; body: string; tlsHash: string | undefined }> =>
  new Promise((resolve, reject) => {
    const secure = url.protocol === 'https:';
    const call = (secure ? httpsRequest : httpRequest)(
      url,
      // TLS 1.2 at most, as AusweisApp speaks nothing newer.
      {
        headers: { 'user-agent': 'Sandbox-eID-Client (TR-03124/1.3)' },
        ...(secure && { maxVersion: 'TLSv1.2' as const, ...(ca && { ca }) }),
      },
      (response) => {
        const certificate = secure ? (response.socket as TLSSocket).getPeerCertificate().raw : undefined;
        let body = '';
        response.setEncoding('utf8').on('data', (chunk: string) => {
          body += chunk;
          if (body.length > LIMIT_BYTES) call.destroy(new Error('token too long'));
        });
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, body, tlsHash: certificate && certificateHash(certificate) }),
        );
      },
    );
    call.on('error', reject).end();
  });

/** Only this machine may be spoken to without TLS, as in AusweisApp's developer mode. */
const allowed = (url: URL): boolean =>
  url.protocol === 'https:' || (url.protocol === 'http:' && ['localhost', '127.0.0.1'].includes(url.hostname));

/** The token of an address; throws with the reason where AusweisApp refuses. */
export const fetchTcToken = async (address: string, ca?: string): Promise<FetchedToken> => {
  const url = new URL(address);
  if (!allowed(url)) throw new Error('tcTokenURL must be https');
  const { status, body, tlsHash } = await get(url, ca);
  if (status !== 200) throw new Error(`TC token: status ${status}`);
  const root = new DOMParser().parseFromString(body, 'text/xml')?.documentElement;
  if (root?.tagName !== 'TCTokenType') throw new Error('not a TC token');
  const text = (name: string): string => {
    const found = root.getElementsByTagName(name);
    if (found.length > 1) throw new Error(`several ${name}`);
    return found.item(0)?.textContent ?? '';
  };
  if (text('Binding') !== 'urn:liberty:paos:2006-08') throw new Error('unknown Binding');
  if (text('PathSecurity-Protocol') !== 'urn:ietf:rfc:4279') throw new Error('unknown PathSecurity-Protocol');
  const psk = text('PSK');
  if (!/^([0-9a-fA-F]{2})+$/.test(psk)) throw new Error('PSK is not hexadecimal of even length');
  const session = text('SessionIdentifier');
  if (session === '') throw new Error('no SessionIdentifier');
  const serverAddress = new URL(text('ServerAddress'));
  if (serverAddress.protocol !== 'https:') throw new Error('ServerAddress must be https');
  const refreshAddress = new URL(text('RefreshAddress'));
  if (!allowed(refreshAddress)) throw new Error('RefreshAddress must be https');
  const error = text('CommunicationErrorAddress');
  const errorAddress = error === '' ? undefined : new URL(error);
  if (errorAddress !== undefined && !allowed(errorAddress)) throw new Error('CommunicationErrorAddress must be https');
  return { url, serverAddress, session, psk: Buffer.from(psk, 'hex'), refreshAddress, errorAddress, tlsHash };
};

/** What the terminal's certificate says about the service; throws if the token came from somebody else. */
export const checkTerminal = (
  token: FetchedToken,
  terminal: { subjectUrl: string; tlsHashes: readonly string[] },
): void => {
  if (new URL(terminal.subjectUrl).origin !== token.url.origin)
    throw new Error('tcTokenURL is not of the certificate’s subject');
  if (token.tlsHash !== undefined && !terminal.tlsHashes.includes(token.tlsHash))
    throw new Error('TLS certificate is not listed');
  if (token.refreshAddress.origin !== token.url.origin) throw new Error('RefreshAddress is of another origin');
};
