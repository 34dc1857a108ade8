import test from 'ava';
import * as accounts from '../accounts/accounts.ts';
import type { Context } from '../accounts/context.ts';
import * as dynamicClients from '../accounts/dynamic-clients.ts';
import { parseClientId } from '../accounts/ids.ts';
import * as keyRotation from '../accounts/key-rotation.ts';
import * as notices from '../accounts/notices.ts';
import * as signingKeys from '../accounts/signing-keys.ts';
import type { KeyRing } from '../keys/key-ring.ts';
import { createKeys } from '../keys/keys.ts';
import { emailOf, freshRing, openDomain, TOWN } from './harness/domain.ts';

const withVersions = (ring: KeyRing, versions: [number, Buffer][], current: number): KeyRing => ({
  ...ring,
  keyEncryption: { current, versions: new Map(versions) },
});

const key = (): Buffer => freshRing().pseudonym;

test('the key-encryption key is renewed while everything runs; then the old one opens nothing and is not needed', async (t) => {
  const domain = await openDomain({ max: 8 });
  t.teardown(domain.database.drop);
  const [first, second] = [key(), key()];
  const at = (versions: [number, Buffer][], current: number): Context => ({
    ...domain.ctx,
    keys: createKeys(withVersions(domain.ring, versions, current)),
  });
  const before = at([[1, first]], 1);
  const during = at(
    [
      [1, first],
      [2, second],
    ],
    2,
  );
  const after = at([[2, second]], 2);

  const ids = [];
  for (let n = 0; n < 450; n += 1) {
    const registered = await accounts.register(before, {
      town: TOWN,
      language: 'de',
      email: emailOf(`b${n}@beispiel.example`),
      credential: { kind: 'password', hash: { hash: 'x', pepperVersion: 1 } },
    });
    if (registered.outcome === 'registered') ids.push(registered.account);
  }
  await signingKeys.ensure(before, ['ES256']);
  const client = parseClientId('probe');
  if (client === undefined) return t.fail();
  await dynamicClients.save(before, client, { client_id: 'probe' });
  await notices.enqueue(before, { to: 'a@beispiel.example', subject: 's', text: 't' });
  const published = (await signingKeys.load(before)).map(({ kid }) => kid);
  t.deepEqual([...(await keyRotation.usage(during)).keys()], [1]);

  // Four processes at once, while somebody reads with the keys of both versions.
  let done = false;
  const reader = (async () => {
    while (!done) t.truthy((await accounts.load(during, ids[Math.floor(Math.random() * ids.length)] as never))?.email);
  })();
  const worker = async (): Promise<number> => {
    let changed = 0;
    for (;;) {
      const turn = await keyRotation.rotate(during);
      changed += turn;
      if (turn === 0) return changed;
    }
  };
  const changed = await Promise.all([worker(), worker(), worker(), worker()]);
  while ((await keyRotation.rotate(during)) > 0);
  done = true;
  await reader;
  t.true(changed.reduce((sum, one) => sum + one, 0) >= 450);

  t.deepEqual(
    [...(await keyRotation.usage(during))],
    [
      [1, 1],
      [2, 450 + published.length + 1],
    ],
  );
  for (const { id } of await notices.takeDue(during, 10)) await notices.done(during, id);
  t.deepEqual([...(await keyRotation.usage(during)).keys()], [2], 'a mail that is delivered needs no key');
  for (const [n, id] of ids.entries()) t.is(String((await accounts.load(after, id))?.email), `b${n}@beispiel.example`);
  t.deepEqual(
    (await signingKeys.load(after)).map(({ kid }) => kid),
    published,
  );
  t.deepEqual(await dynamicClients.find(after, client), { client_id: 'probe' });
  await t.throwsAsync(accounts.load(before, ids[0] as never));
});
