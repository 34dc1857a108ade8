/** Codes, refresh tokens and proofs, raced over two processes on one port; on Postgres alone and with Redis beside it. */
import { randomUUID } from 'node:crypto';
import test, { type ExecutionContext } from 'ava';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { redeemRaw, scenarioTokens } from '../bench/scenarios.ts';
import { form, oneWinner, onTrack, RIVALS } from '../harness/races.ts';
import { hasRedis, startRedis } from '../harness/redis.ts';
import { scaled } from './scale.ts';

const race = (t: ExecutionContext, redisUrl: string | undefined): Promise<void> =>
  onTrack(redisUrl, [], async ({ node, target, wires, wire }) => {
    const codes = scaled(1000, 20);
    let slowest = 0;
    for (let count = 0; count < codes; count += 1) {
      const { code, attempt } = await redeemRaw(target, wire, count);
      const replies = await Promise.all(wires.map((one) => attempt(one)));
      const winner = oneWinner(t, replies, `code ${code}`);
      const token = (JSON.parse(winner?.body ?? '{}') as { access_token?: string }).access_token ?? '';
      if (count % 10 !== 0) continue;
      const begin = performance.now();
      const late = await attempt(wire);
      t.is(late.status, 400);
      // On every connection, and so in both processes, what the code gave is over at once.
      const headers = { authorization: `Bearer ${token}` };
      const after = await Promise.all(wires.map((one) => one.send('/userinfo', { headers })));
      slowest = Math.max(slowest, performance.now() - begin);
      t.deepEqual(new Set(after.map(({ status }) => status)), new Set([401]));
    }
    t.log(`${codes} codes × ${RIVALS}; a replay and its end on every connection took at most ${slowest.toFixed(0)} ms`);

    const refreshes = scaled(1000, 20);
    let { refresh_token: token } = await scenarioTokens(target, wire, 0, 'app');
    for (let count = 0; count < refreshes; count += 1) {
      const body = form({ grant_type: 'refresh_token', refresh_token: token, client_id: 'app' });
      const replies = await Promise.all(wires.slice(0, 8).map((one) => one.send('/token', { method: 'POST', body })));
      const winner = oneWinner(t, replies, 'refresh token');
      // The child lives: what looks like a theft was a double click.
      token = (JSON.parse(winner?.body ?? '{}') as { refresh_token?: string }).refresh_token ?? '';
    }

    const proofs = scaled(500, 20);
    const { privateKey, publicKey } = await generateKeyPair('ES256');
    const jwk = await exportJWK(publicKey);
    const authorization = `Basic ${Buffer.from(`maschine:${node.secretOf('maschine')}`).toString('base64')}`;
    for (let count = 0; count < proofs; count += 1) {
      const htu = `${target.origin}/token`;
      const claims = { htm: 'POST', htu, jti: randomUUID(), iat: Math.floor(Date.now() / 1000) };
      const header = { typ: 'dpop+jwt', alg: 'ES256', jwk };
      const dpop = await new SignJWT(claims).setProtectedHeader(header).sign(privateKey);
      const body = form({ grant_type: 'client_credentials' });
      const headers = { authorization, dpop };
      const replies = await Promise.all(wires.map((one) => one.send('/token', { method: 'POST', headers, body })));
      oneWinner(t, replies, 'DPoP proof');
    }
    t.log(`${refreshes} refresh tokens × 8, ${proofs} DPoP proofs × ${RIVALS}: one winner each`);
    t.false(node.output().includes('request failed'), node.output().slice(-2000));
  });

test.serial('codes, refresh tokens and proofs have one winner each over two processes', (t) => race(t, undefined));

if (hasRedis()) {
  test.serial('the same with Redis beside Postgres', async (t) => {
    const redis = await startRedis();
    try {
      await race(t, redis.url);
    } finally {
      await redis.end();
    }
  });
}
