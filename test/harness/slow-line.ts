/** A line between two programs on this machine that can be slow. */

import type { AddressInfo } from 'node:net';
import { createServer, connect as dial, type Socket } from 'node:net';

export type SlowLine = {
  readonly port: number;
  /** Milliseconds by which whatever comes back from the far end is late. */
  delay: number;
  close(): void;
};

/** Opens a line to a port of this machine, without delay at first. */
export const openSlowLine = async (to: number): Promise<SlowLine> => {
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = dial(to, '127.0.0.1');
    near.setNoDelay(true);
    far.setNoDelay(true);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        sockets.delete(one);
        other.destroy();
      });
    }
    near.on('data', (chunk: Buffer) => far.write(chunk));
    far.on('data', (chunk: Buffer) => {
      if (line.delay === 0) near.write(chunk);
      else setTimeout(() => near.destroyed || near.write(chunk), line.delay);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const line: SlowLine = {
    port: (server.address() as AddressInfo).port,
    delay: 0,
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
  return line;
};
