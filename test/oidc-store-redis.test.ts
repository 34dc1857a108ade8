import test from 'ava';
import { hasRedis } from './harness/redis.ts';
import { openRedisStore } from './harness/redis-store.ts';
import { declareGrantSuite } from './oidc-store-grants-suite.ts';
import { declareSessionSuite } from './oidc-store-sessions-suite.ts';
import { declareStoreSuite } from './oidc-store-suite.ts';

if (hasRedis()) {
  declareStoreSuite(openRedisStore);
  declareGrantSuite(openRedisStore);
  declareSessionSuite(openRedisStore);
} else {
  test('without redis-server there is nothing to test here', (t) => t.pass());
}
