import { type Adapter, errors } from 'oidc-provider';
import { requestScope } from './oidc-request-scope.ts';
import { MARK_SECONDS } from './oidc-store.ts';
import { asked, type RedisConnection } from './redis.ts';

const PREFIX = 'schluessel:m:';
/** Each part of the marks has a beginning of its own, as one node of a cluster may lose its part alone. */
const PARTS = 16;

// A server that was promoted, or that came back with what it had on its disk, may lack the last marks. Each of these
// begins a new line of replication, so the part remembers which line it is complete in.
const BEGINNING = `
  local line = string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)') or ''
  local beginning = redis.call('GET', KEYS[1])
  if not beginning or redis.call('GET', KEYS[2]) ~= line then
    beginning = ARGV[1]
    redis.call('SET', KEYS[1], beginning)
    redis.call('SET', KEYS[2], line)
  end`;
// KEYS: beginning of the part and its line, mark. ARGV: now in ms, milliseconds to keep the mark.
const MARK = `${BEGINNING}
  local ends = redis.call('GET', KEYS[3])
  if ends and tonumber(ends) > tonumber(ARGV[1]) then return {0, beginning} end
  redis.call('SET', KEYS[3], string.format('%.0f', ARGV[1] + ARGV[2]), 'PX', ARGV[2])
  return {1, beginning}`;

type Marks = { adapter: Adapter; tend(): Promise<void> };

/**
 * Replay marks in Redis. They may be lost with it, and then a JWT that was used before the loss would pass again. So each
 * part of the marks knows since when it is complete, and a proof that was issued before that is refused as if it had
 * been seen; one that does not say when it was issued is refused until no such proof can be valid any more.
 */
export const createRedisReplayMarks = (
  { client }: RedisConnection,
  now: () => Date,
  handle: (kind: string, id: string) => Buffer,
): Marks => {
  client.defineCommand('replayMark', { numberOfKeys: 3, lua: MARK });
  client.defineCommand('replayTend', { numberOfKeys: 2, lua: BEGINNING });
  const script = client as unknown as {
    replayMark(beginning: string, line: string, mark: string, now: number, ms: number): Promise<[number, string]>;
    replayTend(beginning: string, line: string, now: number): Promise<unknown>;
  };
  const beginningOf = (part: number): string => `${PREFIX}{${part}}:beginning`;
  const lineOf = (part: number): string => `${PREFIX}{${part}}:line`;
  const parts = Array.from({ length: PARTS }, (_, part) => part);

  const reserved = new Set<string>();
  const unsupported = (): Promise<never> => Promise.reject(new TypeError('not a method of ReplayDetection'));
  const kept = (seconds: number | undefined): number =>
    Math.ceil(Math.max(MARK_SECONDS, Math.min(seconds ?? MARK_SECONDS, 400 * 86_400)) * 1000);
  const keyOf = (id: string): { part: number; key: string } => {
    const mark = handle('ReplayDetection', id);
    const part = mark.readUInt8(0) % PARTS;
    return { part, key: `${PREFIX}{${part}}:${mark.toString('base64url')}` };
  };
  const set = async (id: string, seconds: number | undefined): Promise<boolean> => {
    const { part, key } = keyOf(id);
    const time = now().getTime();
    const [isNew, beginning] = await asked(() =>
      script.replayMark(beginningOf(part), lineOf(part), key, time, kept(seconds)),
    );
    const issuedAt = requestScope()?.proofIssuedAt ?? (time - MARK_SECONDS * 1000) / 1000;
    return isNew === 1 && issuedAt * 1000 >= Number(beginning);
  };

  return {
    adapter: {
      find: async (id) => {
        if (!(await set(id, undefined))) return { jti: id, kind: 'ReplayDetection' };
        reserved.add(id);
        return undefined;
      },
      upsert: async (id, _payload, seconds) => {
        if (!reserved.delete(id)) {
          if (!(await set(id, seconds))) throw new errors.InvalidGrant('token was already used');
        } else if (seconds !== undefined && seconds > MARK_SECONDS) {
          const ends = String(now().getTime() + kept(seconds));
          await asked(() => client.set(keyOf(id).key, ends, 'PX', kept(seconds), 'XX'));
        }
      },
      destroy: unsupported,
      consume: unsupported,
      findByUid: unsupported,
      findByUserCode: unsupported,
      revokeByGrantId: unsupported,
    },
    /** Notes a loss soon after it, so that not the first proof has to find it out. */
    async tend() {
      const time = now().getTime();
      await asked(() => Promise.all(parts.map((part) => script.replayTend(beginningOf(part), lineOf(part), time))));
    },
  };
};
