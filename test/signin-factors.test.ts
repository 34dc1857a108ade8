/** What each factor is by itself: the window of the app's codes, the name of a passkey's keeper, `phr`. */
import test from 'ava';
import { generate } from 'otplib';
import { PHISHING_RESISTANT } from '../accounts/assurance.ts';
import * as totp from '../accounts/totp.ts';
import { de } from '../interactions/texts/de.ts';
import { atHome } from './harness/relying-party.ts';
import { ASK, essential, heading, PASSWORD, SECRET, Stage } from './harness/sign-in.ts';
import { Visitor } from './harness/visitor.ts';

const STEP_SECONDS = 30;

let stage: Stage;

test.before(async () => {
  stage = await Stage.start();
});
test.serial.beforeEach(() => stage.resetClock());
test.after.always(() => stage?.town.close());

test.serial(
  'a code of the app is good one step before and after its own, never twice, and no code before it',
  async (t) => {
    const person = await stage.newPerson({ app: true });
    const start = stage.seconds + 10 * STEP_SECONDS;
    const ctx = { ...stage.town.context(), now: () => new Date(start * 1000) };
    const check = async (steps: number): Promise<string> => {
      const code = await generate({ secret: SECRET, epoch: start + steps * STEP_SECONDS });
      return (await totp.check(ctx, person.account, code)).outcome;
    };
    t.is(await check(-2), 'wrong');
    t.is(await check(2), 'wrong');
    t.is(await check(-1), 'proven');
    t.is(await check(-1), 'wrong');
    t.is(await check(1), 'proven');
    t.is(await check(0), 'wrong', 'older than one that was used');
    t.is(await check(1), 'wrong');
  },
);

test.serial('whoever has the password guesses at most a hundred codes a day', async (t) => {
  const person = await stage.newPerson({ app: true });
  const start = stage.seconds;
  const at = (seconds: number) => ({ ...stage.town.context(), now: () => new Date((start + seconds) * 1000) });
  let evaluated = 0;
  // A code of another month: wrong for sure, whatever the right one is.
  const wrong = await generate({ secret: SECRET, epoch: start - 30 * 86_400 });
  for (let quarter = 0; quarter < 12; quarter += 1) {
    const ctx = at(quarter * 900);
    for (let guess = 0; guess < 11; guess += 1) {
      const { outcome } = await totp.check(ctx, person.account, wrong);
      t.not(outcome, 'proven');
      if (outcome === 'wrong') evaluated += 1;
    }
  }
  t.is(evaluated, 100);
  const nextDay = at(86_400);
  const code = await generate({ secret: SECRET, epoch: start + 86_400 });
  t.is((await totp.check(nextDay, person.account, code)).outcome, 'proven');
});

test.serial('a passkey is named by who keeps it, until its owner names it', async (t) => {
  const person = await stage.newPerson();
  await stage.addPasskey(person, { aaguid: 'ea9b8d66-4d01-1d21-3ce4-b6b48cb575d4' });
  const { town } = stage;
  const visitor = new Visitor();
  const asked = await visitor.open(new URL('/konto/passkeys', town.issuer), atHome(town));
  const page = await visitor.submitTo(asked, 'sign-in', { identifier: person.email, password: PASSWORD }, atHome(town));
  t.is(heading(page), de.konto.passkeys.title);
  t.true(page.text.includes('<h2 class="kern-heading-small">Google Passwortmanager</h2>'));
  const named = await visitor.submitTo(page, 'rename', { label: 'Mein <Handy>' }, atHome(town));
  t.true(named.text.includes('<h2 class="kern-heading-small">Mein &lt;Handy&gt;</h2>'));
  t.true(named.text.includes('Google Passwortmanager'), 'its keeper stands beside the name');
});

test.serial('phr is given for a passkey and for nothing else', async (t) => {
  const person = await stage.newPerson({ app: true });
  const key = await stage.addPasskey(person);
  const byPasskey = await stage.visit().open({ acr_values: PHISHING_RESISTANT, claims: ASK });
  await byPasskey.usePasskey(key);
  t.is((await byPasskey.claims())['acr'], PHISHING_RESISTANT);

  const byPassword = await stage.visit().open({ claims: essential(PHISHING_RESISTANT) });
  await byPassword.signIn(person);
  await byPassword.send('totp', { code: await stage.appCode() });
  t.is(byPassword.callback, undefined, 'password and app do not resist phishing');
  await byPassword.usePasskey(key);
  t.is((await byPassword.claims())['acr'], PHISHING_RESISTANT);
});
