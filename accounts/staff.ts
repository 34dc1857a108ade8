import { randomUUID } from 'node:crypto';
import * as accounts from './accounts.ts';
import * as audit from './audit.ts';
import { type Context, inTransaction } from './context.ts';
import { type EmailAddress, emailIndex } from './email.ts';
import { type AccountId, newAccountId } from './ids.ts';
import * as letterCodes from './letter-codes.ts';
import * as notices from './notices.ts';
import * as passkeys from './passkeys.ts';
import type { Secret } from './secret.ts';
import { ROLES, type Role } from './terms.ts';
import type { Town } from './town.ts';

/** A member of staff, opened. `joined`: the invitation was redeemed. */
export type Member = {
  readonly id: string;
  readonly name: string;
  readonly email: EmailAddress;
  readonly language: string;
  readonly roles: readonly Role[];
  /** Of these, roles that do not act yet, with the moment from which they do. */
  readonly waiting: readonly { readonly role: Role; readonly from: Date }[];
  readonly joined: boolean;
  readonly ended: boolean;
};

export type NewMember = {
  readonly name: string;
  readonly email: EmailAddress;
  readonly language: string;
  readonly roles: readonly Role[];
  /** The same person's account as a citizen: they never act on it. */
  readonly citizen?: AccountId;
};

/** A mail in the member's language. */
export type Letter = (member: Pick<Member, 'name' | 'language'>) => { subject: string; text: string };

export type Invited =
  | { outcome: 'invited'; staff: string; code: Secret; expiresAt: Date; again: boolean }
  | { outcome: 'email-taken' };

export const STAFF_PURPOSE = 'staff';
const INVITATION_HOURS = 72;
/** Hours until a new role acts, unless the town says otherwise: one working day in which somebody can object. */
export const STAFF_WAIT_HOURS = 24;
const HOUR_MS = 3_600_000;

export const hoursFrom = (ctx: Context, hours: number): Date => new Date(ctx.now().getTime() + hours * HOUR_MS);
const indexOf = (ctx: Context, email: EmailAddress): Buffer =>
  ctx.keys.index('staff email', emailIndex(ctx.keys, email).toString('hex'));

const open = (ctx: Context, row: Record<string, unknown>): Member => {
  const { name, email, language } = JSON.parse(
    ctx.keys.openShared(STAFF_PURPOSE, String(row['id']), row['sealed'] as Buffer),
  );
  const granted = new Map(
    (row['roles'] as { role: Role; from: string | Date }[]).map(({ role, from }) => [role, new Date(from)]),
  );
  return {
    id: String(row['id']),
    name,
    email,
    language,
    roles: ROLES.filter((role) => granted.has(role)),
    waiting: ROLES.flatMap((role) => {
      const from = granted.get(role);
      return from !== undefined && from > ctx.now() ? [{ role, from }] : [];
    }),
    joined: row['account_id'] !== null,
    ended: row['ended_at'] !== null,
  };
};

const members = (ctx: Context) =>
  ctx
    .db('staff as s')
    .orderBy('s.created_at')
    .select('s.id', 's.sealed', 's.account_id', 's.ended_at')
    .select(
      ctx.db.raw(
        `coalesce((SELECT json_agg(json_build_object('role', r.role, 'from', r.acts_from))
                   FROM staff_roles r WHERE r.staff_id = s.id), '[]') AS roles`,
      ),
    );

/** All members of staff, also former ones. */
export const list = async (ctx: Context): Promise<Member[]> => (await members(ctx)).map((row) => open(ctx, row));

/** One member by office e-mail address; former ones too. */
export const find = async (ctx: Context, email: EmailAddress): Promise<Member | undefined> => {
  const [row] = await members(ctx).where('s.email_index', indexOf(ctx, email));
  return row && open(ctx, row);
};

/**
 * Who acts, by the account that signed in, with the roles that act now; undefined if it is no (longer a) member. With
 * `held`, called within the transaction of what they change: the row locks make the taking of a role wait for it, or it
 * for the taking.
 */
export const acting = async (ctx: Context, account: AccountId, held: boolean): Promise<Member | undefined> => {
  const lock = (table: string): string => (held ? `FOR SHARE OF ${table}` : '');
  const { rows } = await ctx.db.raw(
    `WITH member AS (
       SELECT s.id, s.sealed, s.account_id, s.ended_at FROM staff s JOIN accounts a ON a.id = s.account_id
       WHERE s.account_id = ? AND s.ended_at IS NULL AND a.status = 'active' AND a.kind = 'staff' ${lock('s, a')}
     ), granted AS (
       SELECT r.role, r.acts_from FROM staff_roles r JOIN member m ON m.id = r.staff_id ${lock('r')}
     )
     SELECT m.*, coalesce((SELECT json_agg(json_build_object('role', role, 'from', acts_from)) FROM granted), '[]') AS roles
     FROM member m`,
    [account],
  );
  if (rows[0] === undefined) return undefined;
  const member = open(ctx, rows[0]);
  const waits = new Set(member.waiting.map(({ role }) => role));
  return { ...member, roles: member.roles.filter((role) => !waits.has(role)) };
};

const insertMember = async (
  ctx: Context,
  wanted: NewMember,
  invitedBy: string | null,
  actsFrom: Date,
): Promise<string> => {
  const id = randomUUID();
  const { name, email, language } = wanted;
  await ctx.db('staff').insert({
    id,
    email_index: indexOf(ctx, email),
    sealed: ctx.keys.sealShared(STAFF_PURPOSE, id, JSON.stringify({ name, email, language })),
    citizen_id: wanted.citizen ?? null,
    invited_by: invitedBy,
    created_at: ctx.now(),
  });
  const granted = wanted.roles.map((role) => ({
    staff_id: id,
    role,
    granted_by: invitedBy,
    granted_at: ctx.now(),
    acts_from: actsFrom,
  }));
  if (granted.length > 0) await ctx.db('staff_roles').insert(granted);
  return id;
};

export const tellAll = async (ctx: Context, letter: Letter): Promise<number> => {
  // Not those of a service: they belong to another house.
  const everybody = (await list(ctx)).filter(
    ({ joined, ended, roles }) => joined && !ended && roles.some((role) => role !== 'service'),
  );
  for (const member of everybody) await notices.enqueue(ctx, { to: member.email, ...letter(member) });
  return everybody.length;
};

export const oneAtATime = (ctx: Context): Promise<unknown> =>
  ctx.db.raw("SELECT pg_advisory_xact_lock(hashtext('staff'))");

/** Chiefs who could act: those who have joined, and those whose invitation can still be redeemed. */
export const chiefsLeft = async (ctx: Context, except?: string): Promise<number> => {
  const { rows } = await ctx.db.raw(
    `SELECT count(*)::integer AS chiefs FROM staff s JOIN staff_roles r ON r.staff_id = s.id AND r.role = 'chief'
     WHERE s.ended_at IS NULL AND s.id IS DISTINCT FROM ?::uuid AND (s.account_id IS NOT NULL OR EXISTS (
       SELECT FROM letter_codes c WHERE c.staff_id = s.id AND c.used_at IS NULL AND c.replaced_at IS NULL AND c.expires_at > ?))`,
    [except ?? null, ctx.now()],
  );
  return rows[0].chiefs;
};

/**
 * Makes the first chief, from the server itself. Works again only when no chief is left, and then tells every member.
 */
export const bootstrap = (
  ctx: Context,
  wanted: Omit<NewMember, 'roles'>,
  alarm: Letter,
): Promise<Invited | { outcome: 'chief-exists' }> =>
  inTransaction(ctx, async (tx) => {
    await oneAtATime(tx);
    if ((await chiefsLeft(tx)) > 0) return { outcome: 'chief-exists' };
    const known = await find(tx, wanted.email);
    // A former chief, or one whose invitation has run out, is not let in again under the old name by this way.
    if (known !== undefined && (known.joined || known.ended || !known.roles.includes('chief')))
      return { outcome: 'email-taken' };
    const staff = known?.id ?? (await insertMember(tx, { ...wanted, roles: ['chief'] }, null, tx.now()));
    const expiresAt = hoursFrom(tx, INVITATION_HOURS);
    const code = await letterCodes.issue(tx, { purpose: 'invitation', staff }, tx.now(), expiresAt);
    const alarmed = await tellAll(tx, alarm);
    await audit.record(tx, 'staff-bootstrapped', { detail: { staff, alarmed } });
    return { outcome: 'invited', staff, code, expiresAt, again: known !== undefined };
  });

/**
 * Invites a new member; asked again before they have joined, a new code replaces the one before. All are told, and the
 * roles act when the waiting time is over: one chief alone could otherwise invent a clerk and an approver.
 * @param told the mail, with the moment from which the roles act
 */
export const invite = (
  ctx: Context,
  by: string,
  wanted: NewMember,
  waitHours: number,
  told: (from: Date) => Letter,
): Promise<Invited> =>
  inTransaction(ctx, async (tx) => {
    await oneAtATime(tx);
    const known = await find(tx, wanted.email);
    const same = known && [...known.roles].sort().join() === [...wanted.roles].sort().join();
    if (known !== undefined && (known.joined || known.ended || !same)) return { outcome: 'email-taken' };
    const staff = known?.id ?? (await insertMember(tx, wanted, by, hoursFrom(tx, waitHours)));
    const expiresAt = hoursFrom(tx, INVITATION_HOURS);
    const code = await letterCodes.issue(tx, { purpose: 'invitation', staff }, tx.now(), expiresAt);
    await audit.record(tx, 'staff-invited', { detail: { staff, roles: wanted.roles } });
    await tellAll(tx, told(known?.waiting[0]?.from ?? hoursFrom(tx, waitHours)));
    return { outcome: 'invited', staff, code, expiresAt, again: known !== undefined };
  });

/** Redeems an invitation: the new member's own account, with the passkey that was just made. */
export const join = async (
  ctx: Context,
  staff: string,
  town: Pick<Town, 'id'>,
  credential: { passkey: passkeys.NewPasskey; handle: Buffer },
): Promise<AccountId | undefined> => {
  const [row] = await ctx
    .db('staff')
    .where({ id: staff, account_id: null, ended_at: null })
    .forUpdate()
    .select('sealed');
  if (row === undefined) return undefined;
  const { language } = JSON.parse(ctx.keys.openShared(STAFF_PURPOSE, staff, row.sealed));
  const account = newAccountId();
  await accounts.insert(ctx, account, { town, language, handle: credential.handle, kind: 'staff' });
  await passkeys.insert(ctx, account, credential.passkey);
  await ctx.db('staff').where({ id: staff }).update({ account_id: account });
  await audit.record(ctx, 'staff-joined', { detail: { staff } });
  return account;
};
