import test from 'ava';
import * as audit from '../accounts/audit.ts';
import * as chain from '../accounts/audit-chain.ts';
import { newAccountId } from '../accounts/ids.ts';
import { type Domain, openDomain } from './harness/domain.ts';

const open: Domain[] = [];
const domain = async (): Promise<Domain> => {
  const one = await openDomain();
  open.push(one);
  return one;
};

test.after.always(() => Promise.all(open.map(({ database }) => database.drop())));

const write = async ({ ctx }: Domain, count: number): Promise<void> => {
  for (let index = 0; index < count; index += 1) {
    await audit.record(ctx, 'account-locked', {
      account: newAccountId(),
      detail: { reason: 'other', ticket: `T-${index}` },
    });
  }
};

/** What a superuser of the database can do: the triggers are out of the way. */
const asSuperuser = async ({ database }: Domain, sql: string): Promise<void> => {
  const client = await database.pool.connect();
  try {
    await client.query('SET session_replication_role = replica');
    await client.query(sql);
    await client.query('RESET session_replication_role');
  } finally {
    client.release(true);
  }
};

test('what is recorded is chained, and an untouched chain verifies', async (t) => {
  const d = await domain();
  await write(d, 5);
  const head = await chain.advance(d.ctx);
  t.is(head.position, 5);
  const checkpoint = chain.checkpoint(d.ctx, head);
  t.deepEqual(chain.parseCheckpoint(JSON.stringify(checkpoint)), checkpoint);
  await write(d, 3);
  t.is((await chain.advance(d.ctx)).position, 8);
  t.deepEqual(await chain.verify(d.ctx, [checkpoint]), { links: 8, checkpoints: 1, upTo: 5, faults: [] });
});

test('rows that commit late are chained late, and none is left out', async (t) => {
  const d = await domain();
  const late = await d.ctx.db.transaction();
  await audit.record({ ...d.ctx, db: late }, 'staff-joined', { detail: { staff: 'x' } });
  await write(d, 2);
  t.is((await chain.advance(d.ctx)).position, 2);
  await late.commit();
  t.is((await chain.advance(d.ctx)).position, 3);
  t.deepEqual((await chain.verify(d.ctx, [])).faults, []);
});

test('parallel sequencers make one chain', async (t) => {
  const d = await domain();
  await write(d, 40);
  await Promise.all([chain.advance(d.ctx), chain.advance(d.ctx), write(d, 20), chain.advance(d.ctx)]);
  t.is((await chain.advance(d.ctx)).position, 60);
  t.deepEqual((await chain.verify(d.ctx, [])).faults, []);
});

test('the service cannot change or delete what it has recorded', async (t) => {
  const d = await domain();
  await write(d, 2);
  await chain.advance(d.ctx);
  for (const sql of [
    "UPDATE audit SET event = 'nothing'",
    'DELETE FROM audit',
    'TRUNCATE audit',
    "UPDATE audit_chain SET hash = '\\x00'",
    'DELETE FROM audit_chain',
    'TRUNCATE audit_chain',
  ]) {
    await t.throwsAsync(d.ctx.db.raw(sql), { message: /append-only/ }, sql);
  }
});

test('a role that is no superuser has no right to it either', async (t) => {
  const d = await domain();
  const { rows } = await d.ctx.db.raw(
    "SELECT relacl::text AS acl FROM pg_class WHERE relname IN ('audit', 'audit_chain')",
  );
  // a: INSERT, r: SELECT; w, d and D (UPDATE, DELETE, TRUNCATE) are missing.
  for (const { acl } of rows) t.regex(acl, /=ar[xtm]*\//);
});

test('a forged checkpoint is found, and so is one of another key ring', async (t) => {
  const d = await domain();
  await write(d, 2);
  const genuine = chain.checkpoint(d.ctx, await chain.advance(d.ctx));
  for (const forged of [
    { ...genuine, position: 1 },
    { ...genuine, hash: Buffer.alloc(32).toString('base64url') },
    { ...genuine, at: '2026-01-01T00:00:00.000Z' },
    { ...genuine, key: 2 },
  ]) {
    t.deepEqual((await chain.verify(d.ctx, [forged])).faults, [{ kind: 'checkpoint', position: forged.position }]);
  }
});

test('a superuser who rebuilds the whole chain is found by the checkpoint', async (t) => {
  const d = await domain();
  await write(d, 4);
  const checkpoint = chain.checkpoint(d.ctx, await chain.advance(d.ctx));
  await asSuperuser(d, 'UPDATE audit SET actor = \'{"kind":"system","part":"nobody"}\' WHERE seq = 2');
  await asSuperuser(d, 'DELETE FROM audit_chain; INSERT INTO audit_pending SELECT seq FROM audit');
  await chain.advance(d.ctx);
  t.deepEqual((await chain.verify(d.ctx, [])).faults, [], 'without the checkpoint nothing could be seen');
  t.is((await chain.verify(d.ctx, [checkpoint])).faults[0]?.kind, 'altered');
});

test('what retention may remove is no fault, and nothing younger may go', async (t) => {
  const d = await domain();
  await d.ctx.db('audit').insert({ at: new Date('2020-01-01'), event: 'signed-out', actor: '{}', detail: '{}' });
  await write(d, 1);
  const checkpoint = chain.checkpoint(d.ctx, await chain.advance(d.ctx));
  t.is(await audit.forget(d.ctx, new Date('2024-11-20')), 1);
  t.deepEqual((await chain.verify(d.ctx, [checkpoint])).faults, []);
  await t.throwsAsync(async () => void (await d.ctx.db('audit').delete()), { message: /append-only/ });
});

test('each way to tamper is found', async (t) => {
  const d = await domain();
  await write(d, 12);
  const checkpoint = chain.checkpoint(d.ctx, await chain.advance(d.ctx));
  const kinds = async (sql: string): Promise<string[]> => {
    await asSuperuser(d, `BEGIN; CREATE TABLE kept_a AS TABLE audit; CREATE TABLE kept_c AS TABLE audit_chain; COMMIT`);
    await asSuperuser(d, sql);
    const { faults } = await chain.verify(d.ctx, [checkpoint]);
    await asSuperuser(
      d,
      `DELETE FROM audit; DELETE FROM audit_chain;
       INSERT INTO audit OVERRIDING SYSTEM VALUE SELECT * FROM kept_a; INSERT INTO audit_chain SELECT * FROM kept_c;
       DROP TABLE kept_a; DROP TABLE kept_c`,
    );
    return [...new Set(faults.map(({ kind }) => kind))];
  };
  t.deepEqual(await kinds("UPDATE audit SET at = at + interval '1 microsecond' WHERE seq = 3"), ['altered']);
  t.deepEqual(await kinds('UPDATE audit SET detail = detail || \'{"ticket":"x"}\' WHERE seq = 12'), ['altered']);
  t.deepEqual(await kinds('UPDATE audit SET account_id = NULL WHERE seq = 1'), ['altered']);
  t.deepEqual(await kinds('DELETE FROM audit WHERE seq = 5'), ['missing']);
  t.deepEqual(await kinds('DELETE FROM audit WHERE seq = 12; DELETE FROM audit_chain WHERE seq = 12'), ['truncated']);
  t.deepEqual(await kinds('DELETE FROM audit_chain WHERE seq >= 0; DELETE FROM audit'), ['truncated']);
  t.true((await kinds('DELETE FROM audit WHERE seq = 4; DELETE FROM audit_chain WHERE seq = 4')).includes('missing'));
  t.deepEqual(await kinds("INSERT INTO audit (at, event, actor) VALUES ('2026-11-21', 'signed-out', '{}')"), [
    'inserted',
  ]);
  t.true(
    (
      await kinds(
        'UPDATE audit_chain SET seq = -1 WHERE seq = 2; UPDATE audit_chain SET seq = 2 WHERE seq = 3; UPDATE audit_chain SET seq = 3 WHERE seq = -1',
      )
    ).includes('reordered'),
  );
  t.deepEqual((await chain.verify(d.ctx, [checkpoint])).faults, []);
});
