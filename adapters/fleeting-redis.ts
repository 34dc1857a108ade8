import { randomInt } from 'node:crypto';
import type { Keys } from '../keys/keys.ts';
import type { FleetingStore } from './oidc-store.ts';
import { asked, type RedisConnection } from './redis.ts';

/** Versions start anywhere, so that a note made again after it was taken is never taken for the old one. */
const FIRST_VERSION_BELOW = 2 ** 47;
const PREFIX = 'schluessel:n:';

// Each note is one hash: v version, d sealed, e end in milliseconds by the provider's clock.
const PUT = `
  local version = redis.call('HGET', KEYS[1], 'v')
  redis.call('HSET', KEYS[1], 'v', version and string.format('%.0f', version + 1) or ARGV[1], 'd', ARGV[2], 'e', ARGV[3])
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
  return 1`;
const REPLACE = `
  local note = redis.call('HMGET', KEYS[1], 'v', 'e')
  if not note[1] or note[1] ~= ARGV[1] or tonumber(note[2]) <= tonumber(ARGV[5]) then return 0 end
  redis.call('HSET', KEYS[1], 'v', string.format('%.0f', note[1] + 1), 'd', ARGV[2], 'e', ARGV[3])
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
  return 1`;
const TAKE = `
  local note = redis.call('HMGET', KEYS[1], 'd', 'e')
  redis.call('DEL', KEYS[1])
  return note`;

type Scripts = {
  notePut(key: string, version: number, data: Buffer, end: number, ms: number): Promise<number>;
  noteReplace(key: string, version: string, data: Buffer, end: number, ms: number, now: number): Promise<number>;
  noteTakeBuffer(key: string): Promise<[Buffer | null, Buffer | null]>;
};

/** Notes of the pages in Redis. */
export const createRedisFleeting = (
  { client }: RedisConnection,
  { keys, now }: { keys: Keys; now: () => Date },
): FleetingStore => {
  client.defineCommand('notePut', { numberOfKeys: 1, lua: PUT });
  client.defineCommand('noteReplace', { numberOfKeys: 1, lua: REPLACE });
  client.defineCommand('noteTake', { numberOfKeys: 1, lua: TAKE });
  const scripts = client as unknown as Scripts;

  const handleOf = (kind: string, id: string): Buffer => keys.index(`note:${kind}`, id);
  const keyOf = (handle: Buffer): string => PREFIX + handle.toString('base64url');
  const seal = (kind: string, handle: Buffer, value: unknown): Buffer =>
    keys.sealShared(`note:${kind}`, handle, JSON.stringify({ value }));
  const open = <T>(kind: string, handle: Buffer, sealed: Buffer): T =>
    (JSON.parse(keys.openShared(`note:${kind}`, handle, sealed)) as { value: T }).value;
  const time = (): number => now().getTime();
  const living = (end: Buffer | null): boolean => end !== null && Number(end.toString()) > time();

  return {
    async put(kind, id, value, ttlSeconds) {
      const handle = handleOf(kind, id);
      const [ms, first] = [ttlSeconds * 1000, randomInt(1, FIRST_VERSION_BELOW)];
      await asked(() => scripts.notePut(keyOf(handle), first, seal(kind, handle, value), time() + ms, ms));
    },

    async get<T>(kind: string, id: string) {
      const handle = handleOf(kind, id);
      const [data, version, end] = await asked(() => client.hmgetBuffer(keyOf(handle), 'd', 'v', 'e'));
      if (!data || !version || !living(end ?? null)) return undefined;
      return { value: open<T>(kind, handle, data), version: Number(version.toString()) };
    },

    async replace(kind, id, value, version, ttlSeconds) {
      const handle = handleOf(kind, id);
      const ms = ttlSeconds * 1000;
      const data = seal(kind, handle, value);
      const done = await asked(() =>
        scripts.noteReplace(keyOf(handle), String(version), data, time() + ms, ms, time()),
      );
      return done === 1;
    },

    async take<T>(kind: string, id: string) {
      const handle = handleOf(kind, id);
      const [data, end] = await asked(() => scripts.noteTakeBuffer(keyOf(handle)));
      return data === null || !living(end) ? undefined : open<T>(kind, handle, data);
    },
  };
};
