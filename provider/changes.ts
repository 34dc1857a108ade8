import type { Pool } from 'pg';

/**
 * Follows what other processes change. The function returned looks at the version of each channel and loads anew what has
 * grown; at its first call it loads everything. It is called about twice a second, and at once when Postgres notifies:
 * notifications are lost with their connection, may be held up by a silent one, and do not pass every pooler.
 * Rejects if a load does; the next call tries again.
 */
export const followChanges = (
  pool: Pool,
  loads: Readonly<Record<'registrations' | 'signing_keys', () => Promise<void>>>,
): (() => Promise<void>) => {
  const seen = new Map<string, string>();
  return async () => {
    const { rows } = await pool.query<{ channel: string; version: string }>({
      name: 'changes',
      text: 'SELECT channel, version FROM changes',
    });
    const versions = new Map(rows.map(({ channel, version }) => [channel, version]));
    for (const [channel, load] of Object.entries(loads)) {
      // Read before the load: what changes meanwhile is loaded once more.
      const version = versions.get(channel) ?? '';
      if (seen.get(channel) === version) continue;
      await load();
      seen.set(channel, version);
    }
  };
};
