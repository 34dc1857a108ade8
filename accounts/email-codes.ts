import { randomInt } from 'node:crypto';
import * as attempts from './attempts.ts';
import { type Context, inTransaction } from './context.ts';
import { type EmailAddress, emailIndex } from './email.ts';
import * as notices from './notices.ts';

/** Subject and text of a mail in the citizen's language. */
type MailText = { readonly subject: string; readonly text: string };

/** What the mails say: to an address without an account, and to one that has an account already. */
export type CodeTexts = {
  code(code: string): MailText;
  known(): MailText;
};

export type Sent = { outcome: 'sent'; expiresAt: Date } | { outcome: 'wait'; until: Date };

export type Checked =
  | { outcome: 'proven'; email: EmailAddress }
  | { outcome: 'wrong'; triesLeft: number }
  /** No code, one that is over, or one that was used or guessed at too often: a new one is needed. */
  | { outcome: 'expired' };

const CODE_DIGITS = 8;
const CODE_LIFE_SECONDS = 10 * 60;
const TRIES = 5;
const HOUR_SECONDS = 3600;
/** Against flooding a mailbox; and, times `TRIES`, what bounds the guesses at a code. */
const MAILS_PER_ADDRESS_AND_HOUR = 5;
const MAILS_PER_BROWSER_AND_HOUR = 10;

const rowOf = (ctx: Context, subject: string): Buffer => ctx.keys.index('email-code subject', subject);

const hashOf = (ctx: Context, subject: string, code: string): Buffer =>
  ctx.keys.index('email-code', `${subject} ${code}`);

/**
 * Sends a code to an address that a person claims. An address with an account gets another mail, and nobody else can
 * tell: outcome, statements and the code's row are the same.
 * @param subject what the code is bound to: the browser's own registration under way
 * @param own the address is that of the citizen's own account: the code goes to it all the same
 */
export const send = (
  ctx: Context,
  subject: string,
  email: EmailAddress,
  texts: CodeTexts,
  { own = false }: { readonly own?: boolean } = {},
): Promise<Sent> =>
  inTransaction(ctx, async (tx): Promise<Sent> => {
    const index = emailIndex(tx.keys, email);
    const reservation = await attempts.reserve(tx, [
      { kind: 'mail', key: index.toString('hex'), limit: MAILS_PER_ADDRESS_AND_HOUR, windowSeconds: HOUR_SECONDS },
      { kind: 'browser', key: subject, limit: MAILS_PER_BROWSER_AND_HOUR, windowSeconds: HOUR_SECONDS },
    ]);
    if (reservation.outcome === 'wait') return reservation;

    const code = String(randomInt(10 ** CODE_DIGITS)).padStart(CODE_DIGITS, '0');
    const expiresAt = new Date(tx.now().getTime() + CODE_LIFE_SECONDS * 1000);
    const row = rowOf(tx, subject);
    await tx
      .db('email_codes')
      .insert({
        subject: row,
        hash: hashOf(tx, subject, code),
        email_sealed: tx.keys.sealShared('email code', row, email),
        tries_left: TRIES,
        expires_at: expiresAt,
        used_at: null,
      })
      .onConflict('subject')
      .merge();
    const [account] = await tx.db('accounts').where({ email_index: index }).select('id');
    const mail = own || account === undefined ? texts.code(code) : texts.known();
    await notices.enqueue(tx, { to: email, ...mail }, expiresAt);
    return { outcome: 'sent', expiresAt };
  });

/** As people type it from a mail: blanks and hyphens between the digits do not matter. */
const normalised = (code: string): string => code.replace(/[\s-]/g, '');

/** Checks a code: the right one succeeds once, and of parallel guesses no more than five are ever evaluated. */
export const check = async (ctx: Context, subject: string, code: string): Promise<Checked> => {
  const row = rowOf(ctx, subject);
  const hash = hashOf(ctx, subject, normalised(code));
  const now = ctx.now();
  const [tried] = await ctx
    .db('email_codes')
    .where({ subject: row })
    .whereNull('used_at')
    .where('expires_at', '>', now)
    .where('tries_left', '>', 0)
    .update({
      tries_left: ctx.db.raw('tries_left - 1'),
      used_at: ctx.db.raw('CASE WHEN hash = ? THEN ?::timestamptz END', [hash, now]),
    })
    .returning(['used_at', 'tries_left', 'email_sealed']);
  if (tried === undefined) return { outcome: 'expired' };
  if (tried.used_at === null) return { outcome: 'wrong', triesLeft: tried.tries_left };
  return { outcome: 'proven', email: ctx.keys.openShared('email code', row, tried.email_sealed) as EmailAddress };
};
