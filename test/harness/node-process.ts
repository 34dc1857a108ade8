/** A node of the provider in a process of its own, on the database and keys of a town; for second-node.ts. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Writable } from 'node:stream';
import { createHashing } from '../../adapters/hashing.ts';
import { createLog } from '../../adapters/log.ts';
import { createMailer } from '../../adapters/mail.ts';
import { connect } from '../../adapters/postgres.ts';
import { parseKeyRing } from '../../keys/key-ring.ts';
import { createKeys } from '../../keys/keys.ts';
import { createApp } from '../../provider/app.ts';
import { type NodeFacts, readFacts } from './second-node.ts';

const start = async ({ issuer, databaseUrl, keyRing, smtpUrl, town, sources }: NodeFacts): Promise<void> => {
  const ring = parseKeyRing(keyRing);
  if ('faults' in ring) throw new Error(ring.faults.join('\n'));
  const postgres = connect(databaseUrl, { applicationName: 'second', max: 10 });
  const app = await createApp({
    issuer: new URL(issuer),
    trustedProxies: ['127.0.0.1/32'],
    postgres,
    databaseUrl,
    keys: createKeys(ring),
    town,
    hashing: createHashing({ processes: 1, queue: 20, memoryKiB: 19_456, passes: 2 }),
    mailer: createMailer(smtpUrl, { name: town.name.de, address: town.contact.email }),
    log: createLog('error', new Writable({ write: (_chunk, _encoding, done) => done() })),
    sources,
    sandbox: { inboxUrl: `${issuer}/postfach` },
  });
  let served = 0;
  const server = createServer((req, res) => {
    served += 1;
    app.handler(req, res);
  });
  server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as AddressInfo).port }));
  process.on('message', () => {
    globalThis.gc?.();
    const { pool } = postgres;
    process.send?.({
      served,
      memoryBytes: process.memoryUsage().rss,
      busyConnections: pool.totalCount - pool.idleCount,
      waitingForConnections: pool.waitingCount,
    });
  });
};

process.once('message', (text: string) => {
  start(readFacts(text)).catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
    process.exit(1);
  });
});
process.on('disconnect', () => process.exit(0));
