import type { Context } from './context.ts';

/**
 * A statement of every sign-in: prepared once on each connection and sent past the query builder, which costs server and
 * database a third of it. Within a transaction it takes part in it.
 * @param name the same only for the same text
 */
export const prepared =
  <R>(name: string, text: string): ((ctx: Context, ...values: readonly unknown[]) => Promise<R[]>) =>
  async (ctx, ...values) => {
    const { client } = ctx.db;
    const connection = await client.acquireConnection();
    try {
      const { rows } = await connection.query({ name, text, values });
      return rows;
    } finally {
      await client.releaseConnection(connection);
    }
  };
