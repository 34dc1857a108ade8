/** The walk of test/signin-model.test.ts at its full length, several at a time: each waits for its database most of the time. */
import test from 'ava';
import { walkOn } from '../harness/sign-in-walk.ts';
import { scaled } from './scale.ts';

const LANES = 3;

test('10,000 commands: no credential without proof, no acr above the evidence', async (t) => {
  await walkOn(t, scaled(10_000, 500), LANES);
});
