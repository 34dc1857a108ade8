import * as activities from './activities.ts';
import * as audit from './audit.ts';
import { dayOf } from './claims.ts';
import * as consents from './consents.ts';
import { type Context, inTransaction } from './context.ts';
import { type AccountId, parseAccountId, parseClientId } from './ids.ts';
import type { Mail } from './notices.ts';
import * as notices from './notices.ts';
import * as securityEvents from './security-events.ts';
import type { Registration } from './town.ts';

/** How long a citizen may change their mind. */
export const REGRET_DAYS = 14;
const DAY_SECONDS = 24 * 3600;
const PER_TURN = 50;

type Told = Pick<Registration, 'clientId' | 'organisation' | 'securityEventsUri'>;

/** What else ends with an account: `revoke` its sessions, grants and tokens; `service` finds who is to be told. */
export type Ending = {
  readonly service: (clientId: string) => Told | undefined;
  /** Whose API it is that another service called for the citizen, by its identifier. */
  readonly api: (identifier: string) => Told | undefined;
  readonly revoke: (account: AccountId) => Promise<void>;
  /** Over how long services are told; a day unless it is a sandbox. */
  readonly spreadSeconds?: number;
};

export type Requested = { outcome: 'requested'; due: Date } | { outcome: 'unknown' };

/**
 * Asks for the deletion of an account. Everything goes on until it is due; asking again changes nothing.
 * @param mail tells the citizen, who may not have been the one who asked
 * @param regretSeconds how long the citizen may change their mind
 */
export const request = (
  ctx: Context,
  account: AccountId,
  mail: (due: Date) => Mail | undefined,
  regretSeconds = REGRET_DAYS * DAY_SECONDS,
): Promise<Requested> =>
  inTransaction(ctx, async (tx): Promise<Requested> => {
    const due = new Date(tx.now().getTime() + regretSeconds * 1000);
    const [row] = await tx
      .db('accounts')
      .where({ id: account, status: 'active', kind: 'citizen' })
      .forUpdate()
      .select('deletion_due_at');
    if (row === undefined) return { outcome: 'unknown' };
    if (row.deletion_due_at !== null) return { outcome: 'requested', due: row.deletion_due_at };
    await tx.db('accounts').where({ id: account }).update({ deletion_due_at: due });
    await audit.record(tx, 'deletion-requested', { account, detail: { due: dayOf(due) } });
    const told = mail(due);
    if (told !== undefined) await notices.enqueue(tx, told);
    return { outcome: 'requested', due };
  });

/** The citizen has changed their mind; false if there was nothing to withdraw, or it is too late. */
export const withdraw = (ctx: Context, account: AccountId): Promise<boolean> =>
  inTransaction(ctx, async (tx) => {
    const changed = await tx
      .db('accounts')
      .where({ id: account })
      .where('deletion_due_at', '>', tx.now())
      .update({ deletion_due_at: null });
    if (changed > 0) await audit.record(tx, 'deletion-withdrawn', { account, detail: {} });
    return changed > 0;
  });

/** When an account is going to be deleted; undefined if nobody has asked for it. */
export const dueAt = async (ctx: Context, account: AccountId): Promise<Date | undefined> => {
  const [row] = await ctx.db('accounts').where({ id: account }).select('deletion_due_at');
  return row?.deletion_due_at ?? undefined;
};

/** The services that know the citizen: signed in to, or asked by another that the citizen allowed to; each once. */
const knowing = async (ctx: Context, account: AccountId, ending: Ending) => {
  const services = new Map<string, Told>();
  for (const { clientId, given } of await consents.list(ctx, account)) {
    for (const told of [ending.service(clientId), ...given.map(ending.api)]) {
      if (told !== undefined) services.set(told.clientId, told);
    }
  }
  return [...services.values()].flatMap((service) => {
    const clientId = parseClientId(service.clientId);
    return clientId === undefined ? [] : [{ ...service, clientId }];
  });
};

/**
 * Removes an account for good: the data key and everything sealed under it, all that hangs on the account, its sessions
 * and tokens. The services that know the citizen are told within a day, each at a moment of its own. What stays is the
 * audit's rows about an id that leads nowhere, and a tombstone.
 * @param unless says, under the account's lock, that it is to stay after all
 */
export const purge = async (
  ctx: Context,
  account: AccountId,
  reason: 'asked' | 'dormant' | 'restored',
  ending: Ending,
  unless: (tx: Context) => Promise<boolean> = async () => false,
): Promise<boolean> => {
  const purged = await inTransaction(ctx, async (tx) => {
    const [row] = await tx.db('accounts').where({ id: account }).forUpdate().select('id');
    if (row === undefined || (await unless(tx))) return false;
    // After a restore they have been told before.
    if (reason !== 'restored') {
      for (const service of await knowing(tx, account, ending)) {
        const { spreadSeconds = securityEvents.SPREAD_SECONDS } = ending;
        await securityEvents.enqueue(tx, account, service, 'account-purged', { spreadSeconds });
      }
    }
    await activities.forget(tx, account);
    await tx
      .db('tombstones')
      .insert({ account_id: account, gone_on: dayOf(tx.now()) })
      .onConflict('account_id')
      .ignore();
    await tx.db('accounts').where({ id: account }).delete();
    await audit.record(tx, 'account-purged', { account, detail: { reason } });
    await ending.revoke(account);
    return true;
  });
  // A sign-in under way may have made another session meanwhile; none can follow it.
  if (purged) await ending.revoke(account);
  return purged;
};

/** Removes the accounts whose time has come; the number removed. */
export const purgeDue = async (ctx: Context, ending: Ending): Promise<number> => {
  const due = await ctx
    .db('accounts')
    .where('deletion_due_at', '<=', ctx.now())
    .orderBy('deletion_due_at')
    .limit(PER_TURN)
    .select('id');
  let removed = 0;
  for (const { id } of due) {
    const stays = async (tx: Context): Promise<boolean> => {
      const [row] = await tx.db('accounts').where({ id }).where('deletion_due_at', '<=', tx.now()).select('id');
      return row === undefined;
    };
    if (await purge(ctx, id, 'asked', ending, stays)) removed += 1;
  }
  return removed;
};

/** One line of JSON for each account that is gone: to be kept away from the database, for the day of a restore. */
export const exportTombstones = async (ctx: Context): Promise<string> => {
  const rows = await ctx
    .db('tombstones')
    .orderBy(['gone_on', 'account_id'])
    .select('account_id', ctx.db.raw("to_char(gone_on, 'YYYY-MM-DD') AS gone_on"));
  return rows.map((row) => `${JSON.stringify({ account: row.account_id, gone_on: row.gone_on })}\n`).join('');
};

/** Forgets again, after a restore, what was gone before. Lines of anything else are refused before anything is done. */
export const replayTombstones = async (ctx: Context, lines: string, ending: Ending): Promise<number> => {
  const accounts = lines
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line, at): AccountId => {
      const account = parseAccountId((JSON.parse(line) as { account?: unknown }).account);
      if (account === undefined) throw new Error(`line ${at + 1} is no tombstone`);
      return account;
    });
  let removed = 0;
  for (const account of accounts) if (await purge(ctx, account, 'restored', ending)) removed += 1;
  return removed;
};
