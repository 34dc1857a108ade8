/** A server of a client's own documents (keys, sector, logout) on loopback, where the sandbox may fetch from. */
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Documents = {
  readonly origin: string;
  /** What a path answers; read anew with each request. */
  readonly answers: Map<string, unknown>;
  /** The bodies that were posted, oldest first. */
  readonly posted: { path: string; body: string }[];
  /** Settles with the next body that is posted to the path, or one that has been. */
  arrival(path: string): Promise<string>;
  close(): Promise<void>;
};

const bodyOf = async (req: IncomingMessage): Promise<string> => {
  const chunks: Buffer[] = [];
  for await (const chunk of req) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
};

export const startDocuments = async (): Promise<Documents> => {
  const answers = new Map<string, unknown>();
  const posted: Documents['posted'] = [];
  const waiting = new Set<() => void>();
  const server = createServer(async (req, res) => {
    const path = req.url ?? '';
    if (req.method === 'POST') {
      posted.push({ path, body: await bodyOf(req) });
      res.setHeader('cache-control', 'no-store').end();
      for (const look of waiting) look();
      return;
    }
    const answer = answers.get(path);
    if (answer === undefined) res.writeHead(404).end();
    else if (typeof answer === 'string') res.setHeader('content-type', 'application/oauth-authz-req+jwt').end(answer);
    else res.setHeader('content-type', 'application/json').end(JSON.stringify(answer));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    answers,
    posted,
    arrival: (path) =>
      new Promise((resolve) => {
        const look = (): void => {
          const found = posted.find((one) => one.path === path);
          if (found === undefined) return;
          waiting.delete(look);
          resolve(found.body);
        };
        waiting.add(look);
        look();
      }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
};
