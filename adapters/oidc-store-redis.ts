import { createRedisFleeting } from './fleeting-redis.ts';
import { createRedisReplayMarks } from './oidc-replay-marks-redis.ts';
import { createRedisShelf } from './oidc-shelf-redis.ts';
import type { OidcStore } from './oidc-store.ts';
import { createPostgresStore, handlesOf, type StoreDeps } from './oidc-store-postgres.ts';
import type { RedisConnection } from './redis.ts';

/**
 * The store on Postgres with Redis beside it: what a retry replaces (interactions, codes, pushed requests, device codes,
 * notes of the pages) and the replay marks lie in Redis; whatever a loss would hurt stays in Postgres, and so does the
 * decision that a code is spent.
 */
export const createRedisStore = (deps: StoreDeps, redis: RedisConnection): OidcStore => {
  const { keys, now = () => new Date() } = deps;
  const marks = createRedisReplayMarks(redis, now, handlesOf(keys));
  return createPostgresStore(deps, {
    shelf: createRedisShelf(redis, now),
    fleeting: createRedisFleeting(redis, { keys, now }),
    marks: marks.adapter,
    tend: marks.tend,
  });
};
