/** A bare `node:http` server with the same bodies: what answering at all costs. */
import { createServer } from 'node:http';

export type BareSettings = { port: number; documents: Record<string, { type: string; body: string }> };

process.once('message', ({ port, documents }: BareSettings) => {
  createServer((req, res) => {
    const document = documents[req.url ?? ''];
    res.writeHead(document === undefined ? 404 : 200, {
      'content-type': document?.type ?? 'text/plain',
      'content-length': Buffer.byteLength(document?.body ?? ''),
    });
    res.end(document?.body ?? '');
  }).listen(port, '127.0.0.1', () => process.send?.({}));
});
process.on('disconnect', () => process.exit(0));
