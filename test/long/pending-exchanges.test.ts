/**
 * Many citizens at their card readers at the same time: what that costs a node, and whether other traffic notices.
 * LONG_SCALE=1 is the 1,000.
 */
import { setTimeout } from 'node:timers/promises';
import test from 'ava';
import { useCard } from '../harness/eid.ts';
import { type IdentityTown, startIdentityTown } from '../harness/identity-town.ts';
import { MACHINE } from '../harness/machine.ts';
import { atHome, basic } from '../harness/relying-party.ts';
import { SecondNode } from '../harness/second-node.ts';
import { type Answer, type Send, Visitor } from '../harness/visitor.ts';
import { scaled } from './scale.ts';

const PENDING = scaled(1000, 40);
/** Calls to the eID-Server that wait at the same time. */
const WAITING = scaled(60, 20);
const TOKENS = scaled(600, 100);
const MEMORY_BYTES = 200 * 1024 * 1024;
const AT_ONCE = 8;

/** Everybody has an address of their own, or their forms would be one person's flood. */
class Citizen extends Visitor {
  readonly #address: string;
  constructor(number: number) {
    super();
    this.#address = `2001:db8:${number.toString(16)}::1`;
  }
  override send(to: string | URL, what: Send = {}): Promise<Answer> {
    return super.send(to, { ...what, headers: { ...what.headers, 'x-forwarded-for': this.#address } });
  }
}

/** The node under test, alone: what it uses is nobody else's. */
const node = new SecondNode();
let place: IdentityTown;
/** What the eID-Server waits for before it answers. */
let gate = Promise.resolve();

test.before(async () => {
  place = await startIdentityTown({
    registrations: [MACHINE],
    pause: () => gate,
    async around(_handler, facts) {
      await node.start(facts);
      return node.handler;
    },
  });
});
test.after.always(async () => {
  await place?.close();
  await node.close();
});

const inParallel = async <T>(count: number, work: (index: number) => Promise<T>): Promise<T[]> => {
  const results: T[] = [];
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let index = next++; index < count; index = next++) results[index] = await work(index);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  return results;
};

/** Tokens for a program; how many a second, and how long the slowest of a hundred took. */
const tokenTraffic = async (): Promise<{ perSecond: number; p99: number; refused: number }> => {
  const times: number[] = [];
  let refused = 0;
  const began = performance.now();
  await inParallel(TOKENS, async () => {
    const at = performance.now();
    const answer = await new Visitor().send(new URL('/token', place.town.issuer), {
      method: 'POST',
      body: new URLSearchParams({ grant_type: 'client_credentials' }),
      headers: { authorization: basic(place.town, 'maschine'), accept: 'application/json' },
    });
    times.push(performance.now() - at);
    if (answer.status !== 200) refused += 1;
  });
  const seconds = (performance.now() - began) / 1000;
  const sorted = times.toSorted((one, other) => one - other);
  return {
    perSecond: Math.round(TOKENS / seconds),
    p99: Math.round(sorted[Math.floor(sorted.length * 0.99)] ?? 0),
    refused,
  };
};

/**
 * Tries until it comes to something. On a machine that is busy with other things a call may take longer than its time-out,
 * and then the card is not offered for a while: so do citizens.
 */
const patiently = async <T>(
  index: number,
  use: (citizen: Citizen, away: Answer) => Promise<T | undefined>,
): Promise<T> => {
  for (let tries = 0; tries < 40; tries += 1) {
    const citizen = new Citizen(tries * 1_500 + index + 1);
    const page = await place.begin(citizen, 'fahrkarte');
    const away = page.text.includes('/eid"') ? await citizen.submitTo(page, 'eid') : page;
    const done = away.text.includes('tcTokenURL=') ? await use(citizen, away) : undefined;
    if (done !== undefined) return done;
    await setTimeout(2_000);
  }
  throw new Error('no session for a card');
};

const MB = 1024 * 1024;

test.serial(`${PENDING} exchanges wait for a card and cost nothing that others need`, async (t) => {
  t.timeout(20 * 60_000);
  await tokenTraffic();
  const idle = await node.state();
  const quiet = await tokenTraffic();

  const pending = await inParallel(PENDING, (index) =>
    patiently(index, async (citizen, away) =>
      (await citizen.send(place.tcTokenOf(away))).status === 200 ? { citizen, away } : undefined,
    ),
  );
  t.is(pending.length, PENDING);
  const waiting = await node.state();
  const grown = waiting.memoryBytes - idle.memoryBytes;
  t.is(waiting.busyConnections, 0);
  t.is(waiting.waitingForConnections, 0);
  // Other programs on the machine come and go: the best of three counts.
  const tries = [await tokenTraffic(), await tokenTraffic(), await tokenTraffic()];
  const meanwhile = tries.reduce((best, one) => (one.perSecond > best.perSecond ? one : best));
  t.log(
    `memory: ${Math.round(idle.memoryBytes / MB)} MB idle, ${Math.round(grown / MB)} MB more with ${PENDING} pending`,
  );
  t.log(
    `tokens: ${quiet.perSecond}/s before (p99 ${quiet.p99} ms), ${meanwhile.perSecond}/s meanwhile (p99 ${meanwhile.p99} ms)`,
  );
  t.true(grown < MEMORY_BYTES);
  t.is(quiet.refused + tries.reduce((sum, one) => sum + one.refused, 0), 0);
  t.true(meanwhile.perSecond > quiet.perSecond / 2);

  // Each of them can still be finished.
  const last = pending.at(-1);
  if (last === undefined) return t.fail();
  const fresh = await last.citizen.open(last.away.url, atHome(place.town));
  t.is(fresh.status, 200);
});

test.serial(`${WAITING} calls wait for the eID-Server and hold no database connection`, async (t) => {
  t.timeout(10 * 60_000);
  const choice = { card: 'hans', pin: '123456', how: 'send' };
  const ready = await inParallel(WAITING, (index) =>
    patiently(index, async (citizen, away) => {
      const { back } = await useCard(place.clientUrl(), place.tcTokenOf(away), choice);
      return back === undefined ? undefined : { citizen, back };
    }),
  );
  const before = await node.state();
  // The connections stand, the answers do not come: for less than the time-out.
  const { promise, resolve: release } = Promise.withResolvers<void>();
  gate = promise;
  const answers = ready.map(({ citizen, back }) => citizen.send(back));
  // Housekeeping uses a connection now and then: one moment in which none is busy, while all the calls wait, shows it.
  let held = await node.state();
  const allWait = (): boolean => held.served - before.served >= WAITING && held.busyConnections === 0;
  for (let tries = 0; tries < 300 && !allWait(); tries += 1) {
    await setTimeout(20);
    held = await node.state();
  }
  t.is(held.served - before.served, WAITING);
  const busy = [held.busyConnections, held.waitingForConnections];
  const token = await new Visitor().send(new URL('/token', place.town.issuer), {
    method: 'POST',
    body: new URLSearchParams({ grant_type: 'client_credentials' }),
    headers: { authorization: basic(place.town, 'maschine'), accept: 'application/json' },
  });
  t.is(token.status, 200);
  const grown = (await node.state()).memoryBytes - before.memoryBytes;
  release();
  const came = await Promise.all(answers);
  t.log(
    `${WAITING} calls waiting: connections busy and queued ${busy.join(' and ')}, ${Math.round(grown / MB)} MB more`,
  );
  t.deepEqual(busy, [0, 0]);
  t.is(came.filter(({ status }) => status === 303).length, WAITING);
});
