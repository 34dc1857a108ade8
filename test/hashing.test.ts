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
