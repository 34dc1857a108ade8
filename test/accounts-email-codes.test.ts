import test from 'ava';
import * as accounts from '../accounts/accounts.ts';
import type { Context } from '../accounts/context.ts';
import * as emailCodes from '../accounts/email-codes.ts';
import * as notices from '../accounts/notices.ts';
import { emailOf, everythingStored, openDomain, TOWN } from './harness/domain.ts';

const ERIKA = emailOf('Erika@Beispiel.example');
const texts: emailCodes.CodeTexts = {
  code: (code) => ({ subject: `Ihr Code: ${code}`, text: code }),
  known: () => ({ subject: 'Sie haben schon ein Konto', text: 'Melden Sie sich an.' }),
};

/** The code in the mail that is due, as the citizen reads it. */
const codeInMail = async (ctx: Context): Promise<string> => {
  const [mail] = await notices.takeDue(ctx, 10);
  if (mail === undefined) throw new Error('no mail');
  await notices.done(ctx, mail.id);
  return mail.text;
};

test('the code from the mail proves the address once', async (t) => {
  const domain = await openDomain();
  const { ctx } = domain;
  t.deepEqual(await emailCodes.send(ctx, 'browser', ERIKA, texts), {
    outcome: 'sent',
    expiresAt: new Date(ctx.now().getTime() + 600_000),
  });
  const code = await codeInMail(ctx);
  t.regex(code, /^\d{8}$/);
  const typed = `${code.slice(0, 4)} ${code.slice(4)}`;
  t.deepEqual(await emailCodes.check(ctx, 'another browser', code), { outcome: 'expired' });
  t.deepEqual(await emailCodes.check(ctx, 'browser', typed), { outcome: 'proven', email: ERIKA });
  t.deepEqual(await emailCodes.check(ctx, 'browser', typed), { outcome: 'expired' });
  await domain.database.drop();
});

test('of parallel checks with the right code exactly one succeeds', async (t) => {
  const domain = await openDomain({ max: 20 });
  const { ctx } = domain;
  await emailCodes.send(ctx, 'browser', ERIKA, texts);
  const code = await codeInMail(ctx);
  const results = await Promise.all(Array.from({ length: 50 }, () => emailCodes.check(ctx, 'browser', code)));
  t.is(results.filter(({ outcome }) => outcome === 'proven').length, 1);
  await domain.database.drop();
});

test('of parallel wrong guesses five are evaluated, then the right code is worth nothing', async (t) => {
  const domain = await openDomain({ max: 20 });
  const { ctx } = domain;
  await emailCodes.send(ctx, 'browser', ERIKA, texts);
  const code = await codeInMail(ctx);
  const wrong = code === '00000000' ? '00000001' : '00000000';
  const results = await Promise.all(Array.from({ length: 50 }, () => emailCodes.check(ctx, 'browser', wrong)));
  const left = results.flatMap((result) => (result.outcome === 'wrong' ? [result.triesLeft] : []));
  t.deepEqual(left.sort(), [0, 1, 2, 3, 4]);
  t.deepEqual(await emailCodes.check(ctx, 'browser', code), { outcome: 'expired' });
  await domain.database.drop();
});

test('a code ends after ten minutes, and a new one ends the one before', async (t) => {
  const domain = await openDomain();
  const { ctx } = domain;
  await emailCodes.send(ctx, 'browser', ERIKA, texts);
  const first = await codeInMail(ctx);
  await emailCodes.send(ctx, 'browser', ERIKA, texts);
  const second = await codeInMail(ctx);
  if (first !== second) t.is((await emailCodes.check(ctx, 'browser', first)).outcome, 'wrong');
  domain.pass(600);
  t.is((await emailCodes.check(ctx, 'browser', second)).outcome, 'expired');
  await domain.database.drop();
});

test('an address with an account gets another mail, and the browser sees no difference', async (t) => {
  const domain = await openDomain();
  const { ctx } = domain;
  const credential = { kind: 'password', hash: { hash: 'x', pepperVersion: 1 } } as const;
  await accounts.register(ctx, { town: TOWN, language: 'de', email: ERIKA, credential });
  const known = await emailCodes.send(ctx, 'one', emailOf('erika@beispiel.EXAMPLE'), texts);
  const unknown = await emailCodes.send(ctx, 'two', emailOf('max@beispiel.example'), texts);
  t.deepEqual(known, unknown);
  const mails = await notices.takeDue(ctx, 10);
  t.deepEqual(mails.map(({ to, subject }) => [to, subject.replace(/\d{8}/, '…')]).sort(), [
    ['erika@beispiel.EXAMPLE', 'Sie haben schon ein Konto'],
    ['max@beispiel.example', 'Ihr Code: …'],
  ]);
  t.deepEqual(await emailCodes.check(ctx, 'one', 'abc'), await emailCodes.check(ctx, 'two', 'abc'));
  await domain.database.drop();
});

test('a mailbox cannot be flooded, from one browser or from many', async (t) => {
  const domain = await openDomain({ max: 20 });
  const { ctx } = domain;
  const sent = await Promise.all(
    Array.from({ length: 30 }, (_, n) => emailCodes.send(ctx, `browser ${n}`, ERIKA, texts)),
  );
  t.is(sent.filter(({ outcome }) => outcome === 'sent').length, 5);
  t.is((await ctx.db('notices')).length, 5);
  const many = await Promise.all(
    Array.from({ length: 20 }, (_, n) => emailCodes.send(ctx, 'one browser', emailOf(`c${n}@beispiel.example`), texts)),
  );
  t.is(many.filter(({ outcome }) => outcome === 'sent').length, 10);
  domain.pass(3600);
  t.is((await emailCodes.send(ctx, 'one browser', ERIKA, texts)).outcome, 'sent');
  await domain.database.drop();
});

test('neither address nor code stands in the database', async (t) => {
  const domain = await openDomain();
  await emailCodes.send(domain.ctx, 'browser', ERIKA, texts);
  const stored = (await everythingStored(domain)).toLowerCase();
  const [mail] = await notices.takeDue(domain.ctx, 1);
  for (const canary of ['erika', 'beispiel.example', mail?.text ?? 'no mail', 'browser']) {
    t.false(stored.includes(canary), canary);
    t.false(stored.includes(Buffer.from(canary).toString('hex')), canary);
  }
  await domain.database.drop();
});
