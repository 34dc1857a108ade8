import * as activities from './activities.ts';
import { startOfDay } from './coarse-time.ts';
import type { Context } from './context.ts';
import type { AccountSeal } from './data-key.ts';
import type { AccountId } from './ids.ts';
import type { StaffAuditDetails } from './staff-audit.ts';

/**
 * What is recorded about accounts and the operation, with the details of each. Details hold no personal data and never
 * a service next to a citizen.
 */
export type AuditDetails = {
  'account-registered': { credential: 'password' | 'passkey' | 'identity'; email: boolean; address: boolean };
  'sign-in-proven': { method: SignInMethod };
  'sign-in-refused': { method: SignInMethod; reason: 'wrong' | 'not-active' | 'counter' | 'retired' };
  'signed-out': Record<string, never>;
  'passkey-added': Record<string, never>;
  'identity-linked': { source: string; replaced: boolean };
  'identity-unlinked': { source: string };
  'passkey-renamed': Record<string, never>;
  'passkey-removed': Record<string, never>;
  'password-changed': { way: 'konto' | 'forgotten' };
  'totp-enrolled': Record<string, never>;
  'totp-removed': Record<string, never>;
  'email-changed': { had: boolean };
  'language-changed': Record<string, never>;
  'session-ended': { sessions: number };
  'device-new': { device: string };
  'backup-codes-created': { count: number };
  'backup-code-spent': { left: number };
  'attributes-recorded': { names: string[]; source: string };
  'consent-recorded': Record<string, never>;
  'consent-withdrawn': Record<string, never>;
  'deletion-requested': { due: string };
  'deletion-withdrawn': Record<string, never>;
  'account-purged': { reason: 'asked' | 'dormant' | 'restored' };
  'account-exported': { format: 'json' | 'pdf' };
  'dormancy-noticed': { notice: number; channel: 'mail' | 'letter' };
  'registrations-applied': { added: string[]; changed: string[]; removed: string[] };
  'client-secret-added': { client: string };
  'backup-restored': { taken: string; revoked: number; forgotten: number };
  'signing-key-created': { kid: string; alg: string };
} & StaffAuditDetails;

export type AuditEvent = keyof AuditDetails;
/** What is about the operation or the staff and never about a citizen's account; all else the citizen sees. */
type OperationEvent =
  | 'registrations-applied'
  | 'services-proposed'
  | 'services-approved'
  | 'client-secret-added'
  | 'backup-restored'
  | 'signing-key-created'
  | 'account-purged'
  | 'notices-retried'
  | 'letters-taken'
  | 'letters-printed'
  | `signing-key-${'rotated' | 'revoked'}`
  | `staff-${string}`
  | `audit-${string}`;
export type AccountEvent = Exclude<AuditEvent, OperationEvent>;
type SignInMethod = 'password' | 'passkey' | 'totp' | 'backup-code' | 'eid' | 'bundid' | 'staff';

/**
 * What happens while a citizen visits a service. It goes into the citizen's own sealed record (activities.ts) instead of
 * the audit: rows with account and time would tell whoever has a dump, and the services' logs, who was where.
 */
const OF_A_VISIT: ReadonlySet<AuditEvent> = new Set<AuditEvent>([
  'sign-in-proven',
  'sign-in-refused',
  'signed-out',
  'backup-code-spent',
  'session-ended',
  'device-new',
  'consent-recorded',
  'consent-withdrawn',
]);

/** The audit is kept this long: two years, one of them a leap year. */
export const AUDIT_DAYS = 731;

/** Removes what has reached its age; the one way in which a row ever goes. The number of rows removed. */
export const forget = async (ctx: Context, before: Date): Promise<number> => {
  const { rows } = await ctx.db.raw('SELECT forget_audit(?) AS forgotten', [before]);
  return Number(rows[0].forgotten);
};

/**
 * Records an event; call it with the context of the transaction that does what it records. What a citizen does to the
 * own account is dated by the day: its minute would lead to the visit in which it happened.
 */
export const record = async <E extends AuditEvent>(
  ctx: Context,
  event: E,
  about: { account?: AccountId; detail: AuditDetails[E] },
): Promise<void> => {
  if (OF_A_VISIT.has(event)) {
    ctx.count?.(event, about.detail);
    return activities.note(ctx, about.account, event, about.detail);
  }
  const ofCitizen = about.account !== undefined && ctx.actor.kind !== 'staff';
  await ctx.db('audit').insert({
    at: ofCitizen ? startOfDay(ctx.now()) : ctx.now(),
    event,
    actor: JSON.stringify(ctx.actor),
    account_id: about.account ?? null,
    detail: JSON.stringify(about.detail),
  });
};

/** The line of a citizen's record about a proven sign-in, for the one statement that settles it; `keep` sends it. */
export const recordSignIn = async (
  ctx: Context,
  account: AccountId,
  seal: AccountSeal,
  detail: AuditDetails['sign-in-proven'],
  keep: (line: activities.Line) => Promise<boolean>,
): Promise<boolean> => {
  const kept = await keep(activities.line(ctx, account, seal, 'sign-in-proven', detail));
  if (kept) ctx.count?.('sign-in-proven', detail);
  return kept;
};

/** How long a citizen sees what happened to the account. */
const SHOWN_DAYS = 90;

/** One line of a citizen's security log. */
export type LogLine = {
  readonly at: Date;
  readonly event: string;
  readonly byStaff: boolean;
  readonly detail: Readonly<Record<string, unknown>>;
};

/** What happened to an account in the last 90 days, the newest first. */
export const recent = async (ctx: Context, account: AccountId, limit: number): Promise<LogLine[]> => {
  const since = new Date(ctx.now().getTime() - SHOWN_DAYS * 24 * 3600 * 1000);
  const rows = await ctx
    .db('audit')
    .where({ account_id: account })
    .where('at', '>', since)
    .orderBy('seq', 'desc')
    .limit(limit)
    .select('at', 'event', 'actor', 'detail');
  const changes = rows.map(
    ({ at, event, actor, detail }): LogLine => ({ at, event, byStaff: actor.kind === 'staff', detail }),
  );
  const visits = (await activities.list(ctx, account)).map((activity): LogLine => ({ ...activity, byStaff: false }));
  // The sort is stable: of one day's changes the newest stays first.
  return [...changes, ...visits].sort((one, other) => other.at.getTime() - one.at.getTime()).slice(0, limit);
};
