import { randomUUID } from 'node:crypto';
import * as accounts from './accounts.ts';
import * as attributes from './attributes.ts';
import * as audit from './audit.ts';
import { newNumber } from './case-number.ts';
import { type Context, inTransaction } from './context.ts';
import * as correspondence from './correspondence.ts';
import type { AccountId } from './ids.ts';
import * as letterCodes from './letter-codes.ts';
import { isOwn } from './own-account.ts';
import {
  find,
  hoursAfter,
  type Recovery,
  type Status,
  selected,
  stopHash,
  stopTokenOf,
  toRecovery,
} from './recovery-cases.ts';
import type { Secret } from './secret.ts';
import type { Delivery, Evidence, Reason } from './terms.ts';

/** Hours between opening and the first moment of the code, by evidence; time for the citizen to stop it. */
export type WaitHours = { readonly eid: number; readonly card: number; readonly other: number };
export const WAIT_HOURS: WaitHours = { eid: 0, card: 24, other: 72 };

const VALID_HOURS: Record<Delivery, number> = { hand: 24, post: 21 * 24 };

/** How the citizen can be told. With none of them, the clerk tells her at the counter. */
export type Channels = { readonly email: boolean; readonly post: boolean };

/** The mails to the citizen, in her language; `stop` is the token of the link that stops the recovery. */
export type CitizenLetters = {
  opened(about: { language: string; waitsUntil: Date; stop: string }): { subject: string; text: string };
  approved(about: { language: string; validFrom: Date; stop: string }): { subject: string; text: string };
  redeemed(about: { language: string }): { subject: string; text: string };
  ended(about: { language: string; status: 'rejected' | 'cancelled' | 'stopped' }): { subject: string; text: string };
};

const later = (one: Date, other: Date): Date => (one > other ? one : other);

const waitOf = (evidence: Evidence, hours: WaitHours): number => {
  if (evidence === 'eid-at-counter') return hours.eid;
  return evidence === 'known-representative' ? hours.other : hours.card;
};

/** How the citizen can be reached besides her security page. */
export const channelsOf = async (ctx: Context, account: accounts.Account): Promise<Channels> => ({
  email: account.email !== undefined,
  post: (await attributes.read(ctx, account.id)).address !== undefined,
});

const markExpired = async (ctx: Context, account: AccountId): Promise<void> => {
  const rows = await selected(ctx).where('r.account_id', account).whereIn('r.status', ['open', 'approved']);
  for (const row of rows) {
    const recovery = toRecovery(ctx, row);
    if (recovery.status !== 'expired') continue;
    await end(ctx, recovery, 'expired');
    await audit.record(ctx, 'recovery-expired', { account, detail: { recovery: recovery.number } });
  }
};

/** Ends a recovery that is still under way; false if another call was faster. Its code ends with it. */
const end = async (ctx: Context, recovery: Recovery, status: Status, by?: string): Promise<boolean> => {
  const [row] = await ctx
    .db('recoveries')
    .where({ id: recovery.id })
    .whereIn('status', ['open', 'approved'])
    .update({ status, ended_at: ctx.now(), ended_by: by ?? null })
    .returning('id');
  if (row === undefined) return false;
  if (status !== 'redeemed') await letterCodes.withdraw(ctx, { recovery_id: recovery.id });
  return true;
};

export type Opened =
  | { outcome: 'opened'; recovery: Recovery; channels: Channels; again: boolean }
  | { outcome: 'not-possible'; status: accounts.Account['status'] }
  | { outcome: 'own-account' }
  | { outcome: 'already-open'; number: string }
  | { outcome: 'unknown' };

/** What the database itself refuses; anything else is a bug and thrown on. */
const refusedAs = (error: unknown): 'own-account' | 'own-recovery' => {
  const { constraint } = error as { constraint?: unknown };
  if (constraint === 'recoveries_not_own') return 'own-account';
  if (constraint === 'recoveries_two_people') return 'own-recovery';
  throw error;
};

/**
 * Opens a recovery; the citizen is told at once. Asked again with the same ticket by the same person, it answers with
 * the one that is there.
 */
export const open = (
  ctx: Context,
  by: string,
  wanted: { account: AccountId; reason: Reason; ticket: string; evidence: Evidence },
  hours: WaitHours,
  letters: CitizenLetters,
): Promise<Opened> =>
  inTransaction(ctx, async (tx): Promise<Opened> => {
    // One at a time for an account; the row's lock makes a parallel call wait.
    await tx.db('accounts').where({ id: wanted.account }).forNoKeyUpdate().select('id');
    const account = await accounts.load(tx, wanted.account);
    if (account === undefined || account.kind !== 'citizen') return { outcome: 'unknown' };
    if (account.status === 'closed') return { outcome: 'not-possible', status: account.status };
    if (await isOwn(tx, by, account.id)) return { outcome: 'own-account' };
    await markExpired(tx, account.id);
    const channels = await channelsOf(tx, account);
    const [running] = await selected(tx).where('r.account_id', account.id).whereIn('r.status', ['open', 'approved']);
    if (running !== undefined) {
      const recovery = toRecovery(tx, running);
      const same = recovery.ticket === wanted.ticket && recovery.openedBy === by && recovery.status === 'open';
      return same
        ? { outcome: 'opened', recovery, channels, again: true }
        : { outcome: 'already-open', number: recovery.number };
    }
    const now = tx.now();
    const id = randomUUID();
    const stop = stopTokenOf(tx, id);
    const row = {
      id,
      number: newNumber('R'),
      account_id: account.id,
      credential_state: account.credentialState,
      status: 'open' as const,
      reason: wanted.reason,
      ticket: wanted.ticket,
      evidence: wanted.evidence,
      opened_by: by,
      opened_at: now,
      waits_until: hoursAfter(now, waitOf(wanted.evidence, hours)),
      stop_hash: stopHash(tx, stop),
    };
    await tx.db('recoveries').insert(row);
    const { reason, ticket, evidence } = wanted;
    await audit.record(tx, 'recovery-opened', {
      account: account.id,
      detail: { recovery: row.number, evidence, reason, ticket },
    });
    await correspondence.tell(
      tx,
      account,
      letters.opened({ language: account.language, waitsUntil: row.waits_until, stop }),
    );
    const recovery = await find(tx, row.number);
    if (recovery === undefined) throw new Error('a recovery has vanished');
    return { outcome: 'opened', recovery, channels, again: false };
  }).catch((error: unknown): Opened => {
    if (refusedAs(error) === 'own-account') return { outcome: 'own-account' };
    throw error;
  });

export type Approved =
  | { outcome: 'approved'; recovery: Recovery; code: Secret; validFrom: Date; expiresAt: Date; renewed: boolean }
  | { outcome: 'own-recovery' | 'own-account' | 'no-address' | 'unknown' }
  | { outcome: 'not-open'; status: Status };

/**
 * Approves a recovery, by another person than opened it: the code for the letter, shown this once. Asked again by the
 * same person before it is redeemed (the answer was lost, the letter was), a new code replaces the one before.
 */
export const approve = (
  ctx: Context,
  by: string,
  number: string,
  delivery: Delivery,
  letters: CitizenLetters,
): Promise<Approved> =>
  inTransaction(ctx, async (tx): Promise<Approved> => {
    const recovery = await lock(tx, number);
    if (recovery === undefined) return { outcome: 'unknown' };
    if (await isOwn(tx, by, recovery.account)) return { outcome: 'own-account' };
    const renewed = recovery.status === 'approved' && recovery.approvedBy === by;
    if (recovery.status !== 'open' && !renewed) return { outcome: 'not-open', status: recovery.status };
    const account = await accounts.load(tx, recovery.account);
    if (account === undefined) return { outcome: 'unknown' };
    if (delivery === 'post' && !(await channelsOf(tx, account)).post) return { outcome: 'no-address' };
    const now = tx.now();
    if (!renewed) {
      await tx
        .db('recoveries')
        .where({ id: recovery.id })
        .update({ status: 'approved', approved_by: by, approved_at: now });
    }
    const validFrom = later(now, recovery.waitsUntil);
    const expiresAt = hoursAfter(validFrom, VALID_HOURS[delivery]);
    const owner = { purpose: 'recovery', account: account.id, recovery: recovery.id } as const;
    const code = await letterCodes.issue(tx, owner, validFrom, expiresAt);
    await audit.record(tx, renewed ? 'recovery-letter-renewed' : 'recovery-approved', {
      account: account.id,
      detail: { recovery: recovery.number, delivery },
    });
    const stop = stopTokenOf(tx, recovery.id);
    await correspondence.tell(tx, account, letters.approved({ language: account.language, validFrom, stop }));
    const approved = await find(tx, number);
    if (approved === undefined) throw new Error('a recovery has vanished');
    return { outcome: 'approved', recovery: approved, code, validFrom, expiresAt, renewed };
  }).catch((error: unknown): Approved => ({ outcome: refusedAs(error) }));

const lock = async (ctx: Context, number: string): Promise<Recovery | undefined> => {
  await ctx.db('recoveries').where({ number }).forUpdate().select('id');
  return find(ctx, number);
};

export type Ended =
  | { outcome: 'ended'; again: boolean }
  | { outcome: 'unknown' }
  | { outcome: 'not-open'; status: Status };

/** Rejects (the approver's word) or cancels (the clerk's, or a mistake's) what is not redeemed yet. */
export const stopBy = (
  ctx: Context,
  by: string,
  number: string,
  status: 'rejected' | 'cancelled',
  letters: CitizenLetters,
): Promise<Ended> =>
  inTransaction(ctx, async (tx): Promise<Ended> => {
    const recovery = await lock(tx, number);
    if (recovery === undefined) return { outcome: 'unknown' };
    if (recovery.status === status) return { outcome: 'ended', again: true };
    if (recovery.status !== 'open' && recovery.status !== 'approved')
      return { outcome: 'not-open', status: recovery.status };
    await end(tx, recovery, status, by);
    const event = status === 'rejected' ? 'recovery-rejected' : 'recovery-cancelled';
    await audit.record(tx, event, { account: recovery.account, detail: { recovery: recovery.number } });
    const account = await accounts.load(tx, recovery.account);
    if (account !== undefined)
      await correspondence.tell(tx, account, letters.ended({ language: account.language, status }));
    return { outcome: 'ended', again: false };
  });

/** The citizen stops a recovery: by the link in a mail, or on the security page. */
export const stop = (ctx: Context, id: string, letters: CitizenLetters): Promise<Ended> =>
  inTransaction(ctx, async (tx): Promise<Ended> => {
    const [row] = await tx.db('recoveries').where({ id }).forUpdate().select('number', 'account_id');
    const recovery = row && (await find(tx, row.number));
    if (recovery === undefined) return { outcome: 'unknown' };
    if (recovery.status === 'stopped') return { outcome: 'ended', again: true };
    if (recovery.status !== 'open' && recovery.status !== 'approved')
      return { outcome: 'not-open', status: recovery.status };
    const citizen: Context = { ...tx, actor: { kind: 'citizen', account: recovery.account } };
    await end(citizen, recovery, 'stopped');
    await audit.record(citizen, 'recovery-stopped', {
      account: recovery.account,
      detail: { recovery: recovery.number },
    });
    const account = await accounts.load(tx, recovery.account);
    if (account !== undefined)
      await correspondence.tell(tx, account, letters.ended({ language: account.language, status: 'stopped' }));
    return { outcome: 'ended', again: false };
  });
