/** The contract of the stores on Redis as Sentinel keeps it, and what happens when a master is lost. */
import test from 'ava';
import { hasRedis } from '../harness/redis.ts';
import { startSentinel } from '../harness/redis-fleet.ts';
import { declareRedisFleetSuite } from '../redis-fleet-suite.ts';

if (hasRedis()) declareRedisFleetSuite(startSentinel);
else test('without redis-server there is nothing to test here', (t) => t.pass());
