/** Assertions, pushed requests, device codes and codes from mails: each good once, whoever asks how often at once. */
import { fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import test, { type ExecutionContext } from 'ava';
import { exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';
import type { Context } from '../../accounts/context.ts';
import * as emailCodes from '../../accounts/email-codes.ts';
import type { Registration } from '../../accounts/town.ts';
import { newKeyRing, parseKeyRing } from '../../keys/key-ring.ts';
import { createKeys } from '../../keys/keys.ts';
import { PORTAL_CALLBACK } from '../bench/scenarios.ts';
import { Jar, type Reply } from '../bench/wire.ts';
import type { CheckerQuestion, CheckerSettings } from '../harness/code-checker.ts';
import { emailOf } from '../harness/domain.ts';
import { MACHINE } from '../harness/machine.ts';
import { testDatabase } from '../harness/postgres.ts';
import { form, oneWinner, onTrack, RIVALS, type Track } from '../harness/races.ts';
import { hasRedis, startRedis } from '../harness/redis.ts';
import { pkce } from '../harness/relying-party.ts';
import { scaled } from './scale.ts';

const TIMES = scaled(500, 10);
const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code';
const ASSERTION = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
const DEVICE: Registration = {
  ...MACHINE,
  organisation: 'stadt-guetersloh',
  clientId: 'anzeigetafel',
  kind: 'device',
  authMethod: 'none',
  refreshTokens: true,
};

type Pair = Awaited<ReturnType<typeof generateKeyPair>>;

const assertions = async (t: ExecutionContext, { target, wires }: Track, { privateKey }: Pair): Promise<void> => {
  const newAssertion = async (): Promise<string> => {
    const assertion = await new SignJWT({ jti: randomUUID() })
      .setProtectedHeader({ alg: 'ES256' })
      .setIssuer('unterzeichner')
      .setSubject('unterzeichner')
      .setAudience(target.origin)
      .setIssuedAt()
      .setExpirationTime('1m')
      .sign(privateKey);
    return form({
      grant_type: 'client_credentials',
      client_id: 'unterzeichner',
      client_assertion_type: ASSERTION,
      client_assertion: assertion,
    });
  };
  // An empty Redis takes nothing that was issued before it began, and assertions are dated in whole seconds.
  const began = new Date().setMilliseconds(0);
  while (new Date().setMilliseconds(0) === began) await new Promise((resolve) => setTimeout(resolve, 50));
  for (let count = 0; count < TIMES; count += 1) {
    const body = await newAssertion();
    oneWinner(t, await Promise.all(wires.map((one) => one.send('/token', { method: 'POST', body }))), 'assertion');
  }
};

const codeIn = ({ status, headers }: Reply): boolean =>
  status === 303 && /[?&]code=/.test(headers.get('location')?.[0] ?? '');

const pushedRequests = async (t: ExecutionContext, { node, wires, wire, citizens }: Track): Promise<void> => {
  const authorization = `Basic ${Buffer.from(`portal:${node.secretOf('portal')}`).toString('base64')}`;
  for (let count = 0; count < TIMES; count += 1) {
    const { challenge } = pkce();
    const body = form({
      client_id: 'portal',
      response_type: 'code',
      redirect_uri: PORTAL_CALLBACK,
      scope: 'openid',
      code_challenge: challenge,
      code_challenge_method: 'S256',
    });
    const pushed = await wire.send('/request', { method: 'POST', headers: { authorization }, body });
    if (pushed.status !== 201) throw new Error(`${pushed.status} ${pushed.body}`);
    const { request_uri: uri } = JSON.parse(pushed.body) as { request_uri: string };
    const cookie = citizens[count % citizens.length]?.cookie ?? '';
    const path = `/auth?${form({ client_id: 'portal', request_uri: uri })}`;
    const replies = await Promise.all(wires.map((one) => one.send(path, { headers: { cookie } })));
    // A refusal goes back to the service if its address is known already.
    const refused = replies.filter((reply) => /[?&]error=/.test(reply.headers.get('location')?.[0] ?? ''));
    oneWinner(
      t,
      replies.filter((reply) => !refused.includes(reply)),
      'pushed request',
      codeIn,
    );
  }
};

/** A citizen who is signed in connects a device by the forms. */
const connect = async ({ target, wire }: Track, jar: Jar, userCode: string, turn: number): Promise<void> => {
  const address = `10.1.${turn >> 8}.${turn % 256}`;
  const send = async (path: string, body?: string): Promise<Reply> => {
    const headers = { cookie: jar.header(), origin: target.origin, accept: 'text/html', 'x-forwarded-for': address };
    const reply = await wire.send(path, { headers, ...(body !== undefined && { method: 'POST', body }) });
    jar.keep(reply);
    const location = reply.headers.get('location')?.[0];
    if (location === undefined) return reply;
    const { pathname, search } = new URL(location, target.origin);
    return send(pathname + search);
  };
  const secret = (page: Reply): string => /name="xsrf" value="([^"]+)"/.exec(page.body)?.[1] ?? '';
  const page = await send('/device');
  const asked = await send('/device', form({ xsrf: secret(page), user_code: userCode }));
  const done = await send('/device', form({ xsrf: secret(asked), user_code: userCode, confirm: 'yes' }));
  if (!done.body.includes('Das Gerät ist verbunden'))
    throw new Error(`${done.status} ${done.body.replaceAll(/<[^>]*>|\s+/g, ' ')}`);
};

const deviceCodes = async (t: ExecutionContext, track: Track): Promise<void> => {
  const { wire, wires, citizens } = track;
  const jars = citizens.map(({ cookie }) => {
    const jar = new Jar();
    jar.keep({ status: 200, headers: new Map([['set-cookie', cookie.split('; ')]]), body: '' });
    return jar;
  });
  for (let count = 0; count < TIMES; count += 1) {
    const begun = await wire.send('/device/auth', {
      method: 'POST',
      body: form({ client_id: 'anzeigetafel', scope: 'openid' }),
    });
    const device = JSON.parse(begun.body) as { device_code: string; user_code: string };
    await connect(track, jars[count % jars.length] ?? new Jar(), device.user_code, count);
    const body = form({ grant_type: DEVICE_GRANT, client_id: 'anzeigetafel', device_code: device.device_code });
    oneWinner(t, await Promise.all(wires.map((one) => one.send('/token', { method: 'POST', body }))), 'device code');
  }
};

const race = async (t: ExecutionContext, redisUrl: string | undefined): Promise<void> => {
  const pair = await generateKeyPair('ES256', { extractable: true });
  const jwk: JWK = { ...(await exportJWK(pair.publicKey)), alg: 'ES256', use: 'sig', kid: 'eins' };
  const signer: Registration = {
    ...MACHINE,
    organisation: 'stadt-guetersloh',
    clientId: 'unterzeichner',
    authMethod: 'private_key_jwt',
    jwks: { keys: [jwk] },
  };
  await onTrack(redisUrl, [signer, DEVICE], async (track) => {
    await assertions(t, track, pair);
    await pushedRequests(t, track);
    await deviceCodes(t, track);
    t.pass();
    t.log(`assertions, pushed requests, device codes: ${TIMES} × ${RIVALS} each, one winner each`);
    t.false(track.node.output().includes('request failed'), track.node.output().slice(-2000));
  });
};

test.serial('assertions, pushed requests and device codes have one winner each', (t) => race(t, undefined));

if (hasRedis()) {
  test.serial('so they have with Redis beside Postgres', async (t) => {
    const redis = await startRedis();
    try {
      await race(t, redis.url);
    } finally {
      await redis.end();
    }
  });
}

/** Starts a process that checks codes; `ask` gives the outcomes of its share of the rivals. */
const startChecker = async (settings: CheckerSettings) => {
  const child = fork(new URL('../harness/code-checker.ts', import.meta.url));
  const send = async <A>(message: CheckerSettings | CheckerQuestion): Promise<A> => {
    const answered = once(child, 'message', { signal: AbortSignal.timeout(60_000) });
    child.send(message);
    return (await answered)[0] as A;
  };
  await send(settings);
  return { ask: (question: CheckerQuestion) => send<string[]>(question), end: () => child.disconnect() };
};

test.serial('a code from a mail proves the address once, over two processes', async (t) => {
  const database = await testDatabase();
  const text = newKeyRing();
  const ring = parseKeyRing(text);
  if ('faults' in ring) throw new Error(ring.faults.join('\n'));
  const actor = { kind: 'system', part: 'test' } as const;
  const ctx: Context = { db: database.knex, now: () => new Date(), keys: createKeys(ring), actor };
  const settings = { databaseUrl: database.url, ring: text, connections: RIVALS / 2 };
  const checkers = [await startChecker(settings), await startChecker(settings)];
  try {
    const wins = [0, 0];
    for (let count = 0; count < TIMES; count += 1) {
      const subject = `besuch ${count}`;
      let code = '';
      const texts = {
        code: (made: string) => {
          code = made;
          return { subject: 'Code', text: made };
        },
        known: () => ({ subject: '', text: '' }),
      };
      await emailCodes.send(ctx, subject, emailOf(`adresse${count}@buerger.example`), texts);
      // In turn one is asked a moment before the other.
      const order = count % 2 === 0 ? [0, 1] : [1, 0];
      const asked = await Promise.all(
        order.map(async (index) => ({ index, outcomes: (await checkers[index]?.ask({ subject, code })) ?? [] })),
      );
      const outcomes = asked.flatMap((one) => one.outcomes);
      t.deepEqual(outcomes.toSorted(), [...Array<string>(RIVALS - 1).fill('expired'), 'proven']);
      for (const { index, outcomes: own } of asked) if (own.includes('proven')) wins[index] = (wins[index] ?? 0) + 1;
    }
    t.log(`codes of mails: ${TIMES} × ${RIVALS}, one winner each, ${wins.join(' and ')} times in either process`);
  } finally {
    for (const checker of checkers) checker.end();
    await database.drop();
  }
});
