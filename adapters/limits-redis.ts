import type { Counted, Limits, Reservation } from '../accounts/attempts.ts';
import { asked, type RedisConnection } from './redis.ts';

// One slot of a cluster, as a script must see all buckets of an attempt. Only forms that people fill in come here.
const PREFIX = 'schluessel:{limits}:';
/** So long a Redis that did not answer is left alone, and nobody waits for it. */
const AWAY_MS = 2_000;

// Each bucket is one hash: c count, e end of the window in milliseconds by the provider's clock.
// ARGV: now, then limit and end for each key. 0: reserved in all; otherwise the latest end among those that are full.
const RESERVE = `
  local now, full = tonumber(ARGV[1]), 0
  local living = {}
  for i, key in ipairs(KEYS) do
    local bucket = redis.call('HMGET', key, 'c', 'e')
    living[i] = bucket[2] and tonumber(bucket[2]) > now
    if living[i] and tonumber(bucket[1]) >= tonumber(ARGV[2 * i]) then full = math.max(full, tonumber(bucket[2])) end
  end
  if full > 0 then return full end
  for i, key in ipairs(KEYS) do
    local ends = ARGV[2 * i + 1]
    if living[i] then
      redis.call('HINCRBY', key, 'c', 1)
    else
      redis.call('HSET', key, 'c', 1, 'e', ends)
      redis.call('PEXPIRE', key, math.max(1, tonumber(ends) - now))
    end
  end
  return 0`;
// ARGV: for each key the latest end that the window of the reservation can have.
const RELEASE = `
  for i, key in ipairs(KEYS) do
    local bucket = redis.call('HMGET', key, 'c', 'e')
    if bucket[2] and tonumber(bucket[2]) <= tonumber(ARGV[i]) and tonumber(bucket[1]) > 0 then
      redis.call('HINCRBY', key, 'c', -1)
    end
  end
  return 1`;

type Script = (keys: number, ...rest: (string | number)[]) => Promise<number>;

/** Counts in Redis what may be forgotten with it. */
export const createRedisLimits = ({ client }: RedisConnection): Limits => {
  client.defineCommand('limitsReserve', { lua: RESERVE });
  client.defineCommand('limitsRelease', { lua: RELEASE });
  const scripts = client as unknown as { limitsReserve: Script; limitsRelease: Script };
  let awayUntil = 0;

  const answer = async <T>(work: () => Promise<T>): Promise<T | undefined> => {
    if (performance.now() < awayUntil) return undefined;
    try {
      return await asked(work);
    } catch (error) {
      if ((error as { code?: unknown }).code === undefined) throw error;
      awayUntil = performance.now() + AWAY_MS;
      return undefined;
    }
  };
  const keysOf = (buckets: readonly Counted[]): string[] =>
    buckets.map(({ handle }) => PREFIX + handle.toString('base64url'));

  return {
    async reserve(buckets, now): Promise<Reservation | undefined> {
      const rest = buckets.flatMap(({ limit, ends }) => [limit, ends.getTime()]);
      const full = await answer(() =>
        scripts.limitsReserve(buckets.length, ...keysOf(buckets), now.getTime(), ...rest),
      );
      if (full === undefined) return undefined;
      return full === 0 ? { outcome: 'ok' } : { outcome: 'wait', until: new Date(full) };
    },
    async release(buckets) {
      const ends = buckets.map((bucket) => bucket.ends.getTime());
      return (await answer(() => scripts.limitsRelease(buckets.length, ...keysOf(buckets), ...ends))) !== undefined;
    },
  };
};
