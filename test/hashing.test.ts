import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { HashingBusy } from '../accounts/passwords.ts';
import { Secret } from '../accounts/secret.ts';
import { createHashing } from '../adapters/hashing.ts';

const PASSWORD = new Secret('Fünf Störche überm Rathaus');
const PEPPER = Buffer.alloc(32, 1);
const CHEAP = { memoryKiB: 1024, passes: 2 };

const runs = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

test.serial('a password is verified only with its own pepper', async (t) => {
  const hashing = createHashing({ processes: 1, ...CHEAP });
  const phc = await hashing.hash(PASSWORD, PEPPER);
  t.regex(phc, /^\$argon2id\$v=19\$m=1024,p=1,t=2\$/);
  t.not(phc, await hashing.hash(PASSWORD, PEPPER));
  t.true(await hashing.verify(phc, PASSWORD, PEPPER));
  t.false(await hashing.verify(phc, new Secret('another'), PEPPER));
  t.false(await hashing.verify(phc, PASSWORD, Buffer.alloc(32, 2)));
  await t.throwsAsync(hashing.verify('not a hash', PASSWORD, PEPPER), { message: /hashing failed/ });
  await hashing.close();
});

test.serial('hashing runs in processes of its own, at low priority, without the environment', async (t) => {
  const hashing = createHashing({ processes: 2, ...CHEAP });
  await hashing.hash(PASSWORD, PEPPER);
  const { processes: pids } = hashing.stats();
  t.is(pids.length, 2);
  for (const pid of pids) {
    const nice = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[16];
    t.is(nice, '10');
    t.false(readFileSync(`/proc/${pid}/environ`, 'utf8').includes('PATH='));
  }
  await hashing.close();
  t.false(pids.some(runs));
});

test.serial('what does not fit into the queue is refused at once', async (t) => {
  const hashing = createHashing({ processes: 1, queue: 2, ...CHEAP });
  const jobs = Array.from({ length: 10 }, () => hashing.hash(PASSWORD, PEPPER));
  t.is(hashing.stats().refused, 7);
  const results = await Promise.allSettled(jobs);
  t.is(results.filter(({ status }) => status === 'fulfilled').length, 3);
  for (const result of results) if (result.status === 'rejected') t.true(result.reason instanceof HashingBusy);
  t.like(hashing.stats(), { running: 0, waiting: 0, done: 3, refused: 7 });
  t.regex(await hashing.hash(PASSWORD, PEPPER), /^\$argon2id/);
  await hashing.close();
});

test.serial('where many wait, several are told at once, and each its own', async (t) => {
  const hashing = createHashing({ processes: 1, ...CHEAP });
  const phc = await hashing.hash(PASSWORD, PEPPER);
  let turn = 0;
  const count = (): void => {
    turn += 1;
    setImmediate(count).unref();
  };
  count();
  const turns = new Set<number>();
  const ask = async (index: number): Promise<string> => {
    try {
      if (index % 3 === 0) return String(await hashing.verify(phc, PASSWORD, PEPPER));
      if (index % 3 === 1) return String(await hashing.verify(phc, new Secret(`another ${index}`), PEPPER));
      return await hashing.verify('not a hash', PASSWORD, PEPPER).then(String);
    } catch {
      return 'failed';
    } finally {
      turns.add(turn);
    }
  };
  const answers = await Promise.all(Array.from({ length: 36 }, (_, index) => ask(index)));
  t.deepEqual(
    answers,
    answers.map((_, index) => ['true', 'false', 'failed'][index % 3]),
  );
  t.true(turns.size <= 18, `36 answers in ${turns.size} turns`);
  t.like(hashing.stats(), { running: 0, waiting: 0, done: 37, refused: 0 });
  await hashing.close();
});

test.serial(
  'of a group whose process dies each is tried once more, and one that kills again is refused alone',
  async (t) => {
    const hashing = createHashing({ processes: 1, memoryKiB: 64 * 1024, passes: 2 });
    await hashing.hash(PASSWORD, PEPPER);
    const jobs = Array.from({ length: 20 }, () => hashing.hash(PASSWORD, PEPPER));
    const settled = Promise.allSettled(jobs);
    await Promise.all(jobs.slice(0, 2));
    // Now a group is under way.
    await sleep(5);
    const kill = async (known: number | undefined): Promise<number> => {
      for (;;) {
        const [pid] = hashing.stats().processes;
        if (pid !== undefined && pid !== known) {
          await sleep(known === undefined ? 0 : 50);
          process.kill(pid, 'SIGKILL');
          return pid;
        }
        await sleep(1);
      }
    };
    await kill(await kill(undefined));
    const results = await settled;
    t.is(results.filter(({ status }) => status === 'rejected').length, 1);
    const hashes = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    t.is(new Set(hashes).size, 19);
    await hashing.close();
  },
);

test.serial('a process that dies is replaced, and its jobs are done by the next one', async (t) => {
  const hashing = createHashing({ processes: 1, memoryKiB: 64 * 1024, passes: 4 });
  await hashing.hash(PASSWORD, PEPPER);
  const [pid] = hashing.stats().processes;
  if (pid === undefined) return t.fail();
  // One under way, one at hand, one waiting.
  const jobs = Promise.all(Array.from({ length: 3 }, () => hashing.hash(PASSWORD, PEPPER)));
  await sleep(5);
  process.kill(pid, 'SIGKILL');
  t.is(new Set(await jobs).size, 3);
  t.is(hashing.stats().processes.length, 1);
  t.false(hashing.stats().processes.includes(pid));
  await hashing.close();
});

test.serial('closing refuses what waits and ends the processes', async (t) => {
  const hashing = createHashing({ processes: 1, queue: 10, ...CHEAP });
  const { processes: pids } = hashing.stats();
  const jobs = Promise.allSettled(Array.from({ length: 5 }, () => hashing.hash(PASSWORD, PEPPER)));
  await hashing.close();
  t.true((await jobs).some(({ status }) => status === 'rejected'));
  await t.throwsAsync(hashing.hash(PASSWORD, PEPPER), { message: 'hashing is closed' });
  t.false(pids.some(runs));
});
