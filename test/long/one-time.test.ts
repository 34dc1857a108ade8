import test from 'ava';
import { addCitizen, obtainCode, pkce, redeem, userinfo } from '../harness/relying-party.ts';
import { type RunningTown, startTown } from '../harness/town.ts';
import { Visitor } from '../harness/visitor.ts';
import { scaled } from './scale.ts';

const CREDENTIALS = { email: 'rennen@buerger.example', password: 'wer zuerst kommt mahlt' };
const CODES = scaled(1000, 20);
const RIVALS = 16;

let town: RunningTown;
let aheadMs = 0;

test.before(async () => {
  town = await startTown({ now: () => new Date(Date.now() + aheadMs) });
  await addCitizen(town, CREDENTIALS.email, CREDENTIALS.password);
});

test.after.always(() => town?.close());

test.serial(`${CODES} codes, each redeemed ${RIVALS} times at once: every code has exactly one winner`, async (t) => {
  const visitor = new Visitor();
  const proof = pkce();
  await obtainCode(town, visitor, 'fahrkarte', proof, CREDENTIALS);
  for (let count = 0; count < CODES; count += 1) {
    const code = await obtainCode(town, visitor, 'fahrkarte', proof);
    const all = await Promise.all(
      Array.from({ length: RIVALS }, () => redeem(town, 'fahrkarte', code, proof.verifier)),
    );
    const winners = all.filter(({ status }) => status === 200);
    t.is(winners.length, 1);
    t.true(all.every(({ status, body }) => status === 200 || (status === 400 && body['error'] === 'invalid_grant')));
    const token = winners[0]?.body['access_token'] ?? '';
    t.is((await redeem(town, 'fahrkarte', code, proof.verifier)).status, 400);
    t.is((await userinfo(town, token)).status, 401, 'a replay ends the family');
  }
});

test.serial('no token lives after a sign-out that has been acknowledged, however close the race', async (t) => {
  for (let round = 0; round < scaled(200, 5); round += 1) {
    const visitor = new Visitor();
    const proof = pkce();
    const codes = [await obtainCode(town, visitor, 'fahrkarte', proof, CREDENTIALS)];
    for (let more = 0; more < 3; more += 1) codes.push(await obtainCode(town, visitor, 'fahrkarte', proof));
    aheadMs += 60_000; // ten sign-ins with a password a quarter of an hour, for everybody
    const page = await visitor.open(new URL('/session/end', town.issuer));
    const racing = codes.map((code) => redeem(town, 'fahrkarte', code, proof.verifier));
    const [end, ...tokens] = await Promise.all([visitor.submitTo(page, 'confirm', { logout: 'yes' }), ...racing]);
    t.is(end.status, 200);
    for (const { status, body } of tokens) {
      t.true(status === 200 || status === 400, `${status}`);
      if (status === 200) t.is((await userinfo(town, body['access_token'] ?? '')).status, 401);
    }
  }
});
