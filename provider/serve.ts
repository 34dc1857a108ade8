import { createServer, type Server } from 'node:http';
import { Server as NetServer } from 'node:net';
import type { Logger } from 'pino';
import type { App } from './app.ts';

/** Seconds that requests under way get when the process is asked to stop. */
const DRAIN_SECONDS = 20;
/** Kept-alive connections are closed with their next answer; one that has none in this time is idle and cut. */
const IDLE_SECONDS = 3;
const BODY_SECONDS = 30;

/** A running server; `stop` lets requests under way finish, then ends the background work. */
export type Served = { server: Server; stop: () => Promise<void> };

/**
 * Listens for HTTP. TLS ends at the proxy before it; the header and body limits protect a node that somebody reaches
 * without the proxy. Rejects with the system's error (`EADDRINUSE`, `EACCES`) when the address cannot be had.
 */
export async function serve(app: App, host: string, port: number, log: Logger): Promise<Served> {
  let draining = false;
  const server = createServer({ requestTimeout: BODY_SECONDS * 1000, keepAliveTimeout: 65_000 }, (req, res) => {
    // A keep-alive connection would otherwise bring the next request to a node that is about to close it.
    if (draining) res.setHeader('connection', 'close');
    app.handler(req, res);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  log.info({ host, port }, 'listening');
  return {
    server,
    async stop() {
      draining = true;
      // `server.close` of node:http cuts idle connections at once, on which the next request may be under way.
      const closed = new Promise<void>((resolve) => NetServer.prototype.close.call(server, () => resolve()));
      const idle = setTimeout(() => server.closeIdleConnections(), IDLE_SECONDS * 1000);
      const late = setTimeout(() => server.closeAllConnections(), DRAIN_SECONDS * 1000);
      await closed;
      clearTimeout(idle);
      clearTimeout(late);
      await app.close();
    },
  };
}
