/** One-time means at size, raced over two processes on one port; on Postgres alone and with Redis beside it. */
import { randomUUID } from 'node:crypto';
import test, { type ExecutionContext } from 'ava';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { redeemRaw, scenarioTokens, signIn, type Target } from '../bench/scenarios.ts';
import { addCitizens, services } from '../bench/stage.ts';
import { type Reply, Wire } from '../bench/wire.ts';
import { PRODUCTION_HOST, startProduction } from '../harness/production.ts';
import { hasRedis, startRedis } from '../harness/redis.ts';
import { scaled } from './scale.ts';

const RIVALS = 16;
const form = (fields: Record<string, string>): string => new URLSearchParams(fields).toString();

/** Of parallel answers exactly one is a success, all others the protocol's own refusal. */
const oneWinner = (t: ExecutionContext, replies: readonly Reply[], what: string): Reply | undefined => {
  const winners = replies.filter(({ status }) => status === 200);
  const odd = replies.filter(({ status }) => status !== 200 && status !== 400 && status !== 401);
  if (winners.length !== 1) t.fail(`${what}: ${winners.length} winners`);
  if (odd.length > 0) t.fail(`${what}: ${odd.map(({ status, body }) => `${status} ${body}`).join(', ')}`);
  return winners[0];
};

const race = async (t: ExecutionContext, redisUrl: string | undefined): Promise<void> => {
  const registrations = services('stadt-guetersloh');
  const node = await startProduction(registrations, {
    WORKERS: '2',
    ...(redisUrl !== undefined && { REDIS_URL: redisUrl }),
  });
  const wires = Array.from({ length: RIVALS }, () => new Wire(PRODUCTION_HOST, node.port));
  const [wire] = wires;
  try {
    await new Promise((resolve) => setTimeout(resolve, 3000));
    const [portal] = registrations;
    if (portal === undefined || wire === undefined) throw new Error('no service');
    const citizens = await addCitizens(node.context, portal, 2);
    const origin = `https://${PRODUCTION_HOST}`;
    const target: Target = { host: PRODUCTION_HOST, origin, port: node.port, citizens, secretOf: node.secretOf };
    for (const citizen of citizens) citizen.cookie = (await signIn(target, wire, citizen, 'password')).session();

    const codes = scaled(1000, 20);
    let last = '';
    for (let count = 0; count < codes; count += 1) {
      const { code, attempt } = await redeemRaw(target, wire, count);
      const replies = await Promise.all(wires.map((one) => attempt(one)));
      const winner = oneWinner(t, replies, `code ${code}`);
      last = (JSON.parse(winner?.body ?? '{}') as { access_token?: string }).access_token ?? '';
      if (count % 50 === 0) {
        const late = await attempt(wire);
        t.is(late.status, 400);
        // On every connection, and so in both processes, what the code gave is over within a second.
        await new Promise((resolve) => setTimeout(resolve, 1000));
        const headers = { authorization: `Bearer ${last}` };
        const after = await Promise.all(wires.map((one) => one.send('/userinfo', { headers })));
        t.deepEqual(new Set(after.map(({ status }) => status)), new Set([401]));
      }
    }

    const refreshes = scaled(1000, 20);
    let { refresh_token: token } = await scenarioTokens(target, wire, 0, 'app');
    for (let count = 0; count < refreshes; count += 1) {
      const body = form({ grant_type: 'refresh_token', refresh_token: token, client_id: 'app' });
      const replies = await Promise.all(wires.slice(0, 8).map((one) => one.send('/token', { method: 'POST', body })));
      const winner = oneWinner(t, replies, 'refresh token');
      // The child lives: what looks like a theft was a double click.
      token = (JSON.parse(winner?.body ?? '{}') as { refresh_token?: string }).refresh_token ?? '';
    }

    const { privateKey, publicKey } = await generateKeyPair('ES256');
    const jwk = await exportJWK(publicKey);
    const authorization = `Basic ${Buffer.from(`maschine:${node.secretOf('maschine')}`).toString('base64')}`;
    for (let count = 0; count < scaled(500, 20); count += 1) {
      const claims = { htm: 'POST', htu: `${origin}/token`, jti: randomUUID(), iat: Math.floor(Date.now() / 1000) };
      const header = { typ: 'dpop+jwt', alg: 'ES256', jwk };
      const dpop = await new SignJWT(claims).setProtectedHeader(header).sign(privateKey);
      const body = form({ grant_type: 'client_credentials' });
      const headers = { authorization, dpop };
      const replies = await Promise.all(wires.map((one) => one.send('/token', { method: 'POST', headers, body })));
      oneWinner(t, replies, 'DPoP proof');
    }
    t.log(`${codes} codes × ${RIVALS}, ${refreshes} refresh tokens × 8, proofs × ${RIVALS}: one winner each`);
  } finally {
    for (const one of wires) one.close();
    await node.stop();
  }
};

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
