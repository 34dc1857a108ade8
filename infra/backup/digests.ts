import type pg from 'pg';

/** Rows and a checksum over all of them, whatever their order, by table. */
export type Digests = Readonly<Record<string, { readonly rows: number; readonly sum: string }>>;

/** What is in every table, as one number each; the same text on every machine and in every version of Postgres. */
export const digests = async (client: pg.ClientBase): Promise<Digests> => {
  await client.query(
    "SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO'; SET LOCAL bytea_output = 'hex'; SET LOCAL extra_float_digits = 1",
  );
  await client.query('SET LOCAL statement_timeout = 0');
  const { rows: tables } = await client.query<{ name: string }>(
    "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename",
  );
  const found: Record<string, { rows: number; sum: string }> = {};
  for (const { name } of tables) {
    const table = `public."${name.replaceAll('"', '""')}"`;
    const { rows } = await client.query<{ rows: string; sum: string }>(
      `SELECT count(*) AS rows, coalesce(sum(hashtextextended(t::text, 0)::numeric), 0)::text AS sum FROM ${table} t`,
    );
    found[name] = { rows: Number(rows[0]?.rows ?? 0), sum: rows[0]?.sum ?? '0' };
  }
  return found;
};

/** The tables that are not the same, in words. Unlogged tables are empty after every crash and restore. */
export const differences = (before: Digests, after: Digests, without: readonly string[]): string[] =>
  [...new Set([...Object.keys(before), ...Object.keys(after)])]
    .filter((name) => !without.includes(name))
    .flatMap((name) => {
      const [one, other] = [before[name], after[name]];
      if (one === undefined) return [`${name}: was not in the backup`];
      if (other === undefined) return [`${name}: is missing`];
      if (one.rows !== other.rows) return [`${name}: ${other.rows} rows instead of ${one.rows}`];
      return one.sum === other.sum ? [] : [`${name}: other content`];
    });
