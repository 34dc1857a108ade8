import test from 'ava';
import * as clients from '../accounts/clients.ts';
import { type ClientId, parseClientId } from '../accounts/ids.ts';
import { Secret } from '../accounts/secret.ts';
import { openDomain, registrationOf } from './harness/domain.ts';

const idOf = (text: string): ClientId => parseClientId(text) as ClientId;

test('exactly the wanted registrations are in force, and all processes are told only if something changed', async (t) => {
  const domain = await openDomain();
  const { ctx } = domain;
  const listener = await domain.database.pool.connect();
  const told: string[] = [];
  listener.on('notification', ({ channel }) => told.push(channel));
  await listener.query('LISTEN registrations');
  const [one, two] = [registrationOf(), registrationOf({ clientId: 'bauakte', organisation: 'stadt' })];

  t.deepEqual(await clients.apply(ctx, [{ registration: one }, { registration: two }]), {
    added: ['bibliothek', 'bauakte'],
    changed: [],
    removed: [],
  });
  t.deepEqual(
    (await clients.all(ctx)).map(({ registration }) => registration),
    [two, one],
  );
  const shuffled = JSON.parse(JSON.stringify(Object.fromEntries(Object.entries(one).reverse())));
  t.deepEqual(await clients.apply(ctx, [{ registration: shuffled }, { registration: two }]), {
    added: [],
    changed: [],
    removed: [],
  });
  const changed = registrationOf({ needsEmail: true });
  t.deepEqual(await clients.apply(ctx, [{ registration: changed }]), {
    added: [],
    changed: ['bibliothek'],
    removed: ['bauakte'],
  });
  t.deepEqual((await clients.find(ctx, idOf('bibliothek')))?.registration, changed);
  t.is(await clients.find(ctx, idOf('bauakte')), undefined);
  await listener.query('SELECT 1');
  t.deepEqual(told, ['registrations', 'registrations']);
  listener.release(true);
  await domain.database.drop();
});

test('nodes that start together apply the same registrations once', async (t) => {
  const domain = await openDomain();
  const secret = clients.newClientSecret();
  const results = await Promise.all(
    Array.from({ length: 6 }, () => clients.apply(domain.ctx, [{ registration: registrationOf(), secret }])),
  );
  t.is(results.filter(({ added }) => added.length === 1).length, 1);
  t.is(results.filter(({ changed }) => changed.length > 0).length, 0);
  await domain.database.drop();
});

test('a secret is stored hashed, the one before stays good, older ones end', async (t) => {
  const domain = await openDomain();
  const { ctx } = domain;
  const given = new Secret('a'.repeat(43));
  await clients.apply(ctx, [{ registration: registrationOf(), secret: given }]);
  await clients.apply(ctx, [{ registration: registrationOf() }]);
  const secrets = async () => (await clients.find(ctx, idOf('bibliothek')))?.secrets ?? [];
  t.true(clients.secretMatches(await secrets(), given.reveal()));
  const first = await clients.addSecret(ctx, idOf('bibliothek'));
  const second = await clients.addSecret(ctx, idOf('bibliothek'));
  if (first.outcome !== 'added' || second.outcome !== 'added') return t.fail();
  const stored = await secrets();
  t.is(stored.length, 2);
  t.true(clients.secretMatches(stored, second.secret.reveal()));
  t.true(clients.secretMatches(stored, first.secret.reveal()));
  t.false(clients.secretMatches(stored, given.reveal()));
  for (const wrong of ['', 'a', stored[0] ?? '', `${second.secret.reveal()} `])
    t.false(clients.secretMatches(stored, wrong));
  t.deepEqual(await clients.addSecret(ctx, idOf('nobody')), { outcome: 'unknown-client' });
  await domain.database.drop();
});

test('a new secret has only letters and digits, as clients mis-encode anything else', (t) => {
  const made = Array.from({ length: 50 }, () => clients.newClientSecret().reveal());
  for (const secret of made) t.regex(secret, /^[A-Za-z0-9]{43}$/);
  t.is(new Set(made).size, 50);
});
