import { randomInt, randomUUID } from 'node:crypto';
import * as accounts from './accounts.ts';
import * as attributes from './attributes.ts';
import * as audit from './audit.ts';
import { type Context, inTransaction } from './context.ts';
import * as correspondence from './correspondence.ts';
import type { AccountId } from './ids.ts';
import * as letterCodes from './letter-codes.ts';
import type { Secret } from './secret.ts';

/** What the clerk has seen; kinds only, never a copy and never a document's number. */
export const EVIDENCE = [
  'identity-card',
  'passport',
  'residence-permit',
  'eid-at-counter',
  'known-representative',
] as const;
export type Evidence = (typeof EVIDENCE)[number];

export const REASONS = [
  'device-lost',
  'device-broken',
  'password-forgotten',
  'codes-lost',
  'taken-over',
  'other',
] as const;
export type Reason = (typeof REASONS)[number];

export type Status = 'open' | 'approved' | 'redeemed' | 'rejected' | 'cancelled' | 'stopped' | 'expired';
export type Delivery = 'hand' | 'post';

/** Hours between opening and the first moment of the code, by evidence; time for the citizen to stop it. */
export type WaitHours = { readonly eid: number; readonly card: number; readonly other: number };
export const WAIT_HOURS: WaitHours = { eid: 0, card: 24, other: 72 };

const VALID_HOURS: Record<Delivery, number> = { hand: 24, post: 21 * 24 };
/** A recovery that nobody decides on ends by itself. */
const UNDECIDED_HOURS = 14 * 24;
const HOUR_MS = 3_600_000;
const STOP_TOKEN_BYTES = 32;
const NUMBER_ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

export type Recovery = {
  readonly id: string;
  /** For people, e.g. `R-7K3F-29QX`. */
  readonly number: string;
  readonly account: AccountId;
  readonly status: Status;
  readonly reason: Reason;
  readonly ticket: string;
  readonly evidence: Evidence;
  readonly openedBy: string;
  readonly openedAt: Date;
  readonly waitsUntil: Date;
  readonly approvedBy?: string;
  readonly approvedAt?: Date;
  readonly endedAt?: Date;
  /** When the letter's code is good, once there is one. */
  readonly validFrom?: Date;
  readonly expiresAt?: Date;
};

/** How the citizen can be told. With none of them, the clerk tells her at the counter. */
export type Channels = { readonly email: boolean; readonly post: boolean };

/** The mails to the citizen, in her language; `stop` is the token of the link that stops the recovery. */
export type CitizenLetters = {
  opened(about: { language: string; waitsUntil: Date; stop: string }): { subject: string; text: string };
  approved(about: { language: string; validFrom: Date; stop: string }): { subject: string; text: string };
  redeemed(about: { language: string }): { subject: string; text: string };
  ended(about: { language: string; status: 'rejected' | 'cancelled' | 'stopped' }): { subject: string; text: string };
};

const hoursAfter = (date: Date, hours: number): Date => new Date(date.getTime() + hours * HOUR_MS);
const later = (one: Date, other: Date): Date => (one > other ? one : other);

const waitOf = (evidence: Evidence, hours: WaitHours): number => {
  if (evidence === 'eid-at-counter') return hours.eid;
  return evidence === 'known-representative' ? hours.other : hours.card;
};

const newNumber = (): string => {
  const characters = Array.from({ length: 8 }, () => NUMBER_ALPHABET.charAt(randomInt(NUMBER_ALPHABET.length))).join(
    '',
  );
  return `R-${characters.slice(0, 4)}-${characters.slice(4)}`;
};

/** Reads a number as people type it; undefined if it is none. */
export const parseNumber = (typed: string): string | undefined => {
  const characters = typed
    .toUpperCase()
    .replace(/[\s-]/g, '')
    .replace(/^R/, '')
    .replaceAll('O', '0')
    .replaceAll(/[IL]/g, '1');
  return /^[0-9A-HJKMNP-TV-Z]{8}$/.test(characters) ? `R-${characters.slice(0, 4)}-${characters.slice(4)}` : undefined;
};

const stopHash = (ctx: Context, token: string): Buffer => ctx.keys.index('recovery stop', token);

const COLUMNS = [
  'r.id',
  'r.number',
  'r.account_id as account',
  'r.status',
  'r.reason',
  'r.ticket',
  'r.evidence',
  'r.opened_by as openedBy',
  'r.opened_at as openedAt',
  'r.waits_until as waitsUntil',
  'r.approved_by as approvedBy',
  'r.approved_at as approvedAt',
  'r.ended_at as endedAt',
  'c.valid_from as validFrom',
  'c.expires_at as expiresAt',
];

const selected = (ctx: Context) =>
  ctx
    .db('recoveries as r')
    .leftJoin('letter_codes as c', (join) => join.on('c.recovery_id', 'r.id').onNull('c.replaced_at'))
    .select(COLUMNS);

/** What is over is shown as expired also before it is marked so. */
const toRecovery = (ctx: Context, row: Record<string, unknown>): Recovery => {
  const present = Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null)) as unknown as Recovery;
  return isOver(ctx, present) ? { ...present, status: 'expired' } : present;
};

const isOver = (ctx: Context, { status, openedAt, expiresAt }: Recovery): boolean =>
  (status === 'open' && hoursAfter(openedAt, UNDECIDED_HOURS) <= ctx.now()) ||
  (status === 'approved' && expiresAt !== undefined && expiresAt <= ctx.now());

/** How the citizen can be reached besides her security page. */
export const channelsOf = async (ctx: Context, account: accounts.Account): Promise<Channels> => ({
  email: account.email !== undefined,
  post: (await attributes.read(ctx, account.id)).address !== undefined,
});

/** The token is derived, so that it can stand in a later mail too and is stored nowhere. */
const stopTokenOf = (ctx: Context, id: string): string =>
  ctx.keys.index('recovery stop token', id).subarray(0, STOP_TOKEN_BYTES).toString('base64url');

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
      number: newNumber(),
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

/** The recovery that the link in a mail stops; undefined if the link is none of ours. */
export const findByStopToken = async (ctx: Context, token: string): Promise<Recovery | undefined> => {
  const [row] = await selected(ctx).where('r.stop_hash', stopHash(ctx, token)).limit(1);
  return row && toRecovery(ctx, row);
};

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

/** One recovery by its number. */
export const find = async (ctx: Context, number: string): Promise<Recovery | undefined> => {
  const [row] = await selected(ctx).where('r.number', number).limit(1);
  return row && toRecovery(ctx, row);
};

/** Recoveries, the newest first; by default those under way. */
export const list = async (ctx: Context, filter: { all?: boolean; limit: number }): Promise<Recovery[]> => {
  const rows = await selected(ctx)
    .modify((query) => {
      if (filter.all !== true) query.whereIn('r.status', ['open', 'approved']);
    })
    .orderBy('r.opened_at', 'desc')
    .limit(filter.limit);
  const found = rows.map((row: Record<string, unknown>) => toRecovery(ctx, row));
  return filter.all === true ? found : found.filter((recovery: Recovery) => recovery.status !== 'expired');
};

/** All recoveries of an account, the newest first: for the citizen's security page. */
export const ofAccount = async (ctx: Context, account: AccountId): Promise<Recovery[]> =>
  (await selected(ctx).where('r.account_id', account).orderBy('r.opened_at', 'desc')).map(
    (row: Record<string, unknown>) => toRecovery(ctx, row),
  );

/** Whether the account was recovered on paper and not been proofed since: no level above the basis one. */
export const isReduced = async (ctx: Context, account: AccountId): Promise<boolean> => {
  const [row] = await ctx.db('accounts').where({ id: account }).whereNotNull('reduced_at').select('id');
  return row !== undefined;
};

/** A random link token, as the mails carry it, has this many characters of base64url. */
export const STOP_TOKEN = new RegExp(`^[A-Za-z0-9_-]{${Math.ceil((STOP_TOKEN_BYTES * 8) / 6)}}$`);
