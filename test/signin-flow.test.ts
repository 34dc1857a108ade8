import test from 'ava';
import { ACR } from '../accounts/assurance.ts';
import * as backupCodes from '../accounts/backup-codes.ts';
import * as totp from '../accounts/totp.ts';
import type { Registration } from '../accounts/town.ts';
import { de } from '../interactions/texts/de.ts';
import { ASK, essential, heading, PASSWORD, type Person, SECRET, type ServiceVisit, Stage } from './harness/sign-in.ts';
import type { RunningTown } from './harness/town.ts';
import { forms, Visitor } from './harness/visitor.ts';

let stage: Stage;
let town: RunningTown;

test.before(async () => {
  stage = await Stage.start();
  ({ town } = stage);
});
test.serial.beforeEach(() => stage.resetClock());
test.after.always(() => town?.close());

const newPerson = (options: { app?: boolean; proofed?: boolean } = {}): Promise<Person> => stage.newPerson(options);
const signIn = (visit: ServiceVisit, person: Person): Promise<ServiceVisit> => visit.signIn(person);
const codeNow = (): Promise<string> => stage.appCode();

test.serial('max_age asks for the first factor again, and says when it was shown', async (t) => {
  const person = await newPerson();
  const visit = await stage.visit().open({ claims: ASK });
  await signIn(visit, person);
  const before = Number((await visit.claims())['auth_time']);
  // oidc-provider goes by its own clock here.
  await new Promise((resolve) => setTimeout(resolve, 2100));
  const again = await stage.visit(visit.visitor).open({ max_age: '1', claims: ASK });
  t.is(heading(again.now), de.signIn.title);
  await signIn(again, person);
  t.true(Number((await again.claims())['auth_time']) >= before + 2);
});

test.serial('nobody has checked who the citizen is: basis, whatever the factors', async (t) => {
  const person = await newPerson({ app: true });
  const visit = await stage.visit().open({ claims: ASK });
  await signIn(visit, person);
  t.is(heading(visit.now), de.secondFactor.title);
  await visit.send('totp', { code: await codeNow() });
  const claims = await visit.claims();
  t.is(claims['acr'], ACR.basis);
  t.deepEqual(claims['amr'], ['pwd', 'otp', 'mfa']);
});

test.serial('half a sign-in opens nothing: no form leads past the second factor', async (t) => {
  const person = await newPerson({ app: true });
  const visit = await stage.visit().open();
  await signIn(visit, person);
  const { page } = visit;
  const token =
    forms(visit.now)
      .flatMap(({ fields }) => fields)
      .find(([name]) => name === 'token')?.[1] ?? '';
  for (const action of [
    'skip',
    'consent',
    'kennung',
    'backup-codes',
    'new-passkey',
    'new-password',
    'no-passkey',
    'reset-password',
    'register',
    'forgotten',
    'back',
  ]) {
    await visit.visitor.send(new URL(`${page?.url.pathname}/${action}`, town.issuer), {
      method: 'POST',
      body: new URLSearchParams({ token }),
    });
    const now = await visit.visitor.send(page?.url ?? '');
    t.is(heading(now), de.secondFactor.title, action);
  }
  const resumed = await visit.visitor.send(
    new URL(page?.url.pathname.replace('/interaction/', '/auth/') ?? '', town.issuer),
  );
  t.false(String(resumed.headers['location']).includes('code='));
  const konto = await visit.visitor.send(new URL('/konto', town.issuer));
  t.is(konto.status, 303, 'and there is no session');
});

test.serial('a code of the app is good once, also in another browser', async (t) => {
  const person = await newPerson({ app: true });
  const code = await codeNow();
  const first = await stage.visit().open();
  await signIn(first, person);
  const second = await stage.visit().open();
  await signIn(second, person);
  await first.send('totp', { code });
  t.truthy(first.callback?.get('code'));
  await second.send('totp', { code });
  t.regex(second.now.text, new RegExp(de.secondFactor.wrong));
  await second.send('backup-code', { backup_code: person.codes[0] ?? '' });
  t.truthy(second.callback?.get('code'), 'a code from paper stands in for the app');
});

test.serial('of 200 parallel uses of one code of the app one counts, and no more than ten are looked at', async (t) => {
  const person = await newPerson({ app: true });
  const code = await codeNow();
  const outcomes = await Promise.all(
    Array.from({ length: 200 }, () => totp.check(town.context(), person.account, code)),
  );
  const count = (outcome: string) => outcomes.filter((one) => one.outcome === outcome).length;
  t.is(count('proven'), 1);
  t.true(count('wrong') <= 10, String(count('wrong')));
});

test.serial('a running session steps up by what is missing alone', async (t) => {
  const person = await newPerson({ proofed: true });
  const visit = await stage.visit().open({ claims: ASK });
  await signIn(visit, person);
  const before = await visit.claims();
  t.is(before['acr'], ACR.low);
  await totp.enrol(town.context(), person.account, SECRET, await codeNow(), false);

  const more = await stage.visit(visit.visitor).open({ claims: essential(ACR.substantial) });
  t.is(heading(more.now), de.secondFactor.title, 'no password is asked for');
  await more.send('totp', { code: await codeNow() });
  const after = await more.claims();
  t.is(after['acr'], ACR.substantial);
  t.deepEqual(after['amr'], ['pwd', 'otp', 'mfa']);
  t.is(after['auth_time'], before['auth_time'], 'a second factor alone is no new sign-in');
  t.is(after['sub'], before['sub']);

  const lower = await stage.visit(visit.visitor).open({ claims: essential(ACR.low) });
  t.is((await lower.claims())['acr'], ACR.low, 'a higher level covers a lower one, by its name');
});

test.serial(
  'a wish that can be granted is put once and may be turned down; one that cannot is not mentioned',
  async (t) => {
    const person = await newPerson({ proofed: true });
    const visit = await stage.visit().open({ acr_values: ACR.substantial, claims: ASK });
    await signIn(visit, person);
    t.is(heading(visit.now), de.secondFactor.title, 'codes from paper would do');
    await visit.send('skip');
    t.is((await visit.claims())['acr'], ACR.low);
    const high = await stage.visit(visit.visitor).open({ acr_values: ACR.high, claims: ASK });
    t.is((await high.claims())['acr'], ACR.low);
  },
);

test.serial(
  'what an account cannot reach is said, with a way on, and the service learns it by its error',
  async (t) => {
    const person = await newPerson();
    const visit = await stage.visit().open({ claims: essential(ACR.substantial) });
    await signIn(visit, person);
    t.is(heading(visit.now), de.levelMissing.title);
    t.regex(visit.now.text, /Bürgerbüro/);
    await visit.send('back-to-service');
    t.is(visit.callback?.get('error'), 'unmet_authentication_requirements');
  },
);

test.serial('prompt=none never shows a page: the service learns that more is due', async (t) => {
  const person = await newPerson({ proofed: true });
  const visit = await stage.visit().open();
  await signIn(visit, person);
  const quiet = await stage.visit(visit.visitor).open({ claims: essential(ACR.substantial), prompt: 'none' });
  t.is(quiet.callback?.get('error'), 'login_required');
  const wish = await stage.visit(visit.visitor).open({ acr_values: ACR.substantial, claims: ASK, prompt: 'none' });
  t.is((await wish.claims())['acr'], ACR.low);
});

test.serial('after half an hour without use a level is confirmed again; the lower ones stand', async (t) => {
  const person = await newPerson({ app: true, proofed: true });
  const visit = await stage.visit().open({ claims: essential(ACR.substantial) });
  await signIn(visit, person);
  await visit.send('totp', { code: await codeNow() });
  t.is((await visit.claims())['acr'], ACR.substantial);
  stage.advance(40 * 60_000);
  const low = await stage.visit(visit.visitor).open({ claims: essential(ACR.low) });
  t.is((await low.claims())['acr'], ACR.low);
  stage.advance(31 * 60_000);
  const idle = await stage.visit(visit.visitor).open({ claims: essential(ACR.substantial) });
  t.not(idle.callback?.get('code') === null ? '' : heading(idle.now), '', 'asked again');
});

test.serial('a service with a minimum gets no sign-in below it', async (t) => {
  const registration: Registration = { ...(town.registrations[1] as Registration), minAcr: ACR.low };
  t.is(registration.clientId, 'fahrkarte');
  const person = await newPerson();
  await town
    .context()
    .db('clients')
    .where({ client_id: 'fahrkarte' })
    .update({ registration: JSON.stringify(registration) });
  await town.context().db.raw("SELECT pg_notify('registrations', '')");
  await new Promise((resolve) => setTimeout(resolve, 300));
  const visit = await stage.visit().open();
  await signIn(visit, person);
  t.is(heading(visit.now), de.levelMissing.title);
  const proofed = await newPerson({ proofed: true });
  const other = await stage.visit().open();
  await signIn(other, proofed);
  t.truthy(other.callback?.get('code'));
  await town
    .context()
    .db('clients')
    .where({ client_id: 'fahrkarte' })
    .update({ registration: JSON.stringify(town.registrations[1]) });
  await town.context().db.raw("SELECT pg_notify('registrations', '')");
  await new Promise((resolve) => setTimeout(resolve, 300));
});

test.serial('a forgotten password takes a code from paper, and the app stays necessary', async (t) => {
  const person = await newPerson({ app: true });
  const running = await stage.visit().open();
  await signIn(running, person);
  await running.send('totp', { code: await codeNow() });

  const visit = await stage.visit().open();
  await visit.send('forgotten');
  t.is(heading(visit.now), de.forgotten.title);
  await visit.send('recovery-code', { identifier: person.email, backup_code: 'AAAA-AAAA-AAAA-AAAA' });
  t.regex(visit.now.text, /passen nicht zusammen/);
  const unknown = await stage.visit().open();
  await unknown.send('forgotten');
  await unknown.send('recovery-code', { identifier: 'niemand@buerger.example', backup_code: 'AAAA-AAAA-AAAA-AAAA' });
  const bare = (text: string) =>
    text
      .replaceAll(/interaction\/[\w-]+/g, '')
      .replaceAll(/name="token" value="[^"]*"/g, '')
      .replaceAll(/[\w]+@buerger\.example/g, '');
  t.is(bare(unknown.now.text), bare(visit.now.text), 'nobody learns who has an account');

  await visit.send('recovery-code', { identifier: person.email, backup_code: person.codes[0] ?? '' });
  t.is(heading(visit.now), de.forgotten.otpTitle);
  await visit.send('totp', { code: await codeNow() });
  t.is(heading(visit.now), de.forgotten.newTitle);
  const fresh = 'Neun grüne Schirme tanzen';
  await visit.send('reset-password', { new_password: fresh, repeated_password: fresh });
  t.truthy(visit.callback?.get('code'));
  t.is((await running.visitor.send(new URL('/konto', town.issuer))).status, 303, 'other sessions are over');
  const old = await stage.visit().open();
  await signIn(old, person);
  t.is(heading(old.now), de.signIn.title);
});

test.serial('a recovery that stands open ends with any change of the account', async (t) => {
  const person = await newPerson();
  const visit = await stage.visit().open();
  await visit.send('forgotten');
  await visit.send('recovery-code', { identifier: person.email, backup_code: person.codes[0] ?? '' });
  t.is(heading(visit.now), de.forgotten.newTitle);
  await backupCodes.generate(town.context(), person.account);
  const fresh = 'Neun grüne Schirme tanzen';
  await visit.send('reset-password', { new_password: fresh, repeated_password: fresh });
  t.is(heading(visit.now), de.signIn.title);
  const owner = await stage.visit().open();
  await signIn(owner, person);
  t.truthy(owner.callback?.get('code'), 'the old password still stands');
});

test.serial(
  'guesses from elsewhere do not keep a known browser out; an unknown one is told how long to wait',
  async (t) => {
    const person = await newPerson();
    const known = await stage.visit().open();
    await signIn(known, person);
    for (let tries = 0; tries < 12; tries += 1) {
      const guess = await stage.visit().open();
      await guess.send('sign-in', { identifier: person.email, password: `geraten ${tries} und noch einmal` });
    }
    const elsewhere = await stage.visit().open();
    await signIn(elsewhere, person);
    t.regex(elsewhere.now.text, /ab \d\d:\d\d Uhr/);
    const owner = await stage.visit(known.visitor).open({ prompt: 'login' });
    await signIn(owner, person);
    t.truthy(owner.callback?.get('code'));
  },
);

test.serial('a new browser is announced by mail, the first one and known ones are not', async (t) => {
  const person = await newPerson();
  const first = await stage.visit().open();
  await signIn(first, person);
  const again = await stage.visit(first.visitor).open({ prompt: 'login' });
  await signIn(again, person);
  const second = await stage.visit().open();
  await signIn(second, person);
  const mail = await town.mail.next(person.email);
  t.is(mail.subject, de.notices.newDeviceSubject);
  t.is(town.mail.mails.filter(({ to }) => String(to).includes(person.email)).length, 1);
});

test.serial('on a shared computer the session ends with the browser and after ten minutes without use', async (t) => {
  const person = await newPerson();
  const visit = await stage.visit().open();
  await visit.send('sign-in', { identifier: person.email, password: PASSWORD, shared: 'yes' });
  t.truthy(visit.callback?.get('code'));
  t.false(visit.visitor.cookies.some(({ name }) => name === '__Host-device'));
  const soon = await stage.visit(visit.visitor).open();
  t.truthy(soon.callback?.get('code'));
  stage.advance(11 * 60_000);
  const later = await stage.visit(visit.visitor).open();
  t.is(heading(later.now), de.signIn.title);
});

test.serial('unknown citizens have passkeys too, always the same ones', async (t) => {
  const person = await newPerson();
  const options = async (identifier: string) => {
    const visit = await stage.visit().open();
    const token =
      forms(visit.now)
        .flatMap(({ fields }) => fields)
        .find(([name]) => name === 'token')?.[1] ?? '';
    const answer = await visit.visitor.send(new URL(`${visit.now.url.pathname}/passkey-options`, town.issuer), {
      method: 'POST',
      body: new URLSearchParams({ token, identifier }),
    });
    return (JSON.parse(answer.text) as { options: { allowCredentials?: unknown[]; challenge: string } }).options;
  };
  const unknown = await options('niemand@buerger.example');
  t.true((unknown.allowCredentials ?? []).length > 0);
  t.deepEqual((await options('Niemand@buerger.example')).allowCredentials, unknown.allowCredentials);
  const withoutPasskey = await options(person.email);
  t.true((withoutPasskey.allowCredentials ?? []).length > 0);
  t.notDeepEqual(withoutPasskey.allowCredentials, unknown.allowCredentials);
  t.is((await options('')).allowCredentials, undefined);
});

test.serial('password managers find their pages', async (t) => {
  const visitor = new Visitor();
  const change = await visitor.send(new URL('/.well-known/change-password', town.issuer));
  t.is(change.headers['location'], '/konto/passwort');
  const endpoints = await visitor.send(new URL('/.well-known/passkey-endpoints', town.issuer));
  t.deepEqual(JSON.parse(endpoints.text), {
    enroll: `${town.issuer}/konto/passkey-neu`,
    manage: `${town.issuer}/konto/passkeys`,
  });
});
