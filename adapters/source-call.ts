import { type RequestOptions as HttpOptions, request as httpRequest } from 'node:http';
import { type Agent, request as httpsRequest } from 'node:https';

/** Nothing came back from an identity source, or nothing in time. The reason is for the log. */
export class Unreachable extends Error {
  override name = 'Unreachable';
}

export type SourceAnswer = {
  readonly status: number;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly body: Buffer;
};

export const CONNECT_MILLISECONDS = 3_000;
/** From the connection to the last byte of the answer. */
export const ANSWER_MILLISECONDS = 10_000;
const ANSWER_BYTES = 256 * 1024;

type Call = Pick<HttpOptions, 'method'> & {
  readonly headers?: Record<string, string>;
  readonly body?: string | Uint8Array;
  readonly agent?: Agent;
};

/**
 * One request to an identity source. It holds a socket and nothing else while it waits, three seconds at most for the
 * connection and ten for the answer. Redirects are not followed. Throws `Unreachable`.
 */
export const callSource = (url: URL, { method = 'GET', headers = {}, body, agent }: Call = {}): Promise<SourceAnswer> =>
  new Promise((resolve, reject) => {
    const secure = url.protocol === 'https:';
    const call = (secure ? httpsRequest : httpRequest)(url, {
      method,
      // A kept connection that the server closes at this very moment would lose a call that must not be repeated.
      agent: agent ?? false,
      headers: { ...headers, ...(body !== undefined && { 'content-length': Buffer.byteLength(body) }) },
    });
    const fail = (reason: string): void => void call.destroy(new Unreachable(reason));
    let timer = setTimeout(() => fail('no connection'), CONNECT_MILLISECONDS);
    call.on('socket', (socket) => {
      socket.once(secure ? 'secureConnect' : 'connect', () => {
        clearTimeout(timer);
        timer = setTimeout(() => fail('no answer in time'), ANSWER_MILLISECONDS);
      });
    });
    call.on('close', () => clearTimeout(timer));
    const failed = (error: Error): void =>
      reject(error instanceof Unreachable ? error : new Unreachable(error.message, { cause: error }));
    call.on('error', failed);
    call.on('response', (response) => {
      const chunks: Buffer[] = [];
      let length = 0;
      response.on('data', (chunk: Buffer) => {
        length += chunk.length;
        if (length > ANSWER_BYTES) fail('answer too long');
        else chunks.push(chunk);
      });
      response.on('error', failed);
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }),
      );
    });
    call.end(body);
  });
