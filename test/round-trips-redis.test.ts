/** The same budget with Redis: one round trip more for authorize and token together, none for anything else. */
import test from 'ava';
import { openCountedTown, seen, statements } from './harness/counted-town.ts';
import { hasRedis, startRedis } from './harness/redis.ts';
import { basic, obtainCode, pkce, post, redeem, type Tokens, userinfo } from './harness/relying-party.ts';

if (hasRedis()) {
  test.serial('with Redis beside it, authorize and token are 5 round trips and nothing else is more', async (t) => {
    const redis = await startRedis();
    const [beside, signedIn] = await openCountedTown({ redisUrl: redis.url });
    try {
      const walk = async (): Promise<Tokens> => {
        const proof = pkce();
        const scope = 'openid email profile';
        const code = await obtainCode(beside, signedIn, 'portal', proof, undefined, { scope });
        return redeem(beside, 'portal', code, proof.verifier);
      };
      await walk();
      let tokens: Tokens | undefined;
      const flow = await statements(async () => {
        tokens = await walk();
      });
      t.is(tokens?.status, 200, JSON.stringify(tokens?.body));
      t.true(flow <= 5, seen.join('\n---\n'));
      const token = tokens?.body['access_token'] ?? '';
      t.is(await statements(() => userinfo(beside, token)), 1);
      const introspect = () => post(beside, '/token/introspection', { token }, basic(beside, 'portal'));
      t.is(await statements(introspect), 1, seen.join('\n---\n'));
    } finally {
      await beside.close();
      await redis.end();
    }
  });
} else {
  test('without redis-server there is nothing to test here', (t) => t.pass());
}
