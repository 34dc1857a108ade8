import type { Logger } from 'pino';
import type { Context } from '../accounts/context.ts';
import * as notices from '../accounts/notices.ts';
import type { Mailer } from '../adapters/mail.ts';
import type { Metrics } from './metrics.ts';

const NOTICES_PER_TURN = 20;

/** Sends the mails that are due. A mail is removed only after the mail server has taken it: it may arrive twice, never not at all. */
export async function deliverNotices(
  ctx: Context,
  mailer: Mailer,
  log: Logger,
  delivered?: Metrics['delivered'],
): Promise<void> {
  for (;;) {
    const due = await notices.takeDue(ctx, NOTICES_PER_TURN);
    await Promise.all(
      due.map(async (notice) => {
        try {
          await mailer.send({ to: notice.to, subject: notice.subject, text: notice.text });
          await notices.done(ctx, notice.id);
          delivered?.('notices', true);
        } catch (error) {
          delivered?.('notices', false);
          const code = (error as { code?: unknown }).code;
          log.warn({ notice: notice.id, code }, 'mail not delivered; it is tried again');
          await notices.failed(ctx, notice.id, typeof code === 'string' ? code : 'not delivered');
        }
      }),
    );
    if (due.length < NOTICES_PER_TURN) return;
  }
}
