import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import pg from 'pg';
import { connect, listen, MigrationFault, migrate } from '../adapters/postgres.ts';
import { run } from '../adapters/prepared.ts';
import { startCluster } from './harness/cluster.ts';
import { MIGRATIONS, testDatabase } from './harness/postgres.ts';

const folderOf = async (files: Record<string, string>): Promise<string> => {
  const folder = await mkdtemp(path.join(tmpdir(), 'migrations-'));
  for (const [name, sql] of Object.entries(files)) await writeFile(path.join(folder, name), sql);
  return folder;
};

/** A database without the product's tables. */
const emptyDatabase = async () => {
  const database = await testDatabase();
  await database.pool.query('DROP SCHEMA public CASCADE; CREATE SCHEMA public');
  return database;
};

const until = async (condition: () => boolean): Promise<void> => {
  for (let tries = 0; !condition(); tries += 1) {
    if (tries > 200) throw new Error('it never happened');
    await sleep(50);
  }
};

test("the product's migrations apply once, also when several nodes start together", async (t) => {
  const database = await emptyDatabase();
  const results = await Promise.all([1, 2, 3].map(() => migrate(database.url, MIGRATIONS)));
  t.is(results.filter((applied) => applied.length > 0).length, 1);
  t.deepEqual(await migrate(database.url, MIGRATIONS), []);
  t.is((await database.pool.query('SELECT * FROM accounts')).rowCount, 0);
  await database.drop();
});

test('a migration that fails leaves nothing behind, and those before it stay', async (t) => {
  const database = await emptyDatabase();
  const folder = await folderOf({
    '0001-one.sql': 'CREATE TABLE one (id int)',
    '0002-two.sql': 'CREATE TABLE two (id int); CREATE TABLE one (id int)',
  });
  await t.throwsAsync(migrate(database.url, folder), {
    instanceOf: MigrationFault,
    message: /^0002-two\.sql: .*already exists/,
  });
  const { rows } = await database.pool.query('SELECT name FROM migrations');
  t.deepEqual(rows, [{ name: '0001-one.sql' }]);
  await t.throwsAsync(database.pool.query('SELECT * FROM two'));
  await writeFile(path.join(folder, '0002-two.sql'), 'CREATE TABLE two (id int)');
  t.deepEqual(await migrate(database.url, folder), ['0002-two.sql']);
  await database.drop();
});

test('a changed, a late and a misnamed migration are refused; one that only a newer release has is not', async (t) => {
  const database = await emptyDatabase();
  await migrate(database.url, await folderOf({ '0001-one.sql': 'SELECT 1', '0003-three.sql': 'SELECT 3' }));
  const changed = await folderOf({ '0001-one.sql': 'SELECT 2', '0003-three.sql': 'SELECT 3' });
  await t.throwsAsync(migrate(database.url, changed), {
    instanceOf: MigrationFault,
    message: /0001-one\.sql was changed/,
  });
  const late = await folderOf({ '0001-one.sql': 'SELECT 1', '0002-two.sql': 'SELECT 2' });
  await t.throwsAsync(migrate(database.url, late), {
    instanceOf: MigrationFault,
    message: /0002-two\.sql comes before/,
  });
  await t.throwsAsync(migrate(database.url, await folderOf({ 'one.sql': '' })), { instanceOf: MigrationFault });
  t.deepEqual(await migrate(database.url, await folderOf({ '0001-one.sql': 'SELECT 1' })), []);
  await database.drop();
});

test('Knex and the bare pool share their connections and say who they are', async (t) => {
  const database = await testDatabase();
  const postgres = connect(database.url, { applicationName: 'a test', max: 2 });
  const names = await Promise.all([
    postgres.knex.raw('SELECT current_setting(?) AS name, pg_sleep(0.05)', ['application_name']),
    postgres.pool.query("SELECT current_setting('application_name') AS name, pg_sleep(0.05)"),
    postgres.pool.query("SELECT current_setting('application_name') AS name"),
  ]);
  t.deepEqual(
    names.map(({ rows }) => rows[0].name),
    ['a test', 'a test', 'a test'],
  );
  t.true(postgres.pool.totalCount <= 2);
  await postgres.close();
  await database.drop();
});

test('the message of an error quotes no value that went into the statement', async (t) => {
  const database = await testDatabase();
  const postgres = connect(database.url, { applicationName: 'a test', max: 1 });
  const error = await t.throwsAsync(postgres.knex('nowhere').insert({ hash: 'canary' }));
  t.false(error.message.includes('canary'), error.message);
  await postgres.close();
  await database.drop();
});

test('a slow statement is given up within three seconds', async (t) => {
  const database = await testDatabase();
  const postgres = connect(database.url, { applicationName: 'a test', max: 2 });
  const start = performance.now();
  await t.throwsAsync(postgres.knex.raw('SELECT pg_sleep(10)'), { message: /statement timeout/ });
  t.true(performance.now() - start < 3_500);
  t.is((await postgres.knex.raw('SELECT 1 AS one')).rows[0].one, 1);
  await postgres.close();
  await database.drop();
});

test('a frozen server is given up within seconds, inside and outside of a transaction, and picked up when it is back', async (t) => {
  const cluster = await startCluster();
  const database = await testDatabase({ server: cluster.url });
  const postgres = connect(database.url, { applicationName: 'a test', max: 4 });
  await postgres.knex.raw('CREATE TABLE kept (id int)');
  let inside: Promise<unknown> | undefined;
  const outcome = postgres.knex.transaction(async (trx) => {
    await trx('kept').insert({ id: 1 });
    await cluster.freeze();
    inside = trx('kept').insert({ id: 2 });
    await inside;
  });
  const start = performance.now();
  await t.throwsAsync(outcome);
  await t.throwsAsync(postgres.pool.query('SELECT 1'));
  await t.throwsAsync(postgres.knex.raw('SELECT 1'));
  t.true(performance.now() - start < 15_000, `${performance.now() - start}`);
  await cluster.thaw();
  await t.notThrowsAsync(async () => {
    for (let round = 0; round < 8; round += 1) await postgres.knex.raw('SELECT 1');
  });
  t.is((await postgres.pool.query('SELECT * FROM kept')).rowCount, 0);
  await postgres.close();
  await database.drop();
  await cluster.end();
});

test('a server that was stopped is picked up again, also by listeners, who are told to look', async (t) => {
  const cluster = await startCluster();
  const database = await testDatabase({ server: cluster.url });
  const postgres = connect(database.url, { applicationName: 'a test', max: 4 });
  const told: string[] = [];
  const listening = await listen(database.url, ['registrations', 'signing_keys'], (channel, payload) => {
    told.push(`${channel} ${payload}`);
  });
  await postgres.pool.query("NOTIFY registrations, 'new'");
  await until(() => told.length === 1);
  t.deepEqual(told, ['registrations new']);

  await cluster.kill();
  await t.throwsAsync(postgres.knex.raw('SELECT 1'));
  await t.throwsAsync(postgres.pool.query('SELECT 1'));
  await cluster.start();
  t.is((await postgres.knex.raw('SELECT 1 AS one')).rows[0].one, 1);
  await until(() => told.length >= 3);
  t.deepEqual(told.slice(1), ['registrations ', 'signing_keys ']);
  await postgres.pool.query("NOTIFY signing_keys, 'newer'");
  await until(() => told.length >= 4);
  t.is(told[3], 'signing_keys newer');

  await listening.close();
  await postgres.close();
  await database.drop();
  await cluster.end();
});

test('listening fails at once where there is no server, and on a name that is no channel', async (t) => {
  await t.throwsAsync(listen('postgres://postgres@127.0.0.1:1/none', ['registrations'], () => {}));
  await t.throwsAsync(
    listen('postgres://postgres@127.0.0.1:1/none', ['a; DROP TABLE x'], () => {}),
    {
      message: /not a channel/,
    },
  );
});

test('a connection that was ended by the server is not handed out again', async (t) => {
  const database = await testDatabase();
  const postgres = connect(database.url, { applicationName: 'to be ended', max: 1 });
  const ended = postgres.knex.transaction(async (trx) => {
    await trx.raw('SELECT 1');
    const admin = new pg.Client(database.url);
    await admin.connect();
    await admin.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'to be ended'");
    await admin.end();
    await trx.raw('SELECT 1');
  });
  await t.throwsAsync(ended);
  t.is((await postgres.knex.raw('SELECT 1 AS one')).rows[0].one, 1);
  await postgres.close();
  await database.drop();
});

test('a prepared statement gives back what it was given, on every connection and after a refusal', async (t) => {
  const database = await testDatabase();
  const { pool, close } = connect(database.url, { applicationName: 'prepared', max: 2 });
  const text = `SELECT $1::bytea AS bytes, $2::bytea[] AS list, $3::text AS text, $4::timestamptz AS time, $5::int AS number,
    $6::text[] AS texts, $7::timestamptz[] AS times, $8::bytea AS nothing, json_build_object('a', 1) AS json, 1 / $5::int AS part`;
  const bytes = Buffer.from([0, 255, 92, 34]);
  const time = new Date('2026-02-28T23:59:59.123Z');
  const texts = ['a"b\\c', '{,}', 'ä', ''];
  const values = [bytes, [bytes, Buffer.alloc(0)], 'ä"', time, 1, texts, [time, time], undefined];
  const row = { bytes, list: values[1], text: 'ä"', time, number: 1, texts, times: [time, time], nothing: null };
  const ask = (given: Parameters<typeof run>[3]) => run(pool, 'all_kinds', text, given);
  const rows = [{ ...row, json: { a: 1 }, part: 1 }];
  for (const answer of await Promise.all([1, 2, 3, 4, 5].map(() => ask(values)))) t.deepEqual(answer, rows);
  await t.throwsAsync(ask([...values.slice(0, 4), 0, ...values.slice(5)]), { code: '22012' });
  t.deepEqual(await ask(values), rows);
  t.like(await ask([...values.slice(0, 1), [], ...values.slice(2)]), [{ list: [] }]);
  await t.throwsAsync(run(pool, 'wrong', 'SELECT nothing FROM nowhere', []), { code: '42P01' });
  t.deepEqual(await run(pool, 'none', 'SELECT 1 AS one WHERE false', []), []);
  await run(pool, 'same', 'SELECT 1 AS one', []);
  await t.throwsAsync(Promise.all([1, 2].map(() => run(pool, 'same', 'SELECT 2 AS two', []))));
  // On a connection that is kept, as by a transaction, what cannot be written holds up nothing after it.
  const client = (await pool.connect()) as pg.PoolClient & {
    prepared(name: string, text: string, values: readonly Date[]): Promise<unknown[]>;
  };
  const at = (when: Date): Promise<unknown[]> => client.prepared('at', 'SELECT $1::timestamptz AS at', [when]);
  await t.throwsAsync(at(new Date(Number.NaN)), { instanceOf: RangeError });
  t.deepEqual(await at(time), [{ at: time }]);
  client.release();
  await close();
  await database.drop();
});
