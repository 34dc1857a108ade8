import { type Context, inTransaction } from './context.ts';
import { DYNAMIC_CLIENT_PURPOSE } from './dynamic-clients.ts';
import { SIGNING_KEY_PURPOSE } from './signing-keys.ts';
import { STAFF_PURPOSE } from './staff.ts';

const PER_TURN = 200;

/** What is sealed by no account's key and lives on for long: resealed. All other rows of the kind end within 31 days. */
const LASTING = [
  { table: 'signing_keys', id: 'kid', sealed: 'private_sealed', purpose: SIGNING_KEY_PURPOSE },
  { table: 'dynamic_clients', id: 'client_id', sealed: 'sealed', purpose: DYNAMIC_CLIENT_PURPOSE },
  { table: 'staff', id: 'id', sealed: 'sealed', purpose: STAFF_PURPOSE },
] as const;

/** Everything that is sealed by a version of the key-encryption key, which stands in its first four bytes. */
const SHARED: readonly (readonly [table: string, column: string])[] = [
  ['signing_keys', 'private_sealed'],
  ['dynamic_clients', 'sealed'],
  ['staff', 'sealed'],
  ['oidc_grants', 'sealed'],
  ['oidc_sessions', 'sealed'],
  ['oidc_lasting', 'sealed'],
  ['oidc_fleeting', 'sealed'],
  ['fleeting_notes', 'sealed'],
  ['notices', 'sealed'],
  ['logout_notices', 'sealed'],
  ['security_events', 'sealed'],
  ['email_codes', 'email_sealed'],
  ['sessions', 'device_sealed'],
];

const versionOf = (column: string): string =>
  `(get_byte(${column}, 0) << 24) + (get_byte(${column}, 1) << 16) + (get_byte(${column}, 2) << 8) + get_byte(${column}, 3)`;

/** Asked every minute, and nearly always true: the two ends of an index tell, where "another one" would read all accounts. */
const allAreCurrent = async (ctx: Context, current: number): Promise<boolean> => {
  const [ends] = await ctx
    .db('accounts')
    .whereNotNull('data_key')
    .min('data_key_version as lowest')
    .max('data_key_version as highest');
  return [ends?.['lowest'], ends?.['highest']].every((version) => version === null || version === current);
};

/**
 * Brings what an older key-encryption key has sealed under the current one, a batch at a time, while everything runs:
 * rows that somebody else is changing are left for the next turn. Any process may call it, also several at once.
 * @returns the number of rows changed; 0 when nothing is left to do
 */
export const rotate = (ctx: Context): Promise<number> =>
  inTransaction(ctx, async (tx) => {
    const current = tx.keys.keyEncryptionVersion;
    const accounts = (await allAreCurrent(tx, current))
      ? []
      : await tx
          .db('accounts')
          .whereNotNull('data_key')
          .whereNot({ data_key_version: current })
          .limit(PER_TURN)
          .forUpdate()
          .skipLocked()
          .select('id', 'data_key', 'data_key_version');
    for (const { id, data_key, data_key_version } of accounts) {
      const { wrapped, version } = tx.keys.rewrapDataKey(id, data_key, data_key_version);
      await tx.db('accounts').where({ id }).update({ data_key: wrapped, data_key_version: version });
    }
    let changed = accounts.length;
    for (const { table, id, sealed, purpose } of LASTING) {
      const rows = await tx
        .db(table)
        .whereRaw(`${versionOf(sealed)} <> ?`, [current])
        .limit(PER_TURN)
        .forUpdate()
        .skipLocked()
        .select({ id, sealed });
      for (const row of rows) {
        const renewed = tx.keys.sealShared(purpose, row.id, tx.keys.openShared(purpose, row.id, row.sealed));
        await tx
          .db(table)
          .where({ [id]: row.id })
          .update({ [sealed]: renewed });
      }
      changed += rows.length;
    }
    return changed;
  });

/** How many rows need which version of the key-encryption key; a version that none needs may leave the key ring. */
export const usage = async (ctx: Context): Promise<ReadonlyMap<number, number>> => {
  const parts = [
    'SELECT data_key_version AS version FROM accounts WHERE data_key IS NOT NULL',
    ...SHARED.map(([table, column]) => `SELECT ${versionOf(column)} FROM ${table}`),
  ];
  const { rows } = await ctx.db.raw(
    `SELECT version, count(*)::integer AS count FROM (${parts.join(' UNION ALL ')}) AS used GROUP BY version ORDER BY version`,
  );
  return new Map((rows as { version: number; count: number }[]).map(({ version, count }) => [version, count]));
};
