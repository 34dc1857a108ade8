import test from 'ava';
import { hasRedis, startRedis, type TestRedis } from './harness/redis.ts';
import { contentsOf, openRedisStore } from './harness/redis-store.ts';
import { declareGrantSuite } from './oidc-store-grants-suite.ts';
import { declareSessionSuite } from './oidc-store-sessions-suite.ts';
import { declareStoreSuite } from './oidc-store-suite.ts';

if (hasRedis()) {
  // The stores share one server, as the processes of a town do; each has keys of its own.
  let server: TestRedis;
  test.before(async () => {
    server = await startRedis();
  });
  test.after.always(() => server?.end());
  const open = () => openRedisStore({ url: server.url, contents: () => contentsOf(server.client) });
  declareStoreSuite(open);
  declareGrantSuite(open);
  declareSessionSuite(open);
} else {
  test('without redis-server there is nothing to test here', (t) => t.pass());
}
