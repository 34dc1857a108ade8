import type { AccountRow } from './account-row.ts';
import * as attributes from './attributes.ts';
import * as audit from './audit.ts';
import { monthOf } from './coarse-time.ts';
import { type Context, inTransaction } from './context.ts';
import { accountSeal } from './data-key.ts';
import { type Ending, purge } from './deletion.ts';
import type { AccountId } from './ids.ts';
import * as letters from './letters.ts';
import * as notices from './notices.ts';

/** Months without use after which a citizen is told, and told again; and after which the account goes. */
export const NOTICE_MONTHS = [22, 23] as const;
export const DORMANT_MONTHS = 24;
/** What lies between a notice and what follows it, however late the notice went out. */
const PATIENCE_DAYS = 28;
const DAY_MILLISECONDS = 24 * 3600 * 1000;
const PER_TURN = 100;

/** What a notice says; `until` is the day from which the account may go. */
export type DormancyText = (language: string, until: Date) => { readonly subject: string; readonly text: string };

/** The account is in use. Only the month is kept, and written at most once in it. */
export const noteUse = async (ctx: Context, account: AccountId, row: Pick<AccountRow, 'used_month'>): Promise<void> => {
  const month = monthOf(ctx.now());
  if (row.used_month === month) return;
  await ctx
    .db('accounts')
    .where({ id: account })
    .update({ used_month: month, dormancy_notices: 0, dormancy_noticed_at: null });
};

/** The latest month of last use that lies `months` whole months back: the month itself does not count. */
const monthsBack = (now: Date, months: number): string =>
  monthOf(new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - months - 1, 1)));

type Candidate = {
  id: AccountId;
  language: string;
  data_key: Buffer;
  data_key_version: number;
  email_sealed: Buffer | null;
};

const channel = async (ctx: Context, row: Candidate, text: { subject: string; text: string }) => {
  const seal = accountSeal(ctx.keys, row.id, ctx.keys.openDataKey(row.id, row.data_key, row.data_key_version));
  if (row.email_sealed !== null) {
    await notices.enqueue(ctx, { to: seal.open('accounts.email', row.email_sealed), ...text });
    return 'mail' as const;
  }
  const { address } = await attributes.read(ctx, row.id);
  if (address === undefined) return undefined;
  await letters.enqueue(ctx, row.id, seal, { address, ...text });
  return 'letter' as const;
};

/** A notice is due: the month of last use is this far back, the notices before it are out for four weeks. */
const sendNotice = async (ctx: Context, notice: 1 | 2, text: DormancyText): Promise<number> => {
  const now = ctx.now();
  const until = new Date(now.getTime() + (3 - notice) * PATIENCE_DAYS * DAY_MILLISECONDS);
  return inTransaction(ctx, async (tx) => {
    const rows: Candidate[] = await tx
      .db('accounts')
      .where({ status: 'active', kind: 'citizen', dormancy_notices: notice - 1 })
      .where('used_month', '<=', monthsBack(now, NOTICE_MONTHS[notice - 1] ?? DORMANT_MONTHS))
      .whereNotNull('data_key')
      .where((before) =>
        before
          .whereNull('dormancy_noticed_at')
          .orWhere('dormancy_noticed_at', '<=', new Date(now.getTime() - PATIENCE_DAYS * DAY_MILLISECONDS)),
      )
      // An account without any channel stays: nobody is deleted without having been told.
      .where((reachable) =>
        reachable
          .whereNotNull('email_sealed')
          .orWhereExists(
            tx
              .db('attributes')
              .whereRaw('attributes.account_id = accounts.id')
              .where({ name: 'address' })
              .select('name'),
          ),
      )
      .orderBy('used_month')
      .limit(PER_TURN)
      .forUpdate()
      .skipLocked()
      .select('id', 'language', 'data_key', 'data_key_version', 'email_sealed');
    let sent = 0;
    for (const row of rows) {
      const by = await channel(tx, row, text(row.language, until));
      if (by === undefined) continue;
      await tx.db('accounts').where({ id: row.id }).update({ dormancy_notices: notice, dormancy_noticed_at: now });
      await audit.record(tx, 'dormancy-noticed', { account: row.id, detail: { notice, channel: by } });
      sent += 1;
    }
    return sent;
  });
};

/** Accounts that were told twice and in time; a letter that nobody has printed has told nobody. */
const dormant = (ctx: Context) =>
  ctx
    .db('accounts')
    .where({ status: 'active', kind: 'citizen', dormancy_notices: 2 })
    .where('used_month', '<=', monthsBack(ctx.now(), DORMANT_MONTHS))
    .where('dormancy_noticed_at', '<=', new Date(ctx.now().getTime() - PATIENCE_DAYS * DAY_MILLISECONDS))
    .whereNotExists(
      ctx.db('letters').whereRaw('letters.account_id = accounts.id').whereNull('printed_at').select('id'),
    );

/** Tells citizens whose accounts sleep, and removes those that were told twice and never came; the number of both. */
export const enforce = async (
  ctx: Context,
  text: DormancyText,
  ending: Ending,
): Promise<{ noticed: number; removed: number }> => {
  const noticed = (await sendNotice(ctx, 2, text)) + (await sendNotice(ctx, 1, text));
  let removed = 0;
  for (const { id } of await dormant(ctx).limit(PER_TURN).select('id')) {
    const awake = async (tx: Context): Promise<boolean> => (await dormant(tx).where({ id }).select('id')).length === 0;
    if (await purge(ctx, id, 'dormant', ending, awake)) removed += 1;
  }
  return { noticed, removed };
};
