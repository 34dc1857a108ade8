/** The budget of a sign-in at the whole provider: how often its requests go to the store. */
import test from 'ava';
import * as attributes from '../accounts/attributes.ts';
import { parseAccountId } from '../accounts/ids.ts';
import { CREDENTIALS, openCountedTown, seen, statements } from './harness/counted-town.ts';
import { obtainCode, pkce, redeem } from './harness/relying-party.ts';
import type { RunningTown } from './harness/town.ts';
import type { Visitor } from './harness/visitor.ts';

let town: RunningTown;
let visitor: Visitor;

test.before(async () => {
  [town, visitor] = await openCountedTown();
  const [row] = await town.context().db('accounts').select('id');
  const account = parseAccountId(row.id);
  if (account === undefined) throw new Error('no account');
  await attributes.record(town.context(), account, { given_name: 'Änne', family_name: 'Beispiel' }, 'self');
});
test.after.always(() => town?.close());

/** A browser that this citizen has used before and in which nobody is signed in. */
const signOut = (): void => {
  const kept = visitor.cookies.filter(({ name }) => name.includes('device'));
  visitor.cookies.splice(0, visitor.cookies.length, ...kept);
};

test.serial(
  'a sign-in with password, from the first authorization to the tokens, 21 statements without a transaction',
  async (t) => {
    const walk = async (): Promise<void> => {
      signOut();
      const proof = pkce();
      const code = await obtainCode(town, visitor, 'portal', proof, CREDENTIALS, { scope: 'openid email profile' });
      t.is((await redeem(town, 'portal', code, proof.verifier)).status, 200);
    };
    await walk();
    t.true((await statements(walk)) <= 21, seen.join('\n---\n'));
    t.deepEqual(
      seen.filter((text) => /^(begin|savepoint)/i.test(text)),
      [],
    );
  },
);
