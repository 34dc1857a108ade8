import type { Context } from './context.ts';
import type { AccountId } from './ids.ts';

/** A row of the audit, as staff read it. `position` is its place in the chain, once it has one. */
export type AuditEntry = {
  readonly seq: number;
  readonly at: Date;
  readonly event: string;
  readonly actor: { readonly kind: string; readonly staff?: string; readonly part?: string };
  readonly account?: AccountId;
  readonly detail: Readonly<Record<string, unknown>>;
  readonly position?: number;
  readonly hash?: string;
};

export type AuditFilter = {
  readonly event?: string | undefined;
  readonly staff?: string | undefined;
  readonly account?: AccountId | undefined;
  readonly recovery?: string | undefined;
  readonly ticket?: string | undefined;
  readonly since?: Date | undefined;
  readonly until?: Date | undefined;
  readonly limit: number;
};

const selected = (ctx: Context) =>
  ctx
    .db('audit as a')
    .leftJoin('audit_chain as c', 'c.seq', 'a.seq')
    .select('a.seq', 'a.at', 'a.event', 'a.actor', 'a.account_id', 'a.detail', 'c.position', 'c.hash');

const toEntry = (row: Record<string, unknown>): AuditEntry => {
  const actor = row['actor'] as AuditEntry['actor'];
  return {
    seq: Number(row['seq']),
    at: row['at'] as Date,
    event: String(row['event']),
    // A citizen acts on her own account, which the row names already.
    actor: { kind: actor.kind, ...(actor.staff && { staff: actor.staff }), ...(actor.part && { part: actor.part }) },
    ...(row['account_id'] !== null && { account: row['account_id'] as AccountId }),
    detail: row['detail'] as Record<string, unknown>,
    ...(row['position'] !== null && {
      position: Number(row['position']),
      hash: (row['hash'] as Buffer).toString('base64url'),
    }),
  };
};

/** Rows that fit every part of the filter, the newest first. */
export const search = async (ctx: Context, filter: AuditFilter): Promise<AuditEntry[]> => {
  const rows = await selected(ctx)
    .modify((query) => {
      if (filter.event !== undefined) query.where('a.event', filter.event);
      if (filter.staff !== undefined) query.whereRaw("a.actor->>'staff' = ?", [filter.staff]);
      if (filter.account !== undefined) query.where('a.account_id', filter.account);
      if (filter.recovery !== undefined) query.whereRaw("a.detail->>'recovery' = ?", [filter.recovery]);
      if (filter.ticket !== undefined) query.whereRaw("a.detail->>'ticket' = ?", [filter.ticket]);
      if (filter.since !== undefined) query.where('a.at', '>=', filter.since);
      if (filter.until !== undefined) query.where('a.at', '<', filter.until);
    })
    .orderBy('a.seq', 'desc')
    .limit(filter.limit);
  return rows.map(toEntry);
};

/** The next rows of an export, in the order of their making. */
export const page = async (ctx: Context, afterSeq: number, limit: number): Promise<AuditEntry[]> =>
  (await selected(ctx).where('a.seq', '>', afterSeq).orderBy('a.seq').limit(limit)).map(toEntry);
