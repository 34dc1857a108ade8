import type { RedisConnection } from './redis.ts';
import { asked } from './redis.ts';

/** A fleeting artifact as it lies in Redis; what it hangs on is in Postgres. */
export type Shelved = {
  readonly id: Buffer;
  readonly model: string;
  readonly sealed: Buffer;
  readonly grantId: Buffer | null;
  /** Family of the grant when it was stored; an artifact of an ended family counts no more. */
  readonly family: number;
  readonly sessionUid: Buffer | null;
  /** The artifact ends with that session, and must not be used if the session was ended while it was being stored. */
  readonly guarded: boolean;
  readonly version: number;
  readonly expiresAt: Date;
};

/** Where fleeting artifacts lie. Every call is one round trip for each artifact. */
export type Shelf = {
  get(id: Buffer): Promise<Shelved | undefined>;
  byUserCode(userCode: Buffer): Promise<Shelved | undefined>;
  /** False if the artifact has changed since version `base`. */
  put(shelved: Omit<Shelved, 'version'>, base: number | null, userCode: Buffer | null): Promise<boolean>;
  /** False if there was none. */
  remove(id: Buffer): Promise<boolean>;
};

const PREFIX = 'schluessel:';
/** A spent artifact is still recognised for a while after its end, so that its replay ends what it gave. */
const KEPT_AFTER_END_MS = 11 * 60 * 1000;
const LONGEST_MS = 40 * 86_400_000;

const PUT = `
  local version = tonumber(redis.call('HGET', KEYS[1], 'v') or '0')
  if ARGV[1] ~= '' and tonumber(ARGV[1]) ~= version then return 0 end
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], 'v', version + 1, 'd', ARGV[2])
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
  return 1`;

/** Header as JSON with its length before it, then the sealed payload: one field, read and written at once. */
const pack = (shelved: Omit<Shelved, 'version'>): Buffer => {
  const { model, grantId, family, sessionUid, guarded, expiresAt } = shelved;
  const head = Buffer.from(
    JSON.stringify([
      model,
      grantId?.toString('base64') ?? null,
      family,
      sessionUid?.toString('base64') ?? null,
      guarded,
      expiresAt.getTime(),
    ]),
  );
  const length = Buffer.alloc(2);
  length.writeUInt16BE(head.length);
  return Buffer.concat([length, head, shelved.sealed]);
};

const unpack = (id: Buffer, version: number, data: Buffer): Shelved => {
  const end = 2 + data.readUInt16BE(0);
  const [model, grantId, family, sessionUid, guarded, expiresAt] = JSON.parse(data.toString('utf8', 2, end)) as [
    string,
    string | null,
    number,
    string | null,
    boolean,
    number,
  ];
  const bytes = (text: string | null): Buffer | null => (text === null ? null : Buffer.from(text, 'base64'));
  return {
    id,
    model,
    sealed: data.subarray(end),
    grantId: bytes(grantId),
    family,
    sessionUid: bytes(sessionUid),
    guarded,
    version,
    expiresAt: new Date(expiresAt),
  };
};

/** The shelf in Redis. Ids are the store's keyed hashes, payloads are sealed, as in Postgres. */
export const createRedisShelf = ({ client }: RedisConnection, now: () => Date): Shelf => {
  const keyOf = (id: Buffer): string => `${PREFIX}a:${id.toString('base64url')}`;
  const userCodeKey = (code: Buffer): string => `${PREFIX}u:${code.toString('base64url')}`;
  const remaining = (expiresAt: Date): number =>
    Math.min(LONGEST_MS, Math.max(1, expiresAt.getTime() - now().getTime()) + KEPT_AFTER_END_MS);
  const script = client as unknown as {
    shelfPut(key: string, base: string, data: Buffer, ms: number): Promise<number>;
  };
  client.defineCommand('shelfPut', { numberOfKeys: 1, lua: PUT });

  const get = async (id: Buffer): Promise<Shelved | undefined> => {
    const [version, data] = await asked(() => client.hmgetBuffer(keyOf(id), 'v', 'd'));
    return version && data ? unpack(id, Number(version.toString()), data) : undefined;
  };

  return {
    get,
    async byUserCode(userCode) {
      const id = await asked(() => client.getBuffer(userCodeKey(userCode)));
      return id === null ? undefined : get(id);
    },
    put: (shelved, base, userCode) =>
      asked(async () => {
        const ms = remaining(shelved.expiresAt);
        if (userCode !== null) await client.set(userCodeKey(userCode), shelved.id, 'PX', ms);
        return (await script.shelfPut(keyOf(shelved.id), base === null ? '' : String(base), pack(shelved), ms)) === 1;
      }),
    remove: async (id) => (await asked(() => client.del(keyOf(id)))) === 1,
  };
};
