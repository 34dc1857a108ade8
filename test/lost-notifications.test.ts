/** Changes reach a process whose connection for notifications is silent or lost again and again, all the same. */
import test, { type ExecutionContext } from 'ava';
import * as clients from '../accounts/clients.ts';
import * as signingKeys from '../accounts/signing-keys.ts';
import { type Cable, layCable } from './harness/cable.ts';
import { MACHINE } from './harness/machine.ts';
import { post } from './harness/relying-party.ts';
import { type RunningTown, startTown } from './harness/town.ts';
import { Visitor } from './harness/visitor.ts';

/** A second is promised; a busy machine gets more, but never as much as the next turn of the background work (30 s). */
const DEADLINE_MS = 8_000;

let town: RunningTown;
let cable: Cable;

test.before(async () => {
  town = await startTown({
    listenAt: async (url) => {
      cable = await layCable(url);
      return cable.url;
    },
  });
});
test.after.always(async () => {
  await town?.close();
  await cable?.close();
});

const soon = async (t: ExecutionContext, what: string, check: () => Promise<boolean>): Promise<void> => {
  const begin = performance.now();
  while (!(await check())) {
    if (performance.now() - begin > DEADLINE_MS) return t.fail(`${what}: not within ${DEADLINE_MS} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  t.pass();
  t.log(`${what} after ${(performance.now() - begin).toFixed(0)} ms`);
};

/** A new service, a new key and the end of a key, each seen by the running process. */
const changes = async (t: ExecutionContext, name: string): Promise<void> => {
  const secret = clients.newClientSecret();
  const added = { registration: { ...MACHINE, clientId: name }, secret };
  await clients.apply(town.context(), [...town.registrations.map((registration) => ({ registration })), added]);
  const authorization = `Basic ${Buffer.from(`${name}:${secret.reveal()}`).toString('base64')}`;
  await soon(t, 'the service is known', async () => {
    const { status } = await post(town, '/token', { grant_type: 'client_credentials' }, authorization);
    return status === 200;
  });
  const published = async (kid: string): Promise<boolean> =>
    (await new Visitor().send(new URL('/jwks', town.issuer))).text.includes(kid);
  const { kid } = await signingKeys.rotate(town.context());
  await soon(t, 'the new key is published', () => published(kid));
  await signingKeys.revoke(town.context(), kid);
  await soon(t, 'the stolen key is gone', async () => !(await published(kid)));
};

test.serial('while the connection breaks again and again', async (t) => {
  const breaking = setInterval(() => cable.cut(), 20);
  try {
    await changes(t, 'abgerissen');
  } finally {
    clearInterval(breaking);
  }
});

test.serial('while the connection is silent', async (t) => {
  cable.silence();
  await changes(t, 'verstummt');
});
