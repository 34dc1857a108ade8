import pg, { type Connection, type Pool, type Submittable } from 'pg';

/** What a parameter may be; bytes in a list go out as they are, and not as hexadecimal digits. */
export type Value = string | number | boolean | Date | Buffer | null | undefined | readonly (Buffer | null)[] | Texts;
/** A list of texts, times or numbers. */
type Texts = readonly (string | Date | number)[];

type Column = { readonly name: string; readonly read: (text: string) => unknown };
type RowDescription = { fields: readonly { name: string; dataTypeID: number }[] };

// https://github.com/postgres/postgres/blob/master/src/include/catalog/pg_type.dat
const BYTEA = 17;
const BYTEA_LIST = 1001;

const HEX_START = '\\x'.length;
const bytes = (text: string): Buffer => Buffer.from(text.slice(HEX_START), 'hex');
/** As `{"\\x00ff","\\x01"}`; none of our lists has holes. */
const listOfBytes = (text: string): Buffer[] =>
  text === '{}'
    ? []
    : text
        .slice(1, -1)
        .split(',')
        .map((one) => Buffer.from(one.slice(1 + 2 * '\\'.length + 'x'.length, -1), 'hex'));

const reader = (type: number): Column['read'] => {
  if (type === BYTEA) return bytes;
  if (type === BYTEA_LIST) return listOfBytes;
  return pg.types.getTypeParser(type, 'text') as Column['read'];
};

const isListOfBytes = (list: readonly unknown[]): list is readonly (Buffer | null)[] =>
  list.every((one) => one === null || Buffer.isBuffer(one));

/** PostgreSQL's binary form of a list: dimensions, whether it has holes, type; length and first index; the elements. */
const binaryList = (list: readonly (Buffer | null)[]): Buffer => {
  let size = 20;
  for (const one of list) size += 4 + (one?.length ?? 0);
  const out = Buffer.allocUnsafe(size);
  out.writeInt32BE(1, 0);
  out.writeInt32BE(list.includes(null) ? 1 : 0, 4);
  out.writeInt32BE(BYTEA, 8);
  out.writeInt32BE(list.length, 12);
  let at = out.writeInt32BE(1, 16);
  for (const one of list) {
    at = out.writeInt32BE(one === null ? -1 : one.length, at);
    if (one !== null) at += one.copy(out, at);
  }
  return out;
};

const quoted = (text: string): string => `"${text.replace(/["\\]/g, '\\$&')}"`;
const written = (value: Texts[number]): string => (value instanceof Date ? value.toISOString() : String(value));

const parameter = (value: Value): string | Buffer | null => {
  if (value === null || value === undefined) return null;
  if (typeof value === 'string' || Buffer.isBuffer(value)) return value;
  if (value instanceof Date) return value.toISOString();
  if (typeof value !== 'object') return String(value);
  if (value.length === 0) return '{}';
  return isListOfBytes(value)
    ? binaryList(value)
    : `{${(value as Texts).map((one) => quoted(written(one))).join(',')}}`;
};

/** What the columns of a prepared statement are, as each connection has described them once. */
const described = new WeakMap<object, Map<string, readonly Column[]>>();

type Wire = {
  stream: { cork?: () => void; uncork?: () => void };
  parsedStatements: Record<string, string>;
  parse(message: { name: string; text: string; types: readonly number[] }): void;
  bind(message: { portal: string; statement: string; values: readonly (string | Buffer | null)[] }): void;
  describe(message: { type: 'P'; name: string }): void;
  execute(message: { portal: string; rows: number }): void;
  sync(): void;
};

/**
 * A statement that is run many thousand times. Against `pg`'s own query it asks for the columns but once, and sends and
 * reads bytes without detours.
 */
class Prepared implements Submittable {
  readonly name: string;
  readonly text: string;
  /** Put in by the client. */
  callback: ((error: unknown, rows?: Record<string, unknown>[]) => void) | undefined;
  readonly #values: readonly Value[];
  readonly #rows: Record<string, unknown>[] = [];
  #columns: readonly Column[] = [];
  #known: Map<string, readonly Column[]> | undefined;
  #failure: unknown;

  constructor(name: string, text: string, values: readonly Value[]) {
    this.name = name;
    this.text = text;
    this.#values = values;
  }

  submit(connection: Connection): Error | undefined {
    const wire = connection as unknown as Wire;
    const parsed = wire.parsedStatements[this.name];
    if (parsed !== undefined && parsed !== this.text) return new Error(`${this.name} is another prepared statement`);
    let values: (string | Buffer | null)[];
    try {
      values = this.#values.map(parameter);
    } catch (error) {
      // Thrown, it would leave the connection waiting for an answer to nothing.
      return error as Error;
    }
    const known = described.get(connection) ?? new Map<string, readonly Column[]>();
    described.set(connection, known);
    const columns = parsed === undefined ? undefined : known.get(this.name);
    // One packet instead of four.
    wire.stream.cork?.();
    if (parsed === undefined) wire.parse({ name: this.name, text: this.text, types: [] });
    wire.bind({ portal: '', statement: this.name, values });
    if (columns === undefined) {
      this.#known = known;
      wire.describe({ type: 'P', name: '' });
    } else this.#columns = columns;
    wire.execute({ portal: '', rows: 0 });
    wire.sync();
    wire.stream.uncork?.();
    return undefined;
  }

  handleRowDescription({ fields }: RowDescription): void {
    this.#columns = fields.map(({ name, dataTypeID }) => ({ name, read: reader(dataTypeID) }));
    this.#known?.set(this.name, this.#columns);
  }

  handleDataRow({ fields }: { fields: readonly (string | null)[] }): void {
    const row: Record<string, unknown> = {};
    try {
      let index = 0;
      for (const { name, read } of this.#columns) {
        const text = fields[index];
        row[name] = text === null || text === undefined ? null : read(text);
        index += 1;
      }
      this.#rows.push(row);
    } catch (error) {
      this.#failure = error;
    }
  }

  handleCommandComplete(): void {}
  handleEmptyQuery(): void {}
  handlePortalSuspended(): void {}

  handleError(error: unknown): void {
    this.callback?.(error);
  }

  handleReadyForQuery(): void {
    if (this.#failure === undefined) this.callback?.(null, this.#rows);
    else this.callback?.(this.#failure);
  }
}

/** Runs a prepared statement, on any connection or on that one; `name` belongs to this very text. Resolves to its rows. */
export const run = <R>(on: Pick<Pool, 'query'>, name: string, text: string, values: readonly Value[]): Promise<R[]> =>
  new Promise((resolve, reject) => {
    const settled = (error: Error | null | undefined, rows: unknown): void => {
      if (error) reject(error);
      else resolve(rows as R[]);
    };
    (on.query as unknown as (query: Prepared, values: undefined, callback: typeof settled) => void).call(
      on,
      new Prepared(name, text, values),
      undefined,
      settled,
    );
  });
