/** What a citizen is told of by mail, by letter, and always on the security page; and what is no news. */
import test from 'ava';
import * as accounts from '../accounts/accounts.ts';
import * as attributes from '../accounts/attributes.ts';
import * as letters from '../accounts/letters.ts';
import { de } from '../interactions/texts/de.ts';
import { type Person, type ServiceVisit, Stage } from './harness/sign-in.ts';
import { makeMember } from './harness/staff.ts';

const ADDRESS = { street_address: 'Musterweg 7', postal_code: '33330', locality: 'Teststadt', recipient: 'Ida Muster' };

let stage: Stage;

test.before(async () => {
  stage = await Stage.start();
});
test.serial.beforeEach(() => stage.resetClock());
test.after.always(() => stage?.town.close());

const mails = ({ email }: Person): number =>
  stage.town.mail.mails.filter(({ to }) => String(to).includes(email)).length;
/** The mails of a person once everything is sent, one more new device included; without that one. */
const mailsAfterAnother = async (person: Person): Promise<number> => {
  const elsewhere = await stage.visit().open();
  await elsewhere.signIn(person);
  const waiting = async (): Promise<number> => Number((await stage.town.context().db('notices').count())[0]?.['count']);
  const deadline = Date.now() + 20_000;
  while ((await waiting()) > 0 && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 50));
  return mails(person) - 1;
};
const again = async (before: ServiceVisit, changes: Record<string, string>): Promise<ServiceVisit> =>
  stage.visit(before.visitor).open(changes);

/** A citizen whom no mail reaches. */
const withoutEmail = async (address: boolean): Promise<Person> => {
  const person = await stage.newPerson();
  const ctx = stage.town.context();
  if (address) await attributes.record(ctx, person.account, { address: ADDRESS }, 'self');
  await ctx.db('accounts').where({ id: person.account }).update({ email_sealed: null, email_index: null });
  return person;
};
const kennungOf = async (person: Person): Promise<string> =>
  (await accounts.load(stage.town.context(), person.account))?.kennung ?? '';
let clerk: string | undefined;
const printed = async (): Promise<readonly letters.Letter[]> => {
  const ctx = stage.town.context();
  clerk ??= (await makeMember(ctx, ['chief'])).id;
  const taken = await letters.take(ctx, clerk, 100);
  await letters.printed(ctx, taken?.number ?? '');
  return taken?.letters ?? [];
};
const securityPage = async (visit: ServiceVisit): Promise<string> =>
  (await visit.visitor.send(new URL('/konto/protokoll', stage.town.issuer))).text;

test.serial(
  'whoever is signed in and confirms it, or signs in again, is no new device: on a shared computer neither',
  async (t) => {
    const person = await stage.newPerson();
    await (await stage.visit().open()).signIn(person);
    const shared = await stage.visit().open();
    await shared.signIn(person, { shared: 'yes' });
    for (let count = 0; count < 3; count += 1) {
      const once = await again(shared, { prompt: 'login' });
      await once.signIn(person, { shared: 'yes' });
      t.truthy(once.callback?.get('code'));
    }
    t.is(await mailsAfterAnother(person), 1, 'the shared computer, once');
  },
);

test.serial('after a first sign-in on a shared computer the next one elsewhere is news', async (t) => {
  const person = await stage.newPerson();
  await (await stage.visit().open()).signIn(person, { shared: 'yes' });
  t.is(mails(person), 0);
  t.is(await mailsAfterAnother(person), 0);
  t.is(mails(person), 1);
});

test.serial(
  'without e-mail a letter goes out: one for each change, one a month for new devices; the page tells all',
  async (t) => {
    const person = await withoutEmail(true);
    const identifier = await kennungOf(person);
    await (await stage.visit().open()).signIn({ email: identifier });
    const visit = await stage.visit().open();
    await visit.signIn({ email: identifier });
    await (await stage.visit().open()).signIn({ email: identifier });
    t.deepEqual(
      (await printed()).map(({ subject, address }) => [subject, address]),
      [[de.notices.newDeviceSubject, ADDRESS]],
    );
    const page = await visit.visitor.send(new URL('/konto/ersatzcodes', stage.town.issuer));
    await visit.visitor.submitTo(page, 'make', {});
    const [letter, ...more] = await printed();
    t.deepEqual(more, []);
    t.is(letter?.subject, de.notices.changedSubject);
    t.true(letter?.text.includes(de.notices.what['backup-codes-created']));
    t.regex(letter?.text ?? '', /am \d+\. \w+ 20\d\d um \d\d:\d\d Uhr/, 'a letter takes days: it says when');
    const log = await securityPage(visit);
    t.is(log.split(de.konto.log.events['device-new'] ?? '?').length - 1, 2);
    t.true(log.includes(de.konto.log.events['backup-codes-created'] ?? '?'));
  },
);

test.serial('whom neither mail nor letter reaches finds it on the security page', async (t) => {
  const person = await withoutEmail(false);
  const identifier = await kennungOf(person);
  await (await stage.visit().open()).signIn({ email: identifier });
  const visit = await stage.visit().open();
  await visit.signIn({ email: identifier });
  t.deepEqual(await printed(), []);
  t.true((await securityPage(visit)).includes(de.konto.log.events['device-new'] ?? '?'));
});
