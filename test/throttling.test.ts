import { fork } from 'node:child_process';
import test from 'ava';
import * as accounts from '../accounts/accounts.ts';
import * as devices from '../accounts/devices.ts';
import * as passwords from '../accounts/passwords.ts';
import { Secret } from '../accounts/secret.ts';
import { newKeyRing, parseKeyRing } from '../keys/key-ring.ts';
import { createKeys } from '../keys/keys.ts';
import { emailOf, TOWN } from './harness/domain.ts';
import type { Orders, Report } from './harness/guesser.ts';
import { testDatabase } from './harness/postgres.ts';

const LIMIT = 10;
const EMAIL = 'ziel@buerger.example';
const PROGRAM = new URL('./harness/guesser.ts', import.meta.url).pathname;

const guessIn = (orders: Orders): Promise<Report> =>
  new Promise((resolve, reject) => {
    const child = fork(PROGRAM, { stdio: 'inherit' });
    child.once('message', (report) => resolve(report as Report));
    child.once('error', reject);
    child.once('exit', (code) => code !== 0 && reject(new Error(`the guesser ended with ${code}`)));
    child.send(orders);
  });

test('of 200 parallel guesses over two processes no more than ten are evaluated; the owner gets in all the same', async (t) => {
  const database = await testDatabase({ max: 5 });
  const ring = newKeyRing();
  const parsed = parseKeyRing(ring);
  if ('faults' in parsed) return t.fail(parsed.faults.join());
  const keys = createKeys(parsed);
  const ctx = { db: database.knex, now: () => new Date(), keys, actor: { kind: 'system', part: 'test' } } as const;
  const registered = await accounts.register(ctx, {
    town: TOWN,
    language: 'de',
    email: emailOf(EMAIL),
    credential: {
      kind: 'password',
      hash: { hash: '$argon2id$v=19$m=1,t=1,p=1$', pepperVersion: keys.pepper().version },
    },
  });
  if (registered.outcome !== 'registered') return t.fail(registered.outcome);
  const device = devices.newDevice();
  await devices.remember(ctx, registered.account, { id: device, name: 'Firefox', keep: true, signedIn: false });

  // By both names of the citizen: they have one budget.
  const orders = { url: database.url, ring, guesses: 100 };
  const reports = await Promise.all([
    guessIn({ ...orders, identifier: EMAIL }),
    guessIn({ ...orders, identifier: registered.kennung }),
  ]);
  const evaluated = reports.reduce((sum, report) => sum + report.evaluated, 0);
  const waits = reports.reduce((sum, report) => sum + report.waits, 0);
  t.true(evaluated <= LIMIT && evaluated > 0, `${evaluated} evaluated`);
  t.is(evaluated + waits, 200);

  const hashing: passwords.PasswordHashing = {
    hash: async () => '$argon2id$v=19$m=1,t=1,p=1$',
    verify: async () => true,
  };
  const signIn = (from: { address: string; device?: string }) =>
    passwords.verify(ctx, hashing, EMAIL, new Secret('richtig'), from);
  t.is((await signIn({ address: '198.51.100.7' })).outcome, 'wait');
  t.is((await signIn({ address: '198.51.100.7', device: devices.newDevice() })).outcome, 'wait');
  t.is((await signIn({ address: '192.0.2.1', device })).outcome, 'proven');
  await database.drop();
});
