/**
 * The reference model of the random walk (signin-model.test.ts) sees what it is there for: each planted fault is found on
 * a way that is among the walk's own, and the product as it is shows nothing on the same ways.
 */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';
import { PLANTED_FAULTS } from '../harness/planted-faults.ts';
import { testDatabase } from '../harness/postgres.ts';

const run = promisify(execFile);
const pathOf = (name: string): string => fileURLToPath(new URL(`../harness/${name}.ts`, import.meta.url));

type Command = readonly [name: string, browser: number, person: number];

/** By fault: a way on which it shows, and what the model says then. */
const WAYS: Readonly<Record<string, { readonly way: readonly Command[]; readonly seen: RegExp }>> = {
  'a password alone counts as two factors': {
    way: [
      ['openHigher', 0, 1],
      ['password', 0, 1],
      ['skip', 0, 1],
    ],
    seen: /^substantial by pwd/m,
  },
  'a passkey made with less than two factors is as good as any': {
    way: [
      ['wholeOffer', 0, 1],
      ['newBrowser', 0, 1],
      ['wholeKeySignIn', 0, 1],
    ],
    seen: /^substantial by weak-passkey/m,
  },
  'a sign-in without the app of the account': {
    way: [
      ['open', 0, 0],
      ['password', 0, 0],
    ],
    seen: /^an account with an app without its second factor/m,
  },
  'a new password without the app of the account': {
    way: [
      ['open', 0, 0],
      ['forget', 0, 0],
      ['recover', 0, 0],
      ['reset', 0, 0],
    ],
    seen: /^a credential changed after code/m,
  },
  'a change of the account without its passkey': {
    way: [
      ['wholePasskey', 0, 0],
      ['wholeChange', 1, 0],
    ],
    seen: /^a credential changed after pwd\+otp/m,
  },
};

type Finishing = { teardown(work: () => Promise<void>): void };

const walk = async (t: Finishing, ways: readonly (readonly Command[])[], planted = ''): Promise<string> => {
  const database = await testDatabase();
  t.teardown(() => database.drop());
  const { stdout } = await run(
    process.execPath,
    ['--import', pathOf('planted-faults'), pathOf('sign-in-walker'), JSON.stringify(ways)],
    { timeout: 180_000, env: { ...process.env, TEST_DATABASE_URL: database.url, PLANTED_FAULT: planted } },
  );
  return stdout;
};

test.serial('on the ways below the product as it is does nothing that must never be', async (t) => {
  t.deepEqual(Object.keys(WAYS), Object.keys(PLANTED_FAULTS));
  const ways = Object.values(WAYS).map(({ way }) => way);
  t.is(await walk(t, ways), 'walked\n');
});

for (const [name, { way, seen }] of Object.entries(WAYS)) {
  test.serial(`the model sees: ${name}`, async (t) => t.regex(await walk(t, [way], name), seen));
}
