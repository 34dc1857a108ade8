import { hash, randomInt, timingSafeEqual } from 'node:crypto';
import * as audit from './audit.ts';
import { type Context, inTransaction } from './context.ts';
import type { ClientId } from './ids.ts';
import { Secret } from './secret.ts';
import type { Registration } from './town.ts';

/** A registration in force with the hashes of its client secrets, the newest first. */
export type Client = { readonly registration: Registration; readonly secrets: readonly string[] };

type StoredSecret = { hash: string; created_at: string };
/** A secret that rotation has ended: a service that still sends it is told so. */
export type EndedSecret = { readonly hash: string; readonly ended_at: string };

/** Old and new: a service changes its secret without a moment in which neither works. */
const SECRETS_AT_ONCE = 2;
const ENDED_SECRETS_KEPT = 5;
export const SECRET_LENGTH = 43;
const SECRET_ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

/** A new client secret of 256 bits: only letters and digits, as clients mis-encode anything else in HTTP Basic. */
export const newClientSecret = (): Secret =>
  new Secret(
    Array.from({ length: SECRET_LENGTH }, () => SECRET_ALPHABET.charAt(randomInt(SECRET_ALPHABET.length))).join(''),
  );

const HASH_PREFIX = 'sha256:';

/** The stored form of a client secret. It has 256 random bits, so a fast hash is as good as a slow one. */
export const hashSecret = (secret: Secret): string => `${HASH_PREFIX}${hash('sha256', secret.reveal(), 'base64url')}`;

/** Whether a presented secret is one of the hashed ones; takes the same time for every wrong one. */
export const secretMatches = (hashes: readonly string[], actual: string): boolean => {
  const given = Buffer.from(hash('sha256', actual, 'base64url'));
  let matches = false;
  for (const stored of hashes) {
    const expected = Buffer.from(stored.slice(HASH_PREFIX.length));
    if (expected.length === given.length && timingSafeEqual(expected, given)) matches = true;
  }
  return matches;
};

/** The same text for the same value, whatever the order of its keys. */
export const canonical = (value: unknown): string =>
  JSON.stringify(value, (_key, part) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([one], [other]) => (one < other ? -1 : 1)))
      : part,
  );

/** The stored secrets once the wanted one is in force; the same list if it already is. */
const withSecret = (stored: StoredSecret[], secret: Secret | undefined, now: Date): StoredSecret[] => {
  if (secret === undefined) return stored;
  const hashed = hashSecret(secret);
  if (stored.some((one) => one.hash === hashed)) return stored;
  return [{ hash: hashed, created_at: now.toISOString() }, ...stored].slice(0, SECRETS_AT_ONCE);
};

/** The ended secrets once those before have been replaced by those after. */
const withEnded = (
  ended: readonly EndedSecret[],
  before: readonly StoredSecret[],
  after: readonly StoredSecret[],
  now: Date,
) =>
  [
    ...before
      .filter(({ hash }) => !after.some((one) => one.hash === hash))
      .map(({ hash }) => ({ hash, ended_at: now.toISOString() })),
    ...ended,
  ].slice(0, ENDED_SECRETS_KEPT);

/**
 * Puts exactly these registrations in force: absent ones are removed, secrets that are not given stay. All processes
 * are told if anything changed (a trigger, infra/migrations/0061-changes.sql).
 */
export const apply = (
  ctx: Context,
  wanted: readonly { registration: Registration; secret?: Secret | undefined }[],
): Promise<{ added: string[]; changed: string[]; removed: string[] }> =>
  inTransaction(ctx, async (tx) => {
    // Nodes that start together take turns, and the later ones find nothing to do.
    await tx.db.raw("SELECT pg_advisory_xact_lock(hashtext('registrations'))");
    const rows = await tx.db('clients').select('client_id', 'registration', 'secrets', 'ended_secrets');
    const inForce = new Map<
      string,
      { registration: Registration; secrets: StoredSecret[]; ended_secrets: EndedSecret[] }
    >(rows.map((row) => [row.client_id, row]));
    const result = { added: [] as string[], changed: [] as string[], removed: [] as string[] };
    for (const { registration, secret } of wanted) {
      const { clientId } = registration;
      const before = inForce.get(clientId);
      inForce.delete(clientId);
      const secrets = withSecret(before?.secrets ?? [], secret, tx.now());
      if (before && canonical(before.registration) === canonical(registration) && secrets === before.secrets) continue;
      (before === undefined ? result.added : result.changed).push(clientId);
      const row = {
        client_id: clientId,
        organisation: registration.organisation,
        registration: JSON.stringify(registration),
        secrets: JSON.stringify(secrets),
        ended_secrets: JSON.stringify(withEnded(before?.ended_secrets ?? [], before?.secrets ?? [], secrets, tx.now())),
        updated_at: tx.now(),
      };
      await tx.db('clients').insert(row).onConflict('client_id').merge();
    }
    result.removed.push(...inForce.keys());
    if (result.removed.length > 0) await tx.db('clients').whereIn('client_id', result.removed).delete();
    if (result.added.length + result.changed.length + result.removed.length > 0) {
      await audit.record(tx, 'registrations-applied', { detail: result });
    }
    return result;
  });

const clientOf = (row: { registration: Registration; secrets: StoredSecret[] }): Client => ({
  registration: row.registration,
  secrets: row.secrets.map(({ hash }) => hash),
});

/** The registration of a service, undefined if there is none in force. */
export const find = async (ctx: Context, clientId: ClientId): Promise<Client | undefined> => {
  const [row] = await ctx.db('clients').where({ client_id: clientId }).select('registration', 'secrets');
  return row && clientOf(row);
};

/** All registrations in force, by client id. */
export const all = async (ctx: Context): Promise<Client[]> =>
  (await ctx.db('clients').orderBy('client_id').select('registration', 'secrets')).map(clientOf);

/** Adds a new secret to a service; the one before stays good, older ones end. */
export const addSecret = (
  ctx: Context,
  clientId: ClientId,
): Promise<{ outcome: 'added'; secret: Secret } | { outcome: 'unknown-client' }> =>
  inTransaction(ctx, async (tx) => {
    const [row] = await tx.db('clients').where({ client_id: clientId }).forUpdate().select('secrets', 'ended_secrets');
    if (row === undefined) return { outcome: 'unknown-client' };
    const secret = newClientSecret();
    const secrets = withSecret(row.secrets, secret, tx.now());
    await tx
      .db('clients')
      .where({ client_id: clientId })
      .update({
        secrets: JSON.stringify(secrets),
        ended_secrets: JSON.stringify(withEnded(row.ended_secrets, row.secrets, secrets, tx.now())),
        updated_at: tx.now(),
      });
    await audit.record(tx, 'client-secret-added', { detail: { client: clientId } });
    return { outcome: 'added', secret };
  });

/** The secrets of these services that rotation has ended, by client id. */
export const endedSecrets = async (
  ctx: Context,
  clientIds: readonly string[],
): Promise<ReadonlyMap<string, readonly EndedSecret[]>> => {
  const rows = await ctx.db('clients').whereIn('client_id', clientIds).select('client_id', 'ended_secrets');
  return new Map(rows.map((row) => [row.client_id, row.ended_secrets]));
};
