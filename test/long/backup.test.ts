import { execFile } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';
import * as accounts from '../../accounts/accounts.ts';
import * as audit from '../../accounts/audit.ts';
import * as chain from '../../accounts/audit-chain.ts';
import type { Context } from '../../accounts/context.ts';
import { parseEmail } from '../../accounts/email.ts';
import { connect, migrate } from '../../adapters/postgres.ts';
import { backupsIn, exportTombstones, takeBackup } from '../../infra/backup/backup.ts';
import { practise } from '../../infra/backup/drill.ts';
import { restore } from '../../infra/backup/restore.ts';
import { postgresProgram } from '../../infra/backup/settings.ts';
import { joinShares, newIdentity, splitIdentity } from '../../infra/backup/shares.ts';
import { throwAway } from '../../infra/backup/throw-away.ts';
import { newKeyRing, parseKeyRing } from '../../keys/key-ring.ts';
import { createKeys } from '../../keys/keys.ts';
import { MIGRATIONS } from '../harness/postgres.ts';
import { TEST_TOWN } from '../harness/town.ts';

const run = promisify(execFile);
const MAIN = fileURLToPath(new URL('../../infra/backup/main.ts', import.meta.url));

/** Debian's Postgres with its programs; the embedded one comes without pg_dump. */
const installed = await run(postgresProgram(process.env, 'pg_dump'), ['--version']).then(
  () => true,
  () => false,
);

const privately = (path: string, text: string): string => {
  writeFileSync(path, text, { mode: 0o600 });
  return path;
};

test.serial(
  'two of three parts restore the secret half; one does not, and a slip is told apart from a wrong part',
  async (t) => {
    const { identity, recipient } = await newIdentity();
    t.regex(recipient, /^age1pq1/);
    const parts = await splitIdentity(identity);
    const [one = '', two = '', three = ''] = parts;
    for (const pair of [
      [one, two],
      [two, three],
      [three, one],
      [one, two, three],
    ])
      t.is(await joinShares(pair), identity);
    t.is(await joinShares([one.toUpperCase(), `  ${three.slice(0, 60)} ${three.slice(60)}\n`]), identity);
    for (const part of parts) t.false(part.includes(identity));
    await t.throwsAsync(joinShares([one, one]), { message: /2 different parts/ });
    const typo = one.replace(/[0-9a-f](?=[0-9a-f]{20}-[0-9a-f]{8}$)/, (digit) => (digit === '0' ? '1' : '0'));
    await t.throwsAsync(joinShares([typo, two]), { message: /typing error/ });
    const [foreign = ''] = await splitIdentity((await newIdentity()).identity);
    await t.throwsAsync(joinShares([foreign, two]), { message: /different keys/ });
  },
);

test.serial('a backup is restored: equal in all its tables, nobody signed in, the deleted stay deleted', async (t) => {
  if (!installed) {
    t.log('pg_dump is not installed here');
    t.not(process.env['OPS_TOOLS'], 'all');
    return;
  }
  const folder = mkdtempSync(join(tmpdir(), 'schluessel-backup-test-'));
  const source = await throwAway(process.env);
  const target = await throwAway(process.env);
  t.teardown(async () => {
    await source.end();
    await target.end();
    rmSync(folder, { recursive: true, force: true });
  });
  await migrate(source.url, MIGRATIONS);
  const text = newKeyRing();
  const ring = parseKeyRing(text);
  if ('faults' in ring) throw new Error(ring.faults.join());
  const keys = createKeys(ring);
  const postgres = connect(source.url, { applicationName: 'test', max: 2 });
  const ctx: Context = { db: postgres.knex, now: () => new Date(), keys, actor: { kind: 'system', part: 'test' } };
  const people: string[] = [];
  for (const name of ['bleibt', 'geht', 'ging-vorher']) {
    const email = parseEmail(`${name}@buerger.example`);
    if (email === undefined) throw new Error('not an address');
    const registered = await accounts.register(ctx, {
      town: TEST_TOWN,
      language: 'de',
      email,
      credential: {
        kind: 'password',
        hash: { hash: '$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$x', pepperVersion: 1 } as never,
      },
    });
    if (registered.outcome !== 'registered') throw new Error(registered.outcome);
    people.push(registered.account);
  }
  const [stays = '', goes = ''] = people;
  const expires = new Date(Date.now() + 3_600_000);
  await ctx
    .db('oidc_grants')
    .insert({ id: Buffer.from('grant'), account_id: stays, sealed: Buffer.from('x'), expires_at: expires });
  await ctx.db('oidc_lasting').insert({
    id: Buffer.from('token'),
    model: 'RefreshToken',
    grant_id: Buffer.from('grant'),
    sealed: Buffer.from('x'),
    expires_at: expires,
  });
  await ctx
    .db('notices')
    .insert({ id: stays, sealed: Buffer.from('x'), created_at: new Date(), due_at: expires, expires_at: expires });

  const checkpoints = join(folder, 'checkpoints.jsonl');
  const keepCheckpoint = async (): Promise<void> =>
    appendFileSync(checkpoints, `${JSON.stringify(chain.checkpoint(ctx, await chain.advance(ctx)))}\n`);
  await keepCheckpoint();
  await keepCheckpoint();
  const { identity, recipient } = await newIdentity();
  const env = {
    ...process.env,
    DATABASE_URL: source.url,
    BACKUP_FOLDER: folder,
    BACKUP_RECIPIENT: recipient,
    BACKUP_METRICS_FILE: join(folder, 'backup.prom'),
  };
  const made = await run(process.execPath, [MAIN, 'backup'], { env });
  t.regex(made.stdout, /\.dump\.age: \d+ bytes/);
  t.regex(readFileSync(env.BACKUP_METRICS_FILE, 'utf8'), /^schluessel_backup_timestamp_seconds \d+/m);
  const [backup] = backupsIn(folder);
  if (backup === undefined) throw new Error('no backup');
  const sealed = readFileSync(join(folder, backup.file));
  t.true(sealed.subarray(0, 21).toString().startsWith('age-encryption.org/v1'));
  for (const plain of ['PGDMP', 'buerger.example', 'argon2id', stays]) t.false(sealed.includes(plain), plain);
  t.is(backup.digests['accounts']?.rows, 3);

  // After the backup a citizen is deleted; only the tombstone knows.
  await ctx.db('accounts').where({ id: goes }).delete();
  await ctx.db('tombstones').insert({ account_id: goes, gone_on: '2026-01-02' });
  await audit.record(ctx, 'notices-retried', { detail: { count: 0 } });
  await keepCheckpoint();
  t.is(await exportTombstones(env), 1);

  const identityFile = privately(join(folder, 'identity'), identity);
  const into = {
    ...process.env,
    DATABASE_URL: target.url,
    BACKUP_IDENTITY_FILE: identityFile,
    AUDIT_CHECKPOINTS: checkpoints,
    KEYRING_FILE: privately(join(folder, 'keyring.json'), text),
  };
  const wrongKeys = { ...into, KEYRING_FILE: privately(join(folder, 'other.json'), newKeyRing()) };
  const spare = await throwAway(process.env);
  await t.throwsAsync(restore({ ...wrongKeys, DATABASE_URL: spare.url }, { ...backup, folder }), {
    message: /does not open the accounts/,
  });
  await spare.end();
  const stranger = privately(join(folder, 'stranger'), (await newIdentity()).identity);
  await t.throwsAsync(restore({ ...into, BACKUP_IDENTITY_FILE: stranger }, { ...backup, folder }), {
    message: /does not open this backup/,
  });
  chmodSync(identityFile, 0o644);
  await t.throwsAsync(restore(into, { ...backup, folder }), { message: /chmod 600/ });
  chmodSync(identityFile, 0o600);
  await t.throwsAsync(restore(into, { ...backup, folder, sha256: '0' }), { message: /damaged/ });

  const done = await run(process.execPath, [MAIN, 'restore', join(folder, backup.file.replace('.dump.age', '.json'))], {
    env: into,
  });
  t.regex(done.stdout, /every table as it was; 3 accounts opened/);
  t.regex(done.stdout, /revoked: 2 sessions, grants, tokens and codes; deleted again: 1 accounts/);
  t.regex(done.stdout, /RPO \d+\.\d s {3}RTO \d+\.\d s/);
  t.regex(done.stdout, /audit: [1-9]\d* links, 2 checkpoints, 0 faults/);
  await t.throwsAsync(restore(into, { ...backup, folder }), { message: /not empty/ });

  const after = connect(target.url, { applicationName: 'test', max: 1 });
  t.teardown(() => after.close());
  t.deepEqual(
    (await after.knex('accounts').select('id').orderBy('id')).map(({ id }) => id),
    people.filter((id) => id !== goes).sort(),
  );
  for (const table of ['oidc_grants', 'oidc_lasting', 'notices'])
    t.deepEqual(await after.knex(table).select(), [], table);
  t.is((await accounts.findByIdentifier({ ...ctx, db: after.knex }, 'bleibt@buerger.example')) as string, stays);
  t.is(await accounts.findByIdentifier({ ...ctx, db: after.knex }, 'geht@buerger.example'), undefined);
  t.is((await after.knex('audit').where({ event: 'backup-restored' }).select()).length, 1);
  await postgres.close();

  const drill = await practise(into.BACKUP_IDENTITY_FILE === '' ? {} : { ...into, BACKUP_FOLDER: folder });
  t.true(drill.rpoSeconds > 0 && drill.rtoSeconds > 0);
  t.is(drill.forgotten, 1);
  t.is(drill.audit.faults, 0);
  t.log(`RPO ${drill.rpoSeconds.toFixed(1)} s, RTO ${drill.rtoSeconds.toFixed(1)} s`);
});

test.serial(
  'a backup that breaks off leaves no file behind; old ones go after a month, never the newest',
  async (t) => {
    if (!installed) {
      t.not(process.env['OPS_TOOLS'], 'all');
      return;
    }
    const folder = mkdtempSync(join(tmpdir(), 'schluessel-backup-test-'));
    const source = await throwAway(process.env);
    t.teardown(async () => {
      await source.end();
      rmSync(folder, { recursive: true, force: true });
    });
    await migrate(source.url, MIGRATIONS);
    const env = {
      ...process.env,
      DATABASE_URL: source.url,
      BACKUP_FOLDER: folder,
      BACKUP_RECIPIENT: (await newIdentity()).recipient,
    };
    await t.throwsAsync(takeBackup({ ...env, PG_BIN: '/nonexistent' }));
    t.deepEqual(readdirSync(folder), []);
    const first = await takeBackup(env);
    await new Promise((resolve) => setTimeout(resolve, 1100));
    const second = await takeBackup(env, () => new Date(Date.now() + 31 * 86_400_000));
    t.deepEqual(
      backupsIn(folder).map(({ file }) => file),
      [second.file],
    );
    t.false(readdirSync(folder).includes(first.file));
  },
);

test.serial('the key ring is sealed for the same people', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'schluessel-backup-test-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const { identity, recipient } = await newIdentity();
  const text = newKeyRing();
  const env = {
    ...process.env,
    KEYRING_FILE: privately(join(folder, 'keyring.json'), text),
    BACKUP_RECIPIENT: recipient,
  };
  await run(process.execPath, [MAIN, 'keys', 'seal', join(folder, 'keyring.age')], { env });
  const opening = {
    ...process.env,
    KEYRING_FILE: join(folder, 'wieder.json'),
    BACKUP_IDENTITY_FILE: privately(join(folder, 'identity'), identity),
  };
  await run(process.execPath, [MAIN, 'keys', 'open', join(folder, 'keyring.age')], { env: opening });
  t.is(readFileSync(opening.KEYRING_FILE, 'utf8'), text);
  t.is(statSync(opening.KEYRING_FILE).mode & 0o777, 0o600);
  const again = await t.throwsAsync<Error & { stderr: string }>(
    run(process.execPath, [MAIN, 'keys', 'open', join(folder, 'keyring.age')], { env: opening }),
  );
  t.regex(again?.stderr ?? '', /is there already; nothing was changed/);
});
