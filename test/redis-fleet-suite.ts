/** What every form of Redis must do: the contract of the stores, one slot for each script, a lost master. */
import { randomUUID } from 'node:crypto';
import test from 'ava';
import { calculateJwkThumbprint, exportJWK, generateKeyPair, SignJWT } from 'jose';
import { MACHINE } from './harness/machine.ts';
import type { RedisFleet } from './harness/redis-fleet.ts';
import { openRedisStore } from './harness/redis-store.ts';
import { addCitizen, basic, obtainCode, pkce, redeem } from './harness/relying-party.ts';
import { type RunningTown, startTown } from './harness/town.ts';
import { type Answer, Visitor } from './harness/visitor.ts';
import { declareGrantSuite } from './oidc-store-grants-suite.ts';
import { declareSessionSuite } from './oidc-store-sessions-suite.ts';
import { declareStoreSuite } from './oidc-store-suite.ts';

const CREDENTIALS = { email: 'wechsel@buerger.example', password: 'neun rote Kähne im Hafen' };
const HEAL_MS = 60_000;

const withProof = (town: RunningTown, dpop: string): Promise<Answer> =>
  new Visitor().send(new URL('/token', town.issuer), {
    method: 'POST',
    body: new URLSearchParams({ grant_type: 'client_credentials' }),
    headers: { accept: 'application/json', authorization: basic(town, 'maschine'), dpop },
  });

/** Declares it all for one form; the servers are shared by the tests of the contract, as a town's are by its processes. */
export const declareRedisFleetSuite = (start: () => Promise<RedisFleet>): void => {
  let shared: RedisFleet;
  test.before(async () => {
    shared = await start();
  });
  test.after.always(() => shared?.end());

  const open = () => openRedisStore(shared);
  declareStoreSuite(open);
  declareGrantSuite(open);
  declareSessionSuite(open);

  test.serial('a lost master is replaced, and nobody has to do anything', async (t) => {
    const fleet = await start();
    const town = await startTown({ redisUrl: fleet.url, registrations: [MACHINE] });
    try {
      const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
      const jwk = await exportJWK(publicKey);
      await calculateJwkThumbprint(jwk);
      const newProof = (): Promise<string> =>
        new SignJWT({
          htm: 'POST',
          htu: `${town.issuer}/token`,
          jti: randomUUID(),
          iat: Math.floor(Date.now() / 1000),
        })
          .setProtectedHeader({ typ: 'dpop+jwt', alg: 'ES256', jwk })
          .sign(privateKey);
      const soon = async (what: string, work: () => Promise<boolean>): Promise<void> => {
        const begin = Date.now();
        while (!(await work().catch(() => false))) {
          if (Date.now() - begin > HEAL_MS) throw new Error(`${what}: not within ${HEAL_MS / 1000} s`);
          await new Promise((resolve) => setTimeout(resolve, 50));
        }
        t.log(`${what} after ${Date.now() - begin} ms`);
      };
      await addCitizen(town, CREDENTIALS.email, CREDENTIALS.password);
      const visitor = new Visitor();
      const verifier = pkce();
      await obtainCode(town, visitor, 'fahrkarte', verifier, CREDENTIALS);
      await soon('proofs are taken', async () => (await withProof(town, await newProof())).status === 200);
      const used = await Promise.all(Array.from({ length: 24 }, newProof));
      for (const proof of used) await withProof(town, proof);

      await fleet.killMaster();
      const replayed = async (): Promise<number> => {
        const answers = await Promise.all(used.map((proof) => withProof(town, proof)));
        return answers.filter(({ status }) => status === 200).length;
      };
      const replays: number[] = [];
      await soon('a sign-in is possible', async () => {
        replays.push(await replayed());
        const code = await obtainCode(town, visitor, 'fahrkarte', verifier);
        return (await redeem(town, 'fahrkarte', code, verifier.verifier)).status === 200;
      });
      await soon('proofs are taken', async () => {
        replays.push(await replayed());
        return (
          await Promise.all(Array.from({ length: 24 }, newProof).map(async (one) => withProof(town, await one)))
        ).every(({ status }) => status === 200);
      });
      t.deepEqual(new Set(replays), new Set([0]), 'no proof is taken twice');
    } finally {
      await town.close();
      await fleet.end();
    }
  });
};
