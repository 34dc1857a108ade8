import test from 'ava';
import * as accounts from '../accounts/accounts.ts';
import * as activities from '../accounts/activities.ts';
import type { Context } from '../accounts/context.ts';
import { judge } from '../accounts/password-rules.ts';
import * as passwords from '../accounts/passwords.ts';
import { Secret } from '../accounts/secret.ts';
import { createHashing, type Hashing } from '../adapters/hashing.ts';
import { createKeys } from '../keys/keys.ts';
import { emailOf, freshRing, openDomain, TOWN } from './harness/domain.ts';

const RIGHT = new Secret('Fünf Störche überm Rathaus');
const WRONG = new Secret('Sechs Störche überm Rathaus');
const FROM = { address: '192.0.2.1' };

const hashing: Hashing = createHashing({ processes: 2, queue: 500, memoryKiB: 1024, passes: 2 });
test.after.always(() => hashing.close());

/** The same hashing, which notes what it evaluated. */
const counted = (): passwords.PasswordHashing & { verified: string[] } => {
  const verified: string[] = [];
  return {
    verified,
    hash: (password, pepper) => hashing.hash(password, pepper),
    verify(phc, password, pepper) {
      verified.push(phc);
      return hashing.verify(phc, password, pepper);
    },
  };
};

const register = async (ctx: Context, address?: string) => {
  const credential = { kind: 'password', hash: await passwords.hashNew(ctx, hashing, RIGHT) } as const;
  const email = address === undefined ? {} : { email: emailOf(address) };
  const registered = await accounts.register(ctx, { town: TOWN, language: 'de', credential, ...email });
  if (registered.outcome !== 'registered') throw new Error(registered.outcome);
  return registered;
};

test('a citizen signs in by e-mail address or Kennung, however the keyboard composes the password', async (t) => {
  const domain = await openDomain();
  const { ctx } = domain;
  const { account, kennung } = await register(ctx, 'erika@beispiel.example');
  const decomposed = new Secret(RIGHT.reveal().normalize('NFD'));
  t.not(decomposed.reveal(), RIGHT.reveal());
  for (const identifier of ['Erika@Beispiel.example', kennung]) {
    t.deepEqual(await passwords.verify(ctx, hashing, identifier, decomposed, FROM), { outcome: 'proven', account });
  }
  t.deepEqual(await passwords.verify(ctx, hashing, kennung, WRONG, FROM), { outcome: 'wrong' });
  const events = (await activities.list(ctx, account)).map(({ event }) => event).sort();
  t.deepEqual(events, ['sign-in-proven', 'sign-in-proven', 'sign-in-refused']);
  await domain.database.drop();
});

test('of 100 parallel guesses at a citizen no more than 10 are evaluated, by whichever identifier', async (t) => {
  const domain = await openDomain({ max: 20 });
  const { ctx } = domain;
  const { kennung } = await register(ctx, 'erika@beispiel.example');
  const counting = counted();
  const results = await Promise.all(
    Array.from({ length: 100 }, (_, n) =>
      passwords.verify(ctx, counting, n % 2 === 0 ? kennung : 'erika@beispiel.example', WRONG, {
        address: `192.0.2.${n}`,
      }),
    ),
  );
  t.is(counting.verified.length, 10);
  t.is(results.filter(({ outcome }) => outcome === 'wrong').length, 10);
  const refused = await passwords.verify(ctx, counting, kennung, RIGHT, FROM);
  t.deepEqual(refused, { outcome: 'wait', until: new Date(ctx.now().getTime() + 900_000) });
  domain.pass(900);
  t.is((await passwords.verify(ctx, counting, kennung, RIGHT, FROM)).outcome, 'proven');
  await domain.database.drop();
});

test('unknown citizens, citizens without a password and locked ones cost one hash of the same price and give the same answer', async (t) => {
  const domain = await openDomain();
  const { ctx } = domain;
  const { account } = await register(ctx, 'locked@beispiel.example');
  await ctx.db('accounts').where({ id: account }).update({ status: 'locked' });
  const withPasskey = await accounts.register(ctx, {
    town: TOWN,
    language: 'de',
    email: emailOf('passkey@beispiel.example'),
    credential: {
      kind: 'passkey',
      handle: accounts.newPasskeyHandle(),
      passkey: {
        credentialId: 'AAAA',
        publicKey: 'AAAA',
        counter: 0,
        transports: [],
        aaguid: '00000000-0000-0000-0000-000000000000',
        backedUp: false,
      },
    },
  });
  t.is(withPasskey.outcome, 'registered');
  const counting = counted();
  for (const identifier of [
    'nobody@beispiel.example',
    'locked@beispiel.example',
    'passkey@beispiel.example',
    'x',
    '',
  ]) {
    t.deepEqual(await passwords.verify(ctx, counting, identifier, RIGHT, FROM), { outcome: 'wrong' }, identifier);
  }
  t.is(counting.verified.length, 5);
  t.true(counting.verified.every((phc) => phc.startsWith('$argon2id$v=19$m=1024,p=1,t=2$')));
  t.is(new Set(counting.verified).size, 1);
  const refused = await ctx.db('activities');
  t.is(refused.length, 5);
  await domain.database.drop();
});

test('an unknown citizen is throttled like a known one', async (t) => {
  const domain = await openDomain();
  const guess = () => passwords.verify(domain.ctx, hashing, 'nobody@beispiel.example', WRONG, FROM);
  for (let n = 0; n < 10; n += 1) t.is((await guess()).outcome, 'wrong');
  t.is((await guess()).outcome, 'wait');
  await domain.database.drop();
});

test('a success frees the account, and many citizens behind one address do not use it up', async (t) => {
  const domain = await openDomain();
  const { ctx } = domain;
  const { kennung } = await register(ctx);
  for (let round = 0; round < 3; round += 1) {
    for (let n = 0; n < 9; n += 1) await passwords.verify(ctx, hashing, kennung, WRONG, FROM);
    t.is((await passwords.verify(ctx, hashing, kennung, RIGHT, FROM)).outcome, 'proven');
  }
  const counts = (await ctx.db('attempts').select('count')).map(({ count }) => count);
  t.deepEqual(counts, [27, 27]);
  await domain.database.drop();
});

test('a guess that could not be evaluated is given back, and the caller learns that it is busy', async (t) => {
  const domain = await openDomain();
  const { ctx } = domain;
  const { kennung } = await register(ctx);
  const small = createHashing({ processes: 1, queue: 0, memoryKiB: 1024, passes: 2 });
  await passwords.verify(ctx, small, kennung, WRONG, FROM);
  const others: Promise<string>[] = [];
  const occupied: passwords.PasswordHashing = {
    hash: (password, pepper) => small.hash(password, pepper),
    verify(...job) {
      others.push(small.hash(RIGHT, Buffer.alloc(32)));
      return small.verify(...job);
    },
  };
  await t.throwsAsync(passwords.verify(ctx, occupied, kennung, RIGHT, FROM), { instanceOf: passwords.HashingBusy });
  await Promise.all(others);
  t.deepEqual(new Set((await ctx.db('attempts').select('count')).map(({ count }) => count)), new Set([1]));
  await small.close();
  await domain.database.drop();
});

test('a sign-in brings the hash to the current pepper and cost', async (t) => {
  const domain = await openDomain();
  const { ctx, ring } = domain;
  const { kennung, account } = await register(ctx);
  const pepper = freshRing().pepper.versions.get(1) ?? Buffer.alloc(0);
  const keys = createKeys({
    ...ring,
    pepper: { current: 2, versions: new Map([...ring.pepper.versions, [2, pepper]]) },
  });
  const stronger = createHashing({ processes: 1, memoryKiB: 2048, passes: 2 });
  const renewed = { ...ctx, keys };
  t.is((await passwords.verify(renewed, stronger, kennung, RIGHT, FROM)).outcome, 'proven');
  const [row] = await ctx.db('passwords').where({ account_id: account }).select('hash', 'pepper_version');
  t.is(row.pepper_version, 2);
  t.true(row.hash.startsWith('$argon2id$v=19$m=2048,p=1,t=2$'));
  t.is((await passwords.verify(renewed, stronger, kennung, RIGHT, FROM)).outcome, 'proven');
  t.is((await passwords.verify(renewed, stronger, kennung, WRONG, FROM)).outcome, 'wrong');
  await stronger.close();
  await domain.database.drop();
});

test('a password is judged by its length in characters and by what is left without guessable parts', (t) => {
  const hints = ['erika.mustermann@beispiel.example', 'Gütersloh', 'Stadtwerke'];
  const cases: [string, ReturnType<typeof judge>][] = [
    ['kurz', 'too-short'],
    ['vierzehn Zeich', 'too-short'],
    ['😀'.repeat(14), 'too-short'],
    ['x'.repeat(129), 'too-long'],
    ['guetersloh2024!', 'local'],
    ['Gutersloh-Gütersloh', 'local'],
    ['GuetersloherStadtwerke', 'local'],
    ['aaaaaaaaaaaaaaaaaaaa', 'too-common'],
    ['123456789012345678', 'too-common'],
    ['abcdefghijklmnopqr', 'too-common'],
    ['PasswortPasswort12', 'too-common'],
    ['erika.mustermann12', 'local'],
    ['Fünf Störche überm Rathaus', 'ok'],
    ['correct horse battery staple', 'ok'],
    ['!§$%&/()=?`*_:;>', 'ok'],
    ['зелёный крокодил', 'ok'],
    ['😀😃😄😁😆😅😂🤣😊😇🙂🙃😉😌😍', 'ok'],
    [`Rathausplatz ${'z'.repeat(115)}`, 'ok'],
  ];
  for (const [password, verdict] of cases) t.is(judge(password, hints), verdict, password);
});

test('a secret prints nothing of itself', (t) => {
  t.is(`${RIGHT}`, '[secret]');
  t.is(JSON.stringify({ RIGHT }), '{"RIGHT":"[secret]"}');
});
