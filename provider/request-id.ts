import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

const PROXY_ID = /^[A-Za-z0-9-]{16,64}$/;

/**
 * The id under which a request is logged: the proxy's, so that both logs can be laid side by side, or a new one. It
 * proves nothing and opens nothing; a client without a proxy before it may choose it as well.
 */
export const requestId = (req: IncomingMessage): string => {
  const given = req.headers['x-request-id'];
  return typeof given === 'string' && PROXY_ID.test(given) ? given : randomUUID();
};
