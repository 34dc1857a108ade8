/** The database's disk is full: nothing is half done, no act of staff goes unrecorded, and all goes on when there is room. */
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { chmodSync, closeSync, mkdirSync, mkdtempSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import * as chain from '../../accounts/audit-chain.ts';
import * as desk from '../../accounts/desk.ts';
import type { AccountId } from '../../accounts/ids.ts';
import { startCluster } from '../harness/cluster.ts';
import { addCitizen, obtainCode, pkce, redeem, userinfo } from '../harness/relying-party.ts';
import { startTown } from '../harness/town.ts';
import { Visitor } from '../harness/visitor.ts';
import { scaled } from './scale.ts';

const DISK = '700m';
const CREDENTIALS = { email: 'voll@buerger.example', password: 'drei volle Platten im Regal' };

const mount = (folder: string): boolean => {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK},mode=0777`, 'tmpfs', folder], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};

/** Writes until nothing more fits; the room that is left is none. */
const fill = (path: string): void => {
  const file = openSync(path, 'a');
  for (const size of [1 << 20, 1 << 12]) {
    const chunk = Buffer.alloc(size, 1);
    try {
      for (;;) writeSync(file, chunk);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    }
  }
  closeSync(file);
};

test('a full disk', async (t) => {
  t.timeout(300_000);
  const folder = mkdtempSync(join(tmpdir(), 'schluessel-disk-'));
  chmodSync(folder, 0o711);
  const disk = join(folder, 'disk');
  mkdirSync(disk);
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  if (!mount(disk)) {
    t.log('no small file system can be mounted here');
    t.not(process.env['OPS_TOOLS'], 'all');
    return;
  }
  t.teardown(() => execFileSync('umount', ['-l', disk]));
  const before = process.env['TMPDIR'];
  process.env['TMPDIR'] = disk;
  const cluster = await startCluster().finally(() => {
    if (before === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = before;
  });
  const town = await startTown({ server: cluster.url });
  t.teardown(async () => {
    await town.close().catch(() => {});
    await cluster.end();
  });
  await addCitizen(town, CREDENTIALS.email, CREDENTIALS.password);
  const others: AccountId[] = [];
  for (let index = 0; index < scaled(100, 20); index += 1)
    others.push((await addCitizen(town, `anderer${index}@buerger.example`, CREDENTIALS.password)) as AccountId);

  const signedIn = new Visitor();
  await obtainCode(town, signedIn, 'fahrkarte', pkce(), CREDENTIALS);
  const tokens: string[] = [];
  const statuses = new Map<number, number>();
  const visit = async (): Promise<void> => {
    const proof = pkce();
    try {
      const code = await obtainCode(town, signedIn, 'fahrkarte', proof);
      const { status, body } = await redeem(town, 'fahrkarte', code, proof.verifier);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      if (status === 200) tokens.push(body['access_token'] ?? '');
    } catch (error) {
      const status = Number(/no code, but (\d+)/.exec((error as Error).message)?.[1] ?? Number.NaN);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
  };
  const locked: AccountId[] = [];
  let refused = 0;
  const lock = async (id: AccountId): Promise<void> => {
    try {
      const why = { reason: 'device-lost', ticket: 'V-1' } as const;
      if ((await desk.lock(town.context(), randomUUID(), id, why, [])).outcome === 'changed') locked.push(id);
    } catch {
      refused += 1;
    }
  };
  for (let turn = 0; turn < 5; turn += 1) await visit();
  await town.database.pool.query('CREATE UNLOGGED TABLE witness AS SELECT 1 AS one');

  const filler = join(disk, 'filler');
  fill(filler);
  t.true(statfsSync(disk).bavail <= 1);
  // Postgres goes on within the space that it has, then refuses, then may end.
  const queue = [...others];
  for (let turn = 0; turn < scaled(400, 100); turn += 1) {
    fill(filler);
    await visit();
    const next = turn % 5 === 0 ? queue.shift() : undefined;
    if (next !== undefined) await lock(next);
  }
  t.log(
    `while it was full: ${JSON.stringify(Object.fromEntries(statuses))}, ${locked.length} locked, ${refused} refused`,
  );
  t.true(refused > 0, 'it was felt');
  rmSync(filler);
  // What systemd and Patroni do: a Postgres that has ended is started again.
  await cluster.stop();
  await cluster.start();
  const deadline = Date.now() + 20_000;
  for (;;) {
    const healed = await obtainCode(town, new Visitor(), 'fahrkarte', pkce(), CREDENTIALS).then(
      () => true,
      () => false,
    );
    if (healed) break;
    if (Date.now() > deadline) return t.fail('it has not healed');
  }
  // A Postgres that crashed over its log comes back with empty unlogged tables. A code that was in them is gone for good, and
  // 400 (invalid_grant) tells the service to begin anew; after 503 it would try again in vain.
  const { rows: witness } = await town.database.pool.query('SELECT one FROM witness');
  const honest = witness.length === 0 ? [200, 400, 503] : [200, 503];
  t.deepEqual(
    [...statuses.keys()].filter((status) => !honest.includes(status)),
    [],
    `Postgres ${witness.length === 0 ? 'has crashed' : 'has not crashed'}`,
  );
  const alive = await Promise.all(tokens.map(async (token) => (await userinfo(town, token)).status));
  t.deepEqual(new Set(alive), new Set([200]), 'no token that was given is lost');
  const { rows: now } = await town.database.pool.query("SELECT id FROM accounts WHERE status = 'locked'");
  const { rows: recorded } = await town.database.pool.query(
    "SELECT account_id AS id FROM audit WHERE event = 'account-locked'",
  );
  const ids = (rows: { id: string }[]): string[] => rows.map(({ id }) => id).sort();
  t.deepEqual(ids(now), ids(recorded), 'what was done is recorded, and nothing else');
  for (const id of locked) t.true(ids(now).includes(id), 'what was acknowledged is done');
  await chain.advance(town.context());
  t.deepEqual((await chain.verify(town.context(), [])).faults, []);
});
