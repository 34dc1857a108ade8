import { isDeepStrictEqual } from 'node:util';
import * as accounts from './accounts.ts';
import * as attempts from './attempts.ts';
import * as attributes from './attributes.ts';
import * as audit from './audit.ts';
import { type Context, inTransaction } from './context.ts';
import { type EmailAddress, parseEmail } from './email.ts';
import { recordProofing } from './factors.ts';
import { type AccountId, newAccountId, parseAccountId } from './ids.ts';
import * as kennungen from './kennung.ts';
import * as letterCodes from './letter-codes.ts';
import { isOwn } from './own-account.ts';
import { channelsOf } from './recoveries.ts';
import { ofAccount } from './recovery-cases.ts';
import type { Secret } from './secret.ts';
import * as sessions from './sessions.ts';
import type { Delivery, Evidence, LOCK_REASONS } from './terms.ts';
import type { Town } from './town.ts';

/** How a member of staff names an account: exactly one of them, and exactly. */
export type Query = { kennung: string } | { email: string } | { pseudonym: string };

export type Found = { outcome: 'found'; account: AccountId } | { outcome: 'none' } | { outcome: 'wait'; until: Date };

const SEARCHES = 60;
const SEARCH_WINDOW_SECONDS = 10 * 60;
const ACTIVATION_HOURS: Record<Delivery, number> = { hand: 14 * 24, post: 21 * 24 };
const HOUR_MS = 3_600_000;

const kindOf = (query: Query): 'kennung' | 'email' | 'pseudonym' =>
  'kennung' in query ? 'kennung' : 'email' in query ? 'email' : 'pseudonym';

/** The account behind a service's pseudonym; which organisation it belongs to is found by trying, and told nobody. */
const byPseudonym = async (ctx: Context, town: Pick<Town, 'organisations'>, pseudonym: string) => {
  for (const { id } of town.organisations) {
    const account = parseAccountId(ctx.keys.accountOf(id, pseudonym));
    if (account === undefined) continue;
    const [row] = await ctx.db('accounts').where({ id: account, kind: 'citizen' }).select('id');
    return row === undefined ? undefined : account;
  }
  return undefined;
};

const lookUp = async (
  ctx: Context,
  town: Pick<Town, 'organisations'>,
  query: Query,
): Promise<AccountId | undefined> => {
  if ('pseudonym' in query) return byPseudonym(ctx, town, query.pseudonym);
  const typed = 'kennung' in query ? query.kennung : query.email;
  const parsed = 'kennung' in query ? kennungen.parse(typed) : parseEmail(typed);
  return parsed && accounts.findByIdentifier(ctx, parsed, 'citizen');
};

/** Finds a citizen's account: exact match only, throttled for each member of staff, on the record; all of it or nothing. */
export const find = (ctx: Context, by: string, town: Pick<Town, 'organisations'>, query: Query): Promise<Found> =>
  inTransaction(ctx, async (tx): Promise<Found> => {
    const bucket = {
      kind: 'staff',
      key: `search ${by}`,
      limit: SEARCHES,
      windowSeconds: SEARCH_WINDOW_SECONDS,
    } as const;
    const reserved = await attempts.reserve(tx, [bucket]);
    if (reserved.outcome === 'wait') return reserved;
    const account = await lookUp(tx, town, query);
    // Which account it was stands in the row; by which pseudonym it was named does not: that would be a service.
    const detail = { by: kindOf(query), found: account !== undefined };
    await audit.record(tx, 'account-searched', { ...(account !== undefined && { account }), detail });
    return account === undefined ? { outcome: 'none' } : { outcome: 'found', account };
  });

/** What the counter needs to see: enough to compare with a card and to know what can be done, and no more. */
export type View = {
  readonly kennung: string;
  readonly status: accounts.Account['status'];
  readonly name?: string;
  readonly language: string;
  readonly createdOn: string;
  readonly email?: string;
  readonly post: boolean;
  readonly passkeys: number;
  readonly password: boolean;
  readonly reduced: boolean;
  readonly recovery?: string;
};

/** `erika@example.org` → `e…@e….org`: enough for the citizen to recognise it, too little to write to. */
const masked = (email: EmailAddress): string => {
  const [local = '', domain = ''] = email.split('@');
  return `${local.charAt(0)}…@${domain.charAt(0)}…${domain.slice(domain.lastIndexOf('.'))}`;
};

/** Shows an account, on the record. */
export const view = async (ctx: Context, id: AccountId): Promise<View | undefined> => {
  const account = await accounts.load(ctx, id);
  if (account === undefined) return undefined;
  const [{ passkeys, password, reduced }] = (
    await ctx.db.raw(
      `SELECT (SELECT count(*)::integer FROM passkeys WHERE account_id = a.id) AS passkeys,
         EXISTS (SELECT FROM passwords WHERE account_id = a.id) AS password, a.reduced_at IS NOT NULL AS reduced
       FROM accounts a WHERE a.id = ?`,
      [id],
    )
  ).rows;
  const known = await attributes.read(ctx, id);
  const name = [known.given_name, known.family_name].filter((part) => part !== undefined).join(' ');
  const running = (await ofAccount(ctx, id)).find(({ status }) => status === 'open' || status === 'approved');
  await audit.record(ctx, 'account-viewed', { account: id, detail: {} });
  return {
    kennung: account.kennung,
    status: account.status,
    ...(name !== '' && { name }),
    language: account.language,
    createdOn: account.createdAt.toISOString().slice(0, 10),
    ...(account.email !== undefined && { email: masked(account.email) }),
    post: (await channelsOf(ctx, account)).post,
    passkeys,
    password,
    reduced,
    ...(running !== undefined && { recovery: running.number }),
  };
};

export type LockReason = (typeof LOCK_REASONS)[number];
export type Why = { readonly reason: LockReason; readonly ticket: string };

export type StatusChange =
  | { outcome: 'changed' }
  | { outcome: 'unchanged' }
  | { outcome: 'own-account' }
  /** Only what another person has locked may be unlocked or closed. */
  | { outcome: 'same-person' }
  | { outcome: 'not-possible'; status: accounts.Account['status'] }
  | { outcome: 'unknown' };

const change = (
  ctx: Context,
  by: string,
  id: AccountId,
  work: (tx: Context, row: { status: accounts.Account['status']; locked_by: string | null }) => Promise<StatusChange>,
): Promise<StatusChange> =>
  inTransaction(ctx, async (tx): Promise<StatusChange> => {
    const [row] = await tx.db('accounts').where({ id, kind: 'citizen' }).forUpdate().select('status', 'locked_by');
    if (row === undefined) return { outcome: 'unknown' };
    if (await isOwn(tx, by, id)) return { outcome: 'own-account' };
    return work(tx, row);
  });

/** Locks an account at once: sessions and tokens end. One person may do it, as it only protects. */
export const lock = (
  ctx: Context,
  by: string,
  id: AccountId,
  why: Why,
  services: readonly sessions.ServiceSession[],
): Promise<StatusChange> =>
  change(ctx, by, id, async (tx, { status }) => {
    if (status === 'closed') return { outcome: 'not-possible', status };
    if (status === 'locked') return { outcome: 'unchanged' };
    await tx.db('accounts').where({ id }).update({ status: 'locked', locked_by: by });
    await sessions.endAll(tx, id, services);
    await audit.record(tx, 'account-locked', { account: id, detail: { ...why } });
    return { outcome: 'changed' };
  });

/** Unlocks an account that another person has locked. */
export const unlock = (ctx: Context, by: string, id: AccountId, why: Why): Promise<StatusChange> =>
  change(ctx, by, id, async (tx, { status, locked_by: lockedBy }) => {
    if (status === 'active') return { outcome: 'unchanged' };
    if (status === 'closed') return { outcome: 'not-possible', status };
    if (lockedBy === by) return { outcome: 'same-person' };
    await tx.db('accounts').where({ id }).update({ status: 'active', locked_by: null });
    await audit.record(tx, 'account-unlocked', { account: id, detail: { ...why } });
    return { outcome: 'changed' };
  });

/** Closes an account for good; it must have been locked before, by another person. */
export const close = (ctx: Context, by: string, id: AccountId, why: Why): Promise<StatusChange> =>
  change(ctx, by, id, async (tx, { status, locked_by: lockedBy }) => {
    if (status === 'closed') return { outcome: 'unchanged' };
    if (status === 'active') return { outcome: 'not-possible', status };
    if (lockedBy === by) return { outcome: 'same-person' };
    await tx.db('accounts').where({ id }).update({ status: 'closed' });
    await sessions.endAll(tx, id, []);
    await audit.record(tx, 'account-closed-by-staff', { account: id, detail: { ...why } });
    return { outcome: 'changed' };
  });

export type NewCitizen = {
  readonly language: string;
  readonly attributes: attributes.Attributes;
  readonly evidence: Evidence;
  readonly ticket: string;
  readonly delivery: Delivery;
};

/**
 * How well a citizen is proofed at the counter. A letter may be opened by somebody else, and who comes for another person
 * shows nothing of that person's: the weakest link decides.
 */
const proofedAs = ({ evidence, delivery }: NewCitizen): 'low' | 'substantial' =>
  delivery === 'post' || evidence === 'known-representative' ? 'low' : 'substantial';

export type Created =
  | { outcome: 'created'; account: AccountId; kennung: string; code: Secret; expiresAt: Date; again: boolean }
  | { outcome: 'no-address' | 'ticket-of-another' };

/** Whether an account was made for this very person, and proofed as well as it would be now. */
const isFor = async (tx: Context, account: AccountId, wanted: NewCitizen): Promise<boolean> => {
  const stored: Record<string, unknown> = await attributes.read(tx, account);
  const asBefore = Object.entries(wanted.attributes).every(([name, value]) => isDeepStrictEqual(value, stored[name]));
  const other = await tx
    .db('attributes')
    .where({ account_id: account })
    .whereNot({ level: proofedAs(wanted) })
    .first();
  return asBefore && other === undefined;
};

/**
 * Creates an account at the counter, for somebody without a device at hand: Kennung and a code for the activation letter.
 * Asked again with the same ticket before it is activated, a new letter replaces the one before, for the same person only:
 * under another name, the letter would open the account of the first.
 */
export const create = (ctx: Context, by: string, town: Pick<Town, 'id'>, wanted: NewCitizen): Promise<Created> =>
  inTransaction(ctx, async (tx): Promise<Created> => {
    await tx.db.raw("SELECT pg_advisory_xact_lock(hashtext('account create'))");
    if (wanted.delivery === 'post' && wanted.attributes.address === undefined) return { outcome: 'no-address' };
    const expiresAt = new Date(tx.now().getTime() + ACTIVATION_HOURS[wanted.delivery] * HOUR_MS);
    const [before] = await tx
      .db('audit')
      .join('letter_codes', 'letter_codes.account_id', 'audit.account_id')
      .where({ event: 'account-created', purpose: 'activation' })
      .whereNull('used_at')
      .whereNull('replaced_at')
      .whereRaw("detail->>'ticket' = ? AND actor->>'staff' = ?", [wanted.ticket, by])
      .select('audit.account_id');
    const known = before === undefined ? undefined : await accounts.load(tx, before.account_id);
    if (known !== undefined && !(await isFor(tx, known.id, wanted))) return { outcome: 'ticket-of-another' };
    const account = known?.id ?? newAccountId();
    let kennung = known?.kennung;
    if (kennung === undefined) {
      // Without an e-mail address: services are told that it is proven, which only a code in that mailbox shows.
      const inserted = await accounts.insert(tx, account, { town, language: wanted.language });
      kennung = inserted.kennung;
      const level = proofedAs(wanted);
      await attributes.write(tx, account, inserted.seal, wanted.attributes, 'counter', level);
      await recordProofing(tx, account, level);
      await audit.record(tx, 'account-created', {
        account,
        detail: { evidence: wanted.evidence, ticket: wanted.ticket },
      });
    }
    const code = await letterCodes.issue(tx, { purpose: 'activation', account }, tx.now(), expiresAt);
    return { outcome: 'created', account, kennung, code, expiresAt, again: known !== undefined };
  });
