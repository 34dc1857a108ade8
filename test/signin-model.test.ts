import test from 'ava';
import { walkOn } from './harness/sign-in-walk.ts';

/** The long one is in test/long/. */
const COMMANDS = 150;

test('no random walk sets a credential without proof or yields an acr above the evidence', async (t) => {
  await walkOn(t, COMMANDS);
});
