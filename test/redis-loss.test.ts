/** Redis lost in every way: what is asked to start again, what goes on, and what is refused to be safe. */
import { randomUUID } from 'node:crypto';
import test from 'ava';
import { calculateJwkThumbprint, exportJWK, generateKeyPair, SignJWT } from 'jose';
import { MACHINE } from './harness/machine.ts';
import { hasRedis, startRedis, type TestRedis } from './harness/redis.ts';
import {
  addCitizen,
  atHome,
  authorizationUrl,
  basic,
  obtainCode,
  pkce,
  redeem,
  userinfo,
} from './harness/relying-party.ts';
import { type RunningTown, startTown } from './harness/town.ts';
import { type Answer, Visitor } from './harness/visitor.ts';

const CREDENTIALS = { email: 'verlust@buerger.example', password: 'vier grüne Äpfel im Korb' };
const DEADLINE_MS = 3500;

let redis: TestRedis;
let town: RunningTown;
const pair = generateKeyPair('ES256', { extractable: true });

const proof = async (issuedAt: number): Promise<string> => {
  const { privateKey, publicKey } = await pair;
  const jwk = await exportJWK(publicKey);
  await calculateJwkThumbprint(jwk);
  return new SignJWT({ htm: 'POST', htu: `${town.issuer}/token`, jti: randomUUID(), iat: issuedAt })
    .setProtectedHeader({ typ: 'dpop+jwt', alg: 'ES256', jwk })
    .sign(privateKey);
};
const seconds = (): number => Math.floor(Date.now() / 1000);
const withProof = (dpop: string): Promise<Answer> =>
  new Visitor().send(new URL('/token', town.issuer), {
    method: 'POST',
    body: new URLSearchParams({ grant_type: 'client_credentials' }),
    headers: { accept: 'application/json', authorization: basic(town, 'maschine'), dpop },
  });
const until = async (what: string, work: () => Promise<boolean>): Promise<void> => {
  const deadline = Date.now() + 15_000;
  while (!(await work().catch(() => false))) {
    if (Date.now() > deadline) throw new Error(`${what}: not within 15 s`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
};

if (hasRedis()) {
  test.before(async () => {
    redis = await startRedis();
    town = await startTown({ redisUrl: redis.url, registrations: [MACHINE] });
    await addCitizen(town, CREDENTIALS.email, CREDENTIALS.password);
  });
  test.after.always(async () => {
    redis?.thaw();
    await town?.close();
    await redis?.end();
  });

  const losses: [string, lose: () => Promise<unknown>][] = [
    ['is emptied', () => redis.client.flushall()],
    ['has crashed and comes back empty', () => redis.kill().then(() => redis.start())],
  ];
  for (const [name, lose] of losses) {
    test.serial(`when Redis ${name}, sessions and tokens live on and sign-ins under way begin again`, async (t) => {
      const signedIn = new Visitor();
      const verifier = pkce();
      const code = await obtainCode(town, signedIn, 'fahrkarte', verifier, CREDENTIALS);
      const tokens = await redeem(town, 'fahrkarte', code, verifier.verifier);
      const token = tokens.body['access_token'] ?? '';
      const spare = await obtainCode(town, signedIn, 'fahrkarte', verifier);
      const visitor = new Visitor();
      const page = await visitor.open(authorizationUrl(town, 'fahrkarte', verifier), atHome(town));
      const used = await proof(seconds());
      const unused = await proof(seconds() - 1);
      await until('a proof is accepted', async () => (await withProof(await proof(seconds()))).status === 200);
      await withProof(used);
      t.is((await withProof(used)).status, 400, 'a proof works once');

      await lose();

      await until('Redis is back', async () => (await withProof(await proof(seconds()))).status === 200);
      t.is((await withProof(used)).status, 400, 'a used proof does not work again');
      t.is((await withProof(unused)).status, 400, 'nor does any other from before');
      t.is((await userinfo(town, token)).status, 200);
      t.is((await redeem(town, 'fahrkarte', spare, verifier.verifier)).body['error'], 'invalid_grant');
      const credentials = { identifier: CREDENTIALS.email, password: CREDENTIALS.password };
      const answer = await visitor.submit(page, credentials, atHome(town));
      t.is(answer.status, 400, answer.text.slice(0, 300));
      t.truthy(await obtainCode(town, signedIn, 'fahrkarte', verifier), 'the session is still there');
      t.truthy(await obtainCode(town, visitor, 'fahrkarte', verifier, CREDENTIALS));
    });
  }

  const outages: [string, begin: () => Promise<void> | void, end: () => Promise<void> | void][] = [
    ['is stopped', () => redis.kill(), () => redis.start()],
    ['hangs', () => redis.freeze(), () => redis.thaw()],
  ];
  for (const [name, begin, end] of outages) {
    test.serial(
      `while Redis ${name}, what needs it is answered 503 in time, the rest goes on, and it heals`,
      async (t) => {
        const signedIn = new Visitor();
        const verifier = pkce();
        const code = await obtainCode(town, signedIn, 'fahrkarte', verifier, CREDENTIALS);
        const token = (await redeem(town, 'fahrkarte', code, verifier.verifier)).body['access_token'] ?? '';
        await begin();
        try {
          for (const ask of [
            () => signedIn.send(authorizationUrl(town, 'fahrkarte', verifier)),
            () => new Visitor().send(authorizationUrl(town, 'fahrkarte', verifier)),
            () => proof(seconds()).then(withProof),
          ]) {
            const start = performance.now();
            const answer = await ask();
            t.is(answer.status, 503, answer.text.slice(0, 500));
            t.truthy(answer.headers['retry-after']);
            t.true(performance.now() - start < DEADLINE_MS);
          }
          t.is((await userinfo(town, token)).status, 200);
          t.is((await new Visitor().send(new URL('/jwks', town.issuer))).status, 200);
        } finally {
          await end();
        }
        await until('it heals', async () => (await obtainCode(town, signedIn, 'fahrkarte', verifier)) !== '');
        await until('proofs too', async () => (await withProof(await proof(seconds()))).status === 200);
      },
    );
  }
} else {
  test('without redis-server there is nothing to test here', (t) => t.pass());
}
