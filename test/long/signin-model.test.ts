/** The walk of test/signin-model.test.ts at its full length. */
import test from 'ava';
import { walkOn } from '../harness/sign-in-walk.ts';
import { scaled } from './scale.ts';

test('10,000 commands: no credential without proof, no acr above the evidence', (t) => walkOn(t, scaled(10_000, 500)));
