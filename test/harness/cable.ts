/** A stretch of network between a program and a server, for tests that lose it. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export type Cable = {
  /** The address with this end of the cable in place of the server's. */
  readonly url: string;
  /** From now on nothing gets through, in no direction, and nobody is told: connections stay open and silent. */
  silence(): void;
  /** Ends all connections; new ones are taken as before. */
  cut(): void;
  close(): Promise<void>;
};

/** Lays a cable to the host and port of an address. */
export const layCable = async (address: string): Promise<Cable> => {
  const to = new URL(address);
  const sockets = new Set<Socket>();
  let silent = false;
  const server = createServer((near) => {
    const far = connect(Number(to.port), to.hostname);
    for (const [from, into] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on('data', (chunk) => !silent && into.write(chunk));
      from.on('error', () => {});
      from.on('close', () => {
        sockets.delete(from);
        into.destroy();
      });
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = new URL(address);
  url.hostname = '127.0.0.1';
  url.port = String((server.address() as AddressInfo).port);
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: url.href,
    silence() {
      silent = true;
    },
    cut,
    async close() {
      server.close();
      cut();
      await once(server, 'close');
    },
  };
};
