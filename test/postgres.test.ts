import test from 'ava';
import { startCluster } from './harness/cluster.ts';
import { testDatabase } from './harness/postgres.ts';

test('each test database is a copy of its own with every migration applied', async (t) => {
  const [one, two] = await Promise.all([testDatabase(), testDatabase()]);
  t.not(one.url, two.url);
  const { rows } = await one.pool.query("SELECT count(*)::int AS tables FROM pg_tables WHERE schemaname = 'public'");
  t.true(rows[0].tables > 5);
  await one.knex.raw('CREATE TABLE mine (id int)');
  await t.throwsAsync(() => two.knex.raw('SELECT * FROM mine'), { message: /does not exist/ });
  await Promise.all([one.drop(), two.drop()]);
});

test('a cluster of its own can be killed, frozen and brought back', async (t) => {
  const cluster = await startCluster();
  const db = await testDatabase({ server: cluster.url });
  await db.knex.raw('CREATE TABLE kept (id int)');
  await cluster.kill();
  await t.throwsAsync(() => db.pool.query('SELECT 1'));
  await cluster.start();
  t.is((await db.pool.query('SELECT * FROM kept')).rowCount, 0);
  await cluster.freeze();
  const hanging = db.pool.query('SELECT 2 AS two');
  t.is(await Promise.race([hanging, new Promise((resolve) => setTimeout(resolve, 200, 'frozen'))]), 'frozen');
  await cluster.thaw();
  t.is((await hanging).rows[0].two, 2);
  await db.drop();
  await cluster.end();
});
