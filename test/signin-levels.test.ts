/** An acr is never above the evidence: every set of factors, moved clocks, two tabs, changed ids, going back. */
import test from 'ava';
import { ACR } from '../accounts/assurance.ts';
import { de } from '../interactions/texts/de.ts';
import { ASK, essential, Stage } from './harness/sign-in.ts';

const MINUTE_MS = 60_000;

let stage: Stage;

test.before(async () => {
  stage = await Stage.start();
});
test.serial.beforeEach(() => stage.resetClock());
test.after.always(() => stage?.town.close());

type Factor = 'pwd' | 'otp' | 'code' | 'passkey';
const FACTORS: readonly Factor[] = ['pwd', 'otp', 'code', 'passkey'];
/** Every set of them, in every order in which a page could ask. */
const SUBSETS = Array.from({ length: 1 << FACTORS.length }, (_, bits) =>
  FACTORS.filter((_factor, at) => bits & (1 << at)),
);

/** What each set is good for, written as the table of the decision; undefined: no sign-in. */
const levelOf = (shown: readonly Factor[], app: boolean): string | undefined => {
  if (shown.includes('passkey')) return ACR.substantial;
  if (!shown.includes('pwd')) return undefined;
  if (shown.includes('otp') || shown.includes('code')) return ACR.substantial;
  return app ? undefined : ACR.low;
};

for (const app of [false, true]) {
  test.serial(`every set of factors gives its level and no more (${app ? 'with' : 'without'} an app)`, async (t) => {
    const person = await stage.newPerson({ app, proofed: true });
    const key = await stage.addPasskey(person);
    let codes = 0;
    for (const shown of SUBSETS.filter((set) => app || !set.includes('otp'))) {
      const visit = await stage.visit().open({ claims: ASK });
      for (const factor of shown) {
        if (visit.callback !== undefined) break;
        // Also where the page does not ask for it: sent by hand, it opens nothing.
        const asked = visit.now.text.includes(
          `/${factor === 'pwd' ? 'sign-in' : factor === 'otp' ? 'totp' : factor === 'code' ? 'backup-code' : 'passkey'}"`,
        );
        if (factor === 'pwd' && asked) await visit.signIn(person);
        if (factor === 'passkey' && asked) await visit.usePasskey(key);
        const otp = factor === 'otp' ? await stage.appCode() : '';
        const code = factor === 'code' ? (person.codes[codes++ % 10] ?? '') : '';
        if (factor === 'otp') await (asked ? visit.send('totp', { code: otp }) : visit.post('totp', { code: otp }));
        if (factor === 'code')
          await (asked
            ? visit.send('backup-code', { backup_code: code })
            : visit.post('backup-code', { backup_code: code }));
      }
      const name = shown.join('+') || 'nothing';
      // Whoever got in by fewer of them has not been asked for the others.
      const expected = levelOf(shown, app);
      const got = visit.callback?.get('code') == null ? undefined : (await visit.claims())['acr'];
      if (expected === undefined) t.is(got, undefined, name);
      else if (shown.includes('pwd') && !app && got === ACR.low) t.pass(name);
      else t.is(got, expected, name);
      if (got === undefined) {
        const konto = await visit.visitor.send(new URL('/konto', stage.town.issuer));
        t.is(konto.status, 303, `${name}: no session`);
      }
    }
  });
}

test.serial('after two hours only the proof that has grown old is asked for again', async (t) => {
  const person = await stage.newPerson({ proofed: true });
  const substantial = { claims: essential(ACR.substantial) };
  // Everything lies in the past, so that the interactions of now, which end by the real clock, live long enough.
  stage.advance(-130 * MINUTE_MS);
  const first = await stage.visit().open({ claims: ASK });
  await first.signIn(person);
  t.is((await first.claims())['acr'], ACR.low);
  for (let count = 0; count < 4; count += 1) {
    stage.advance(25 * MINUTE_MS);
    const used = await stage.visit(first.visitor).open({ claims: essential(ACR.low) });
    t.is((await used.claims())['acr'], ACR.low, 'in use, twelve hours long');
  }
  const stepped = await stage.visit(first.visitor).open(substantial);
  t.is(stepped.heading, de.secondFactor.title, 'the password is fresh enough');
  await stepped.send('backup-code', { backup_code: person.codes[0] ?? '' });
  t.is((await stepped.claims())['acr'], ACR.substantial);
  stage.advance(15 * MINUTE_MS);
  const still = await stage.visit(first.visitor).open(substantial);
  t.is((await still.claims())['acr'], ACR.substantial);
  stage.advance(10 * MINUTE_MS);
  const again = await stage.visit(first.visitor).open(substantial);
  t.is(again.heading, de.signInMore.again, 'the password is older than two hours');
  await again.signIn(person);
  t.is((await again.claims())['acr'], ACR.substantial, 'the code of twenty-five minutes ago still counts');
});

test.serial('after half an hour without use a service that may not ask gets what still holds', async (t) => {
  const person = await stage.newPerson({ proofed: true });
  const key = await stage.addPasskey(person);
  stage.advance(-100 * MINUTE_MS);
  const visit = await stage.visit().open({ claims: ASK });
  await visit.usePasskey(key);
  t.is((await visit.claims())['acr'], ACR.substantial);
  stage.advance(31 * MINUTE_MS);
  const low = await stage.visit(visit.visitor).open({ claims: essential(ACR.low), prompt: 'none' });
  t.is((await low.claims())['acr'], ACR.low, 'never more than what still holds');
});

test.serial('a passkey’s answer counts once, in the interaction that asked, and not for another browser', async (t) => {
  const person = await stage.newPerson({ proofed: true });
  const key = await stage.addPasskey(person);
  const visit = await stage.visit().open({ claims: ASK });
  const { page } = visit;
  const { ceremony, response } = await visit.usePasskey(key);
  t.truthy(visit.callback?.get('code'));
  const replays = [await stage.visit().open(), await stage.visit(visit.visitor).open({ prompt: 'login' })];
  for (const other of replays) {
    await other.send('passkey', { ceremony, response });
    t.is(other.callback, undefined);
    t.is(other.heading, de.signIn.title);
  }
  const gone = await visit.visitor.send(page?.url ?? '', {});
  t.is(gone.status, 400, 'the interaction is over: nothing to go back to');
});

test.serial('two tabs, two citizens: each gets its own, and ids that are swapped open nothing', async (t) => {
  const [one, two] = [await stage.newPerson({ app: true, proofed: true }), await stage.newPerson({ proofed: true })];
  const first = await stage.visit().open({ claims: ASK });
  const second = await stage.visit(first.visitor).open({ claims: ASK });
  await first.signIn(one);
  t.is(first.heading, de.secondFactor.title);
  // The second tab's address with the first tab's form, and the other way round.
  const swapped = await first.visitor.send(new URL(`${second.now.url.pathname}/totp`, stage.town.issuer), {
    method: 'POST',
    body: new URLSearchParams({ token: first.token, code: '000000' }),
  });
  t.is(swapped.status, 403);
  const stranger = stage.visit();
  const foreign = await stranger.visitor.send(first.now.url);
  t.is(foreign.status, 400, 'another browser with the address of an interaction');
  await second.signIn(two);
  const subjects = stage.town.context().keys;
  const claims = await second.claims();
  t.is(claims['sub'], subjects.subject('stadt', two.account));
  t.is(claims['acr'], ACR.low);
  await first.send('totp', { code: await stage.appCode() });
  if (first.callback?.get('code') != null) {
    const own = await first.claims();
    t.is(own['sub'], subjects.subject('stadt', one.account));
    t.is(own['acr'], ACR.substantial);
  }
  // Whatever became of the first tab, nobody has gained by the other's proofs.
  const after = await stage.visit(first.visitor).open({ claims: essential(ACR.substantial), prompt: 'none' });
  const code = after.callback?.get('code');
  if (code != null) t.is((await after.claims())['sub'], subjects.subject('stadt', one.account));
  t.pass();
});
