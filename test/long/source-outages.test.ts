/** Identity sources that hang: nobody waits longer than the time-outs, and every other way stays open and quick. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import test from 'ava';
import { createCircuit } from '../../adapters/circuit.ts';
import { createEidServer } from '../../adapters/eid-server.ts';
import { callSource, Unreachable } from '../../adapters/source-call.ts';
import { createUpstream } from '../../adapters/upstream-oidc.ts';
import { de } from '../../interactions/texts/de.ts';
import { eidKeys, memoryMarks, ONLY_PSEUDONYM, settingsFor, silentLog } from '../harness/eid.ts';
import { startIdentityTown } from '../harness/identity-town.ts';
import { addCitizen, atHome } from '../harness/relying-party.ts';
import { type Answer, Visitor } from '../harness/visitor.ts';

const parts = () => ({ now: () => new Date(), once: memoryMarks(), log: silentLog });
/** Room for a busy machine, but not for twice the time-out. */
const CONNECT = [2_900, 5_800] as const;
const ANSWER = [9_900, 19_000] as const;

const timed = async <T>(work: Promise<T>): Promise<{ value: T; milliseconds: number }> => {
  const began = performance.now();
  const value = await work;
  return { value, milliseconds: performance.now() - began };
};
const between = (milliseconds: number, [least, most]: readonly [number, number]): boolean =>
  milliseconds >= least && milliseconds < most;

/** Takes connections and says nothing, ever. */
const startSilent = async () => {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
};

/** Answers no connection, as behind a firewall that drops packets: its queue is full, and nobody takes from it. */
const startBlackHole = async (): Promise<{ port: number; close(): void }> => {
  const script = `const s = require('node:net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => console.log(s.address().port))`;
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = await once(child.stdout, 'data');
  child.kill('SIGSTOP');
  const port = Number(String(line));
  const fillers: Socket[] = [];
  for (let full = false; !full && fillers.length < 20; ) {
    const filler = connect(port, '127.0.0.1');
    filler.on('error', () => {});
    fillers.push(filler);
    full = await Promise.race([once(filler, 'connect').then(() => false), setTimeout(700, true)]);
  }
  return {
    port,
    close: () => {
      for (const filler of fillers) filler.destroy();
      child.kill('SIGKILL');
    },
  };
};

test('nobody waits longer than 3 s for a connection and 10 s for an answer', async (t) => {
  const [silent, hole] = await Promise.all([startSilent(), startBlackHole()]);
  t.teardown(silent.close);
  t.teardown(hole.close);
  const failing = (url: string) => timed(t.throwsAsync(callSource(new URL(url)), { instanceOf: Unreachable }));
  const [dropped, withoutTls, mute] = await Promise.all([
    failing(`http://127.0.0.1:${hole.port}/`),
    // Taken, but the TLS handshake never comes to an end.
    failing(`https://localhost:${silent.port}/`),
    failing(`http://localhost:${silent.port}/`),
  ]);
  t.is(dropped.value?.message, 'no connection');
  t.true(between(dropped.milliseconds, CONNECT), `${dropped.milliseconds}`);
  t.is(withoutTls.value?.message, 'no connection');
  t.true(between(withoutTls.milliseconds, CONNECT), `${withoutTls.milliseconds}`);
  t.is(mute.value?.message, 'no answer in time');
  t.true(between(mute.milliseconds, ANSWER), `${mute.milliseconds}`);
});

test('an answer that comes drop by drop is given up as well', async (t) => {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n');
    const timer = setInterval(() => socket.write('x'), 200);
    socket.on('close', () => clearInterval(timer));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const { value, milliseconds } = await timed(t.throwsAsync(callSource(new URL(`http://127.0.0.1:${port}/`))));
  t.is(value?.message, 'no answer in time');
  t.true(between(milliseconds, ANSWER), `${milliseconds}`);
});

test('the eID-Server and the staff’s provider are both asked within these times, metadata and keys included', async (t) => {
  const [silent, hole] = await Promise.all([startSilent(), startBlackHole()]);
  t.teardown(silent.close);
  t.teardown(hole.close);
  const keys = await eidKeys();
  const bridges = [silent.port, hole.port].map((port) => createEidServer(settingsFor(keys, port), parts()));
  t.teardown(() => {
    for (const bridge of bridges) bridge.close();
  });
  const settings = {
    clientId: 'stadtschluessel',
    clientSecret: 'geheim',
    redirectUri: new URL('http://localhost:1/cb'),
    levels: {},
    insecureLoopback: true,
  } as const;
  const upstream = (port: number) =>
    createUpstream({ ...settings, issuer: new URL(`http://localhost:${port}`) }, parts());
  const [soap, dropped, metadata, nothing, logout] = await Promise.all([
    timed(bridges[0]?.useId(ONLY_PSEUDONYM) ?? Promise.reject()),
    timed(bridges[1]?.useId(ONLY_PSEUDONYM) ?? Promise.reject()),
    timed(upstream(silent.port).begin()),
    timed(upstream(hole.port).begin()),
    timed(upstream(hole.port).logout('x.y.z')),
  ]);
  t.deepEqual(soap.value, { outcome: 'unavailable', reason: 'down' });
  t.true(between(soap.milliseconds, CONNECT), `${soap.milliseconds}`);
  t.deepEqual(dropped.value, { outcome: 'unavailable', reason: 'down' });
  t.true(between(dropped.milliseconds, CONNECT), `${dropped.milliseconds}`);
  t.deepEqual(metadata.value, { outcome: 'unavailable' });
  t.true(between(metadata.milliseconds, ANSWER), `${metadata.milliseconds}`);
  t.deepEqual(nothing.value, { outcome: 'unavailable' });
  t.true(between(nothing.milliseconds, CONNECT), `${nothing.milliseconds}`);
  t.is(logout.value, 'unavailable');
  t.true(between(logout.milliseconds, CONNECT), `${logout.milliseconds}`);
});

test('after five outages in a row nobody is made to wait, and after half a minute one may try', async (t) => {
  let now = 0;
  const circuit = createCircuit(() => now);
  const fail = () => circuit.run(() => Promise.reject(new Error('down')));
  for (let count = 0; count < 5; count += 1) {
    t.true(circuit.up());
    await t.throwsAsync(fail());
  }
  t.false(circuit.up());
  t.deepEqual(await fail(), { outcome: 'down' });
  now += 30_000;
  t.true(circuit.up());
  // Of many that come now one tries, the others are not kept waiting for it.
  const { promise, resolve } = Promise.withResolvers<string>();
  const first = circuit.run(() => promise);
  t.deepEqual(await circuit.run(async () => 'second'), { outcome: 'down' });
  resolve('first');
  t.deepEqual(await first, { outcome: 'answered', value: 'first' });
  t.deepEqual(await circuit.run(async () => 'third'), { outcome: 'answered', value: 'third' });
});

test('while a source hangs, the other ways are offered and quick, and soon it is not offered any more', async (t) => {
  const silent = await startSilent();
  t.teardown(silent.close);
  const place = await startIdentityTown({
    change: (sources) => ({
      ...sources,
      eid: { ...sources.eid, url: new URL(`https://localhost:${silent.port}/eid`) },
      upstream: { ...sources.upstream, issuer: new URL(`http://localhost:${silent.port}`) },
    }),
  });
  t.teardown(place.close);
  const password = 'drei blaue Häuser am Fluss';
  await addCitizen(place.town, 'karin@buerger.example', password);

  // Five AusweisApps fetch their tokens, and all of them wait.
  const pages = await Promise.all(
    Array.from({ length: 5 }, async () => {
      const visitor = new Visitor();
      return { visitor, away: await visitor.submitTo(await place.begin(visitor, 'fahrkarte'), 'eid') };
    }),
  );
  const tokens = Promise.all(pages.map(({ away }) => new Visitor().send(place.tcTokenOf(away))));
  const finished = { yet: false };
  void tokens.then(() => {
    finished.yet = true;
  });
  const meanwhile = new Visitor();
  const signIn = await place.begin(meanwhile, 'fahrkarte');
  t.true(signIn.text.includes('/bundid"'));
  const done = await meanwhile.submit(signIn, { identifier: 'karin@buerger.example', password }, atHome(place.town));
  t.regex(String(done.headers['location']), /code=/);
  t.false(finished.yet, 'the password was quicker than the time-out of the card');

  t.deepEqual(
    (await tokens).map(({ status }) => status),
    [503, 503, 503, 503, 503],
  );
  const [one] = pages;
  const told = await one?.visitor.open(one.away.url, atHome(place.town));
  t.true(told?.text.includes(de.identity.faults.unavailable));
  const later = await place.begin(new Visitor(), 'fahrkarte');
  const offered = (page: Answer, source: string) => page.text.includes(`/${source}"`);
  t.deepEqual(
    ['eid', 'bundid', 'passkey', 'sign-in', 'register'].filter((way) => offered(later, way)),
    ['bundid', 'passkey', 'sign-in', 'register'],
  );

  // The staff's provider by itself: its own circuit, and the passkey stays.
  const staff = new Visitor();
  const page = await place.begin(staff, 'dienststelle');
  t.true(offered(page, 'upstream') && offered(page, 'passkey'));
  const answer = await staff.submitTo(page, 'upstream', {}, atHome(place.town));
  t.true(answer.text.includes(de.identity.faults.unavailable));
  t.true(offered(answer, 'passkey'));
});
