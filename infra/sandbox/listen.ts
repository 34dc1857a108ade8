import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import { errorCode, Obstacle } from './obstacle.ts';

type Handler = (req: IncomingMessage, res: ServerResponse) => void;

/** "localhost" is 127.0.0.1 for some programs and ::1 for others. */
const LOOPBACK = ['127.0.0.1', '::1'];
/** This machine has no IPv6. */
const NO_SUCH_ADDRESS = ['EADDRNOTAVAIL', 'EAFNOSUPPORT'];

/** Looks whether all the ports can be had, before anything is started. */
export const checkPorts = async (ports: readonly number[]): Promise<void> => {
  const taken: number[] = [];
  for (const port of ports) {
    const codes = await Promise.all(LOOPBACK.map((host) => tryPort(port, host)));
    const code = codes.find((one) => one !== undefined && !NO_SUCH_ADDRESS.includes(one));
    if (code === 'EACCES')
      throw new Obstacle(`Port ${port} is for the system's own services: set PORT to one above 1023.`);
    if (code !== undefined) taken.push(port);
  }
  if (taken.length === 0) return;
  const [first = 3000] = ports;
  const what = taken.length === 1 ? `Port ${taken[0]} is` : `Ports ${taken.join(', ')} are`;
  throw new Obstacle(
    `${what} in use: stop what listens there, or take other ports, for example PORT=${first < 60_000 ? first + 100 : 3100} npm start.`,
  );
};

const tryPort = (port: number, host: string): Promise<string | undefined> =>
  new Promise((resolve) => {
    const server = createTcpServer();
    server.once('error', (error) => resolve(errorCode(error) ?? 'unknown'));
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(undefined)));
  });

/** Serves HTTP to this machine only. */
export const listenLocally = async (handler: Handler, port: number): Promise<{ stop(): Promise<void> }> => {
  const servers = LOOPBACK.map(() => createServer(handler));
  await Promise.all(
    servers.map(
      (server, index) =>
        new Promise<void>((resolve, reject) => {
          server.once('error', (error) =>
            NO_SUCH_ADDRESS.includes(errorCode(error) ?? '') ? resolve() : reject(error),
          );
          server.listen(port, LOOPBACK[index], resolve);
        }),
    ),
  );
  return {
    async stop() {
      await Promise.all(
        servers.map(
          (server) =>
            new Promise<void>((resolve) => {
              server.close(() => resolve());
              server.closeAllConnections();
            }),
        ),
      );
    },
  };
};
