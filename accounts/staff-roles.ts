import * as audit from './audit.ts';
import { type Context, inTransaction } from './context.ts';
import type { EmailAddress } from './email.ts';
import * as letterCodes from './letter-codes.ts';
import * as sessions from './sessions.ts';
import { chiefsLeft, find, hoursFrom, type Letter, type Member, oneAtATime, tellAll } from './staff.ts';
import type { Role } from './terms.ts';

export type RoleChange =
  | { outcome: 'changed' }
  | { outcome: 'unchanged' }
  | { outcome: 'unknown' }
  | { outcome: 'oneself' }
  /** Given by the same chief; or waiting for nothing. */
  | { outcome: 'own-grant' }
  | { outcome: 'not-waiting' }
  | { outcome: 'last-chief' };

/** Gives a role; nobody gives one to themselves (a database constraint). All are told, and it waits as with `invite`. */
export const grant = (
  ctx: Context,
  by: string,
  email: EmailAddress,
  role: Role,
  waitHours: number,
  told: (from: Date) => Letter,
): Promise<RoleChange> =>
  inTransaction(ctx, async (tx): Promise<RoleChange> => {
    await oneAtATime(tx);
    const member = await find(tx, email);
    if (member === undefined || member.ended) return { outcome: 'unknown' };
    if (member.id === by) return { outcome: 'oneself' };
    const granted = await tx
      .db('staff_roles')
      .insert({
        staff_id: member.id,
        role,
        granted_by: by,
        granted_at: tx.now(),
        acts_from: hoursFrom(tx, waitHours),
      })
      .onConflict(['staff_id', 'role'])
      .ignore()
      .returning('role');
    if (granted.length === 0) return { outcome: 'unchanged' };
    await audit.record(tx, 'staff-role-granted', { detail: { staff: member.id, role } });
    await tellAll(tx, told(hoursFrom(tx, waitHours)));
    return { outcome: 'changed' };
  });

/** Takes a role, or with none named all of them and the membership; it acts from the next request on. All are told. */
export const revoke = (ctx: Context, email: EmailAddress, told: Letter, role?: Role): Promise<RoleChange> =>
  inTransaction(ctx, async (tx): Promise<RoleChange> => {
    await oneAtATime(tx);
    const member = await find(tx, email);
    if (member === undefined || member.ended) return { outcome: 'unknown' };
    const losesChief = member.roles.includes('chief') && (role === undefined || role === 'chief');
    if (losesChief && (await chiefsLeft(tx, member.id)) === 0) return { outcome: 'last-chief' };
    if (role !== undefined) {
      const taken = await tx.db('staff_roles').where({ staff_id: member.id, role }).delete();
      if (taken === 0) return { outcome: 'unchanged' };
      await audit.record(tx, 'staff-role-revoked', { detail: { staff: member.id, role } });
      await tellAll(tx, told);
      return { outcome: 'changed' };
    }
    await tx.db('staff_roles').where({ staff_id: member.id }).delete();
    const [row] = await tx.db('staff').where({ id: member.id }).update({ ended_at: tx.now() }).returning('account_id');
    await letterCodes.withdraw(tx, { staff_id: member.id });
    if (row?.account_id) {
      await tx.db('accounts').where({ id: row.account_id }).update({ status: 'closed' });
      await sessions.endAll(tx, row.account_id, []);
    }
    await audit.record(tx, 'staff-ended', { detail: { staff: member.id } });
    await tellAll(tx, told);
    return { outcome: 'changed' };
  });

const waitingOf = async (ctx: Context, email: EmailAddress): Promise<Member | RoleChange> => {
  const member = await find(ctx, email);
  if (member === undefined || member.ended) return { outcome: 'unknown' };
  return member.waiting.length === 0 ? { outcome: 'not-waiting' } : member;
};

/** A second chief vouches for a member: roles that the first one gave act at once. A constraint of the database, too. */
export const confirm = (ctx: Context, by: string, email: EmailAddress, told: Letter): Promise<RoleChange> =>
  inTransaction(ctx, async (tx): Promise<RoleChange> => {
    await oneAtATime(tx);
    const member = await waitingOf(tx, email);
    if ('outcome' in member) return member;
    if (member.id === by) return { outcome: 'oneself' };
    const confirmed = await tx
      .db('staff_roles')
      .where({ staff_id: member.id })
      .where('acts_from', '>', tx.now())
      .whereNot({ granted_by: by })
      .update({ acts_from: tx.now(), confirmed_by: by })
      .returning('role');
    if (confirmed.length === 0) return { outcome: 'own-grant' };
    const roles = confirmed.map(({ role }) => role);
    await audit.record(tx, 'staff-role-confirmed', { detail: { staff: member.id, roles } });
    await tellAll(tx, told);
    return { outcome: 'changed' };
  });

/**
 * Any member objects to roles that do not act yet: they are gone, and an invitation that is left without any is good no
 * more. All are told who it was about; who objected stands in the audit.
 */
export const object = (ctx: Context, by: string, email: EmailAddress, told: Letter): Promise<RoleChange> =>
  inTransaction(ctx, async (tx): Promise<RoleChange> => {
    await oneAtATime(tx);
    const member = await waitingOf(tx, email);
    if ('outcome' in member) return member;
    if (member.id === by) return { outcome: 'oneself' };
    const gone = await tx
      .db('staff_roles')
      .where({ staff_id: member.id })
      .where('acts_from', '>', tx.now())
      .delete()
      .returning('role');
    if (gone.length === member.roles.length) await letterCodes.withdraw(tx, { staff_id: member.id });
    const roles = gone.map(({ role }) => role);
    await audit.record(tx, 'staff-objected', { detail: { staff: member.id, roles } });
    await tellAll(tx, told);
    return { outcome: 'changed' };
  });
