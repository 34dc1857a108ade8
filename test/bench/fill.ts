/** Fills a database with accounts by COPY: a million, each with a consent, a grant and a running session, in a minute or two. */
import { randomFillSync } from 'node:crypto';
import { once } from 'node:events';
import pg from 'pg';

const BATCH = 20_000;
/** Random bytes of one account: an id of 16 bytes and seven of 32. */
const IDS = {
  account: 16,
  kennung: 32,
  email: 32,
  handle: 32,
  grant: 32,
  session: 32,
  cookie: 32,
  consent: 32,
} as const;
type Name = keyof typeof IDS;
const STRIDE = Object.values(IDS).reduce((sum, length) => sum + length, 0);
const OFFSETS = (() => {
  let at = 0;
  return Object.fromEntries(
    Object.entries(IDS).map(([name, length]) => {
      at += length;
      return [name, at - length];
    }),
  ) as Record<Name, number>;
})();

/** Nobody opens what is sealed: bytes of the same length fill pages as well. Bytes of one pool, at another place each time. */
const POOL = randomFillSync(Buffer.alloc(1 << 20));
const EPOCH_2000_MS = Date.UTC(2000, 0, 1);
const HOUR_MS = 3_600_000;

type Field = Buffer | null;
type Id = (name: Name) => Buffer;
type Table = {
  readonly name: string;
  readonly columns: string;
  readonly row: (id: Id, sealed: (length: number) => Buffer) => Field[];
};

const text = (value: string): Buffer => Buffer.from(value);
const int4 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};
const time = (ms: number): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(BigInt(ms - EPOCH_2000_MS) * 1000n);
  return bytes;
};
const BYTEA = 17;
/** A one-dimensional array with one element, as Postgres sends and receives it. */
const arrayOf = (element: Buffer): Buffer => Buffer.concat([...[1, 0, BYTEA, 1, 1, element.length].map(int4), element]);

const tables = (now: number): Table[] => {
  const [active, german, one, created] = [text('active'), text('de'), int4(1), time(now)];
  const [soon, later] = [time(now + HOUR_MS), time(now + 10 * HOUR_MS)];
  return [
    {
      name: 'accounts',
      columns:
        'id, status, language, data_key, data_key_version, kennung_index, kennung_sealed, email_index, email_sealed, passkey_handle, created_at',
      row: (id, sealed) =>
        [id('account'), active, german, sealed(61), one].concat([
          id('kennung'),
          sealed(43),
          id('email'),
          sealed(60),
          id('handle'),
          created,
        ]),
    },
    {
      name: 'consents',
      columns: 'reference, account_id, sealed',
      row: (id, sealed) => [id('consent'), id('account'), sealed(384)],
    },
    {
      name: 'oidc_grants',
      columns: 'id, account_id, sealed, expires_at',
      row: (id, sealed) => [id('grant'), id('account'), sealed(180), later],
    },
    {
      name: 'oidc_sessions',
      columns: 'uid, account_id, grants, sealed, saved_at, expires_at',
      row: (id, sealed) => [id('session'), id('account'), arrayOf(id('grant')), sealed(768), created, soon],
    },
    { name: 'oidc_session_ids', columns: 'id, uid', row: (id) => [id('cookie'), id('session')] },
  ];
};

/** Rows in the binary format of COPY: https://www.postgresql.org/docs/current/sql-copy.html. */
const HEADER = Buffer.concat([Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1'), Buffer.alloc(8)]);
const TRAILER = Buffer.from([0xff, 0xff]);

const encode = (fields: readonly Field[]): Buffer => {
  let length = 2;
  for (const field of fields) length += 4 + (field?.length ?? 0);
  const bytes = Buffer.allocUnsafe(length);
  let at = bytes.writeInt16BE(fields.length);
  for (const field of fields) {
    at = bytes.writeInt32BE(field?.length ?? -1, at);
    if (field !== null) at += field.copy(bytes, at);
  }
  return bytes;
};

type Connection = pg.Connection & {
  stream: NodeJS.WritableStream & { writableNeedDrain: boolean };
  sendCopyFromChunk(chunk: Buffer): void;
  endCopyFrom(): void;
};

/** One COPY … FROM STDIN, by `pg`'s own interface for queries of other kinds. */
const copyIn = (client: pg.Client, table: Table, rows: Iterable<Buffer>): Promise<void> =>
  new Promise((resolve, reject) => {
    let fault: Error | undefined;
    const send = async (connection: Connection): Promise<void> => {
      connection.sendCopyFromChunk(HEADER);
      for (const chunk of rows) {
        connection.sendCopyFromChunk(chunk);
        if (connection.stream.writableNeedDrain) await once(connection.stream, 'drain');
      }
      connection.sendCopyFromChunk(TRAILER);
      connection.endCopyFrom();
    };
    client.query({
      submit: (connection: pg.Connection) =>
        (connection as Connection & { query(text: string): void }).query(
          `COPY ${table.name} (${table.columns}) FROM STDIN (FORMAT binary)`,
        ),
      handleCopyInResponse: (connection: Connection) => void send(connection).catch(reject),
      handleError: (error: Error) => {
        fault = error;
        reject(error);
      },
      handleCommandComplete() {},
      handleReadyForQuery: () => fault === undefined && resolve(),
    } as unknown as pg.Submittable);
  });

/** Rows joined to chunks that are worth a packet. */
function* chunks(ids: Buffer, table: Table): Generator<Buffer> {
  let waiting: Buffer[] = [];
  for (let at = 0, place = 0; at < ids.length; at += STRIDE) {
    const id: Id = (name) => ids.subarray(at + OFFSETS[name], at + OFFSETS[name] + IDS[name]);
    const sealed = (length: number): Buffer => {
      place = (place + 7919) % (POOL.length - 1024);
      return POOL.subarray(place, place + length);
    };
    waiting.push(encode(table.row(id, sealed)));
    if (waiting.length === 200) {
      yield Buffer.concat(waiting);
      waiting = [];
    }
  }
  yield Buffer.concat(waiting);
}

const setAutovacuum = async (client: pg.Client, state: 'on' | 'off'): Promise<void> => {
  await client.query(`ALTER SYSTEM SET autovacuum = ${state}`);
  await client.query('SELECT pg_reload_conf()');
};

/** Adds so many accounts. Indexes are left aside meanwhile and built afterwards; needs a superuser, and nobody else there. */
export const fillAccounts = async (databaseUrl: string, count: number): Promise<void> => {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    const all = tables(Date.now());
    const names = all.map(({ name }) => name);
    await client.query("SET session_replication_role = replica; SET maintenance_work_mem = '512MB'");
    // It would go on with what the VACUUM below does at once, into the time that is measured.
    await setAutovacuum(client, 'off');
    await client.query('UPDATE pg_index SET indisready = false WHERE indrelid = ANY ($1::regclass[])', [names]);
    for (let left = count; left > 0; left -= BATCH) {
      const ids = randomFillSync(Buffer.allocUnsafe(Math.min(left, BATCH) * STRIDE));
      for (const table of all) await copyIn(client, table, chunks(ids, table));
    }
    for (const name of names) await client.query(`REINDEX TABLE ${name}`);
    await client.query('VACUUM ANALYZE');
    await client.query('CHECKPOINT');
    await setAutovacuum(client, 'on');
  } finally {
    await client.end();
  }
};
