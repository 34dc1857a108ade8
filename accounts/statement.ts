import type { Context } from './context.ts';

/** What a statement may be given. */
type Value = string | number | boolean | Date | Buffer | null | readonly (string | number | Date)[] | readonly Buffer[];

/**
 * A statement of every sign-in: prepared once on each connection and sent past the query builder, which costs server and
 * database a third of it. Within a transaction it takes part in it.
 * @param name the same only for the same text
 */
export const prepared =
  <R>(name: string, text: string): ((ctx: Context, ...values: readonly Value[]) => Promise<R[]>) =>
  async (ctx, ...values) => {
    const { client } = ctx.db;
    const connection = await client.acquireConnection();
    try {
      // The provider's own connections have a shorter way than the driver's.
      if ('prepared' in connection) return await connection.prepared(name, text, values);
      const { rows } = await connection.query({ name, text, values });
      return rows;
    } finally {
      await client.releaseConnection(connection);
    }
  };

/**
 * A column of a statement whose loss in a crash harms nobody, or that something follows which waits: its transaction, as
 * a whole, does not wait until it is on the disk.
 */
export const NOT_WAITING_FOR_DISK = `set_config('synchronous_commit', 'off', true) AS unwaited`;
