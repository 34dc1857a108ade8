/** The contract of the stores on a Redis Cluster, and what happens when a master is lost. */
import test from 'ava';
import { hasRedis } from '../harness/redis.ts';
import { startRedisCluster } from '../harness/redis-fleet.ts';
import { declareRedisFleetSuite } from '../redis-fleet-suite.ts';

if (hasRedis()) declareRedisFleetSuite(startRedisCluster);
else test('without redis-server there is nothing to test here', (t) => t.pass());
