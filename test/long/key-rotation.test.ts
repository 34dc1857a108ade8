/**
 * Signing keys change under load on two nodes, and no service notices: one that fetches the JWKS every ten minutes and
 * never in between verifies every token, when it is new and for as long as it lives. Months pass in steps of five minutes.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Writable } from 'node:stream';
import test from 'ava';
import { compactVerify, createLocalJWKSet, type JSONWebKeySet } from 'jose';
import type { Registration } from '../../accounts/town.ts';
import { createHashing } from '../../adapters/hashing.ts';
import { createLog } from '../../adapters/log.ts';
import { createMailer } from '../../adapters/mail.ts';
import { connect } from '../../adapters/postgres.ts';
import { createApp } from '../../provider/app.ts';
import { Wire } from '../bench/wire.ts';
import { MACHINE } from '../harness/machine.ts';
import { type RunningTown, startTown, TEST_TOWN } from '../harness/town.ts';
import { scaled } from './scale.ts';

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const STEP = 5 * MINUTE;
/** A service's cache of the JWKS. */
const CACHED = 10 * MINUTE;
/** The longest life of a token that is signed. */
const TOKEN_LIFE = 60 * MINUTE;
const ROTATIONS = scaled(4, 1);
const API = 'https://api.stadt.example/';
const READER: Registration = {
  ...MACHINE,
  clientId: 'leser',
  resource: { identifier: API, scopes: ['lesen'], tokens: 'jwt' },
};

type Address = { port: number; host: string };

/** A second node of a town, reached without TLS as behind its proxy. */
const startBeside = async (town: RunningTown, now: () => Date): Promise<Address & { close(): Promise<void> }> => {
  const { host } = new URL(town.issuer);
  await using opened = new AsyncDisposableStack();
  const postgres = opened.adopt(connect(town.database.url, { applicationName: 'beside', max: 5 }), (one) =>
    one.close(),
  );
  const hashing = opened.adopt(createHashing({ processes: 1, queue: 1 }), (one) => one.close());
  const sender = { name: TEST_TOWN.name.de, address: TEST_TOWN.contact.email };
  const mailer = opened.adopt(createMailer(town.mail.url, sender), (one) => one.close());
  const app = await createApp({
    issuer: new URL(town.issuer),
    trustedProxies: ['127.0.0.1/32'],
    postgres,
    databaseUrl: town.database.url,
    keys: town.keys,
    town: TEST_TOWN,
    hashing,
    mailer,
    log: createLog('error', new Writable({ write: (_chunk, _encoding, done) => done() })),
    now,
    sandbox: { inboxUrl: town.issuer },
  });
  opened.defer(() => app.close());
  const server = createServer(app.handler).listen(0, '127.0.0.1');
  await once(server, 'listening');
  opened.defer(async () => {
    server.closeAllConnections();
    server.close();
  });
  const parts = opened.move();
  return { host, port: (server.address() as AddressInfo).port, close: () => parts.disposeAsync() };
};

test.serial(`${ROTATIONS} rotations under load: a service with a cache of ten minutes fails on no token`, async (t) => {
  const start = Date.now();
  let passed = 0;
  const now = (): Date => new Date(start + passed);
  await using opened = new AsyncDisposableStack();
  const town = opened.adopt(await startTown({ now, registrations: [READER] }), (one) => one.close());
  const wires: Wire[] = [];
  for (let count = 0; count < 2; count += 1) {
    const node = opened.adopt(await startBeside(town, now), (one) => one.close());
    wires.push(opened.adopt(new Wire(node.host, node.port), (one) => one.close()));
  }
  const authorization = `Basic ${Buffer.from(`leser:${town.secretOf('leser')}`).toString('base64')}`;
  const body = new URLSearchParams({ grant_type: 'client_credentials', resource: API, scope: 'lesen' }).toString();
  const tokenOf = async (wire: Wire): Promise<string> => {
    const reply = await wire.send('/token', { method: 'POST', headers: { authorization }, body });
    return (JSON.parse(reply.body) as { access_token: string }).access_token;
  };

  const signers = new Set<string>();
  // Services whose caches end at different moments.
  const caches: { keys: ReturnType<typeof createLocalJWKSet>; fetched: number }[] = [];
  let [verified, fetches] = [0, 0];
  const failures: string[] = [];
  const verify = async (token: string, age: string): Promise<void> => {
    for (const { keys } of caches) {
      try {
        const { protectedHeader } = await compactVerify(token, keys);
        signers.add(protectedHeader.kid ?? '');
        verified += 1;
      } catch (error) {
        failures.push(`after ${(passed / DAY).toFixed(3)} days, ${age}: ${String(error)}`);
      }
    }
  };
  const living: { token: string; issued: number }[] = [];
  const step = async (): Promise<void> => {
    // Each node looks by itself every half minute; here it is told to, as five minutes are over.
    await town.context().db.raw("SELECT pg_notify('signing_keys', '')");
    const due =
      caches.length < CACHED / STEP ? caches.length : caches.findIndex(({ fetched }) => passed - fetched >= CACHED);
    if (due >= 0) {
      const { body: text } = await (wires[fetches % wires.length] as Wire).send('/jwks');
      caches[due] = { keys: createLocalJWKSet(JSON.parse(text) as JSONWebKeySet), fetched: passed };
      fetches += 1;
    }
    for (const token of await Promise.all(wires.map(tokenOf))) {
      await verify(token, 'new');
      living.push({ token, issued: passed });
    }
    while (living[0] !== undefined && passed - living[0].issued >= TOKEN_LIFE) {
      await verify(living[0].token, 'old');
      living.shift();
    }
  };
  for (let rotation = 1; rotation <= ROTATIONS; rotation += 1) {
    // A key is made 29 days after the one before, signs a day later, and the old one is published for 25 hours more.
    const made = rotation * 29 * DAY;
    passed = made - 30 * MINUTE;
    living.length = 0;
    caches.length = 0;
    while (passed < made + 50 * 60 * MINUTE) {
      await step();
      passed += STEP;
    }
  }
  t.deepEqual(failures, []);
  t.is(signers.size, ROTATIONS + 1);
  t.log(`${verified} verifications with ${fetches} fetches of the JWKS, ${signers.size} signing keys, none failed`);
});
