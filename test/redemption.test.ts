import test from 'ava';
import { generate } from 'otplib';
import { ACR } from '../accounts/assurance.ts';
import * as attributes from '../accounts/attributes.ts';
import * as claims from '../accounts/claims.ts';
import { sealOf } from '../accounts/data-key.ts';
import * as identities from '../accounts/identities.ts';
import type { AccountId } from '../accounts/ids.ts';
import * as recoveries from '../accounts/recoveries.ts';
import * as recoveryCases from '../accounts/recovery-cases.ts';
import { citizenLetters } from '../interactions/citizen-letters.ts';
import { de } from '../interactions/texts/de.ts';
import { letterTextsIn } from '../interactions/texts/letters.ts';
import { LetterVisit, NEW_PASSWORD } from './harness/letter-visit.ts';
import { basic, post, redeem, userinfo } from './harness/relying-party.ts';
import { ASK, heading, type Person, Stage } from './harness/sign-in.ts';
import { makeMember } from './harness/staff.ts';
import { TEST_TOWN } from './harness/town.ts';

const t_ = letterTextsIn('de');
let stage: Stage;
let clerk: string;
let approver: string;

test.before(async () => {
  stage = await Stage.start({ registered: (registration) => ({ ...registration, refreshTokens: true }) });
  const ctx = stage.town.context();
  const chief = await makeMember(ctx, ['chief']);
  clerk = (await makeMember(ctx, ['clerk'], { by: chief.id })).id;
  approver = (await makeMember(ctx, ['approver'], { by: chief.id })).id;
});
test.serial.beforeEach(() => stage.resetClock());
test.after.always(() => stage?.town.close());

/** A letter with a code that is good now. */
const letterFor = async (account: AccountId): Promise<string> => {
  const ctx = stage.town.context();
  const letters = citizenLetters(TEST_TOWN, new URL(stage.town.issuer));
  const wanted = { account, reason: 'device-lost', ticket: 'B-1', evidence: 'eid-at-counter' } as const;
  const opened = await recoveries.open(ctx, clerk, wanted, recoveries.WAIT_HOURS, letters);
  if (opened.outcome !== 'opened') throw new Error(opened.outcome);
  const approved = await recoveries.approve(ctx, approver, opened.recovery.number, 'hand', letters);
  if (approved.outcome !== 'approved') throw new Error(approved.outcome);
  return approved.code.reveal();
};

const proofedPerson = async (): Promise<Person> => {
  const person = await stage.newPerson({ app: true, proofed: true });
  const ctx = stage.town.context();
  const seal = await sealOf(ctx, person.account);
  if (seal === undefined) throw new Error('no seal');
  await attributes.write(ctx, person.account, seal, { given_name: 'Erika' }, 'eid', 'high');
  return person;
};

const verified = async (account: AccountId): Promise<unknown> =>
  (
    await claims.released(stage.town.context(), account, { organisation: 'stadt' }, ['given_name', 'verified_claims'], {
      name: { de: 'X' },
    })
  )['verified_claims'];

test.serial(
  'a password with an app: the old factors, sessions and tokens end, and the level is gone until proofed again',
  async (t) => {
    const person = await proofedPerson();
    const passkey = await stage.addPasskey(person);
    const before = await stage.visit().open({ claims: ASK });
    await before.signIn(person);
    await before.send('totp', { code: await stage.appCode() });
    const had = await before.claims();
    t.is(had['acr'], ACR.substantial);
    t.truthy(await verified(person.account));

    const letter = await new LetterVisit(stage.town.issuer).open(await letterFor(person.account));
    await letter.choosePassword();
    t.is(heading(letter.page), t_.second.title);
    const { secret } = letter;
    t.regex(secret, /^[A-Z2-7]{32}$/);
    await letter.send('new-app', { app_code: '000000' });
    t.is(heading(letter.page), t_.second.title, 'a wrong code spends nothing');
    t.is(letter.secret, secret, 'and costs no new scan');
    t.is(
      (await stage.town.context().db('totps').where({ account_id: person.account })).length,
      1,
      'the old app is there still',
    );
    await letter.send('new-app', { app_code: await generate({ secret, epoch: stage.seconds }) });
    t.is(heading(letter.page), t_.done.title);

    t.is((await stage.visit(before.visitor).open()).heading, de.signIn.title, 'the old session is over');
    const old = await stage.visit().open();
    await old.signIn(person);
    t.is(old.heading, de.signIn.title, 'the old password is over');
    await old.usePasskey(passkey);
    t.is(old.heading, de.signIn.title, 'the old passkey, too');
    t.is(old.callback, undefined);

    const after = await stage.visit().open({ claims: ASK });
    await after.signIn(person, { password: NEW_PASSWORD });
    t.is(after.heading, de.secondFactor.title);
    await after.send('totp', { code: await stage.appCode() });
    t.is(after.heading, de.secondFactor.title, 'the old app');
    await after.send('backup-code', { backup_code: person.codes[0] ?? '' });
    t.is(after.heading, de.secondFactor.title, 'and the old codes on paper');
    stage.advance(31_000);
    await after.send('totp', { code: await generate({ secret, epoch: stage.seconds }) });
    const now = await after.claims();
    t.is(now['acr'], ACR.basis);
    t.deepEqual(now['amr'], ['pwd', 'otp', 'mfa']);
    t.is(now['sub'], had['sub'], 'the same citizen');
    t.is(await verified(person.account), undefined, 'what was proofed before says nothing of who is here now');
  },
);

test.serial('a weaker proof afterwards brings its own level, not the one from before', async (t) => {
  const person = await proofedPerson();
  const letter = await new LetterVisit(stage.town.issuer).open(await letterFor(person.account));
  await letter.choosePassword();
  await letter.send('without-app');
  t.is(heading(letter.page), t_.done.title);
  t.regex(letter.page.text, /<ol class="ss-codes"/, 'the second factor is on paper');
  const ctx = stage.town.context();
  t.true(await recoveryCases.isReduced(ctx, person.account));
  await identities.keep(ctx, person.account, {
    source: 'bundid',
    level: 'low',
    attributes: { family_name: 'Muster' },
  } as never);
  t.false(await recoveryCases.isReduced(ctx, person.account));
  const [row] = await ctx.db('accounts').where({ id: person.account }).select('proofing');
  t.is(row.proofing, 'low');
});

test.serial('tokens from before the recovery are refused at once, at the token endpoint as well', async (t) => {
  const person = await stage.newPerson();
  const visit = await stage.visit().open({ scope: 'openid offline_access', prompt: 'consent' });
  await visit.signIn(person);
  const code = visit.callback?.get('code') ?? '';
  const first = (await redeem(stage.town, 'fahrkarte', code, visit.proof.verifier)).body;
  const refresh = (token: string | undefined) =>
    post(
      stage.town,
      '/token',
      { grant_type: 'refresh_token', refresh_token: token ?? '' },
      basic(stage.town, 'fahrkarte'),
    );
  const second = await refresh(first['refresh_token']);
  t.is(second.status, 200, 'until then it is good');
  const access = second.body['access_token'] ?? '';
  t.is((await userinfo(stage.town, access)).status, 200);

  const letter = await new LetterVisit(stage.town.issuer).open(await letterFor(person.account));
  await letter.choosePassword();
  await letter.send('without-app');
  t.is((await userinfo(stage.town, access)).status, 401);
  for (const token of [second.body['refresh_token'], first['refresh_token']]) {
    const { status, body } = await refresh(token);
    t.is(status, 400);
    t.is(body['error'], 'invalid_grant');
  }
});
