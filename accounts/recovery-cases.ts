import type { Context } from './context.ts';
import type { AccountId } from './ids.ts';
import type { Evidence, Reason } from './terms.ts';

export type Status = 'open' | 'approved' | 'redeemed' | 'rejected' | 'cancelled' | 'stopped' | 'expired';

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

/** A recovery that nobody decides on ends by itself. */
const UNDECIDED_HOURS = 14 * 24;
const HOUR_MS = 3_600_000;
const STOP_TOKEN_BYTES = 32;

export const hoursAfter = (date: Date, hours: number): Date => new Date(date.getTime() + hours * HOUR_MS);

/** How the token is stored. */
export const stopHash = (ctx: Context, token: string): Buffer => ctx.keys.index('recovery stop', token);

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

/** Recoveries, each with its code that is good or was spent. */
export const selected = (ctx: Context) =>
  ctx
    .db('recoveries as r')
    .leftJoin('letter_codes as c', (join) => join.on('c.recovery_id', 'r.id').onNull('c.replaced_at'))
    .select(COLUMNS);

/** What is over is shown as expired also before it is marked so. */
export const toRecovery = (ctx: Context, row: Record<string, unknown>): Recovery => {
  const present = Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null)) as unknown as Recovery;
  return isOver(ctx, present) ? { ...present, status: 'expired' } : present;
};

const isOver = (ctx: Context, { status, openedAt, expiresAt }: Recovery): boolean =>
  (status === 'open' && hoursAfter(openedAt, UNDECIDED_HOURS) <= ctx.now()) ||
  (status === 'approved' && expiresAt !== undefined && expiresAt <= ctx.now());

/** The token is derived, so that it can stand in a later mail too and is stored nowhere. */
export const stopTokenOf = (ctx: Context, id: string): string =>
  ctx.keys.index('recovery stop token', id).subarray(0, STOP_TOKEN_BYTES).toString('base64url');

/** The recovery that the link in a mail stops; undefined if the link is none of ours. */
export const findByStopToken = async (ctx: Context, token: string): Promise<Recovery | undefined> => {
  const [row] = await selected(ctx).where('r.stop_hash', stopHash(ctx, token)).limit(1);
  return row && toRecovery(ctx, row);
};

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
