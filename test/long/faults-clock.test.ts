/** Nodes whose clocks are five seconds wrong, one ahead and one behind, and a clock that jumps. */
import test from 'ava';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { generateSync } from 'otplib';
import * as accounts from '../../accounts/accounts.ts';
import * as clients from '../../accounts/clients.ts';
import type { Context } from '../../accounts/context.ts';
import * as totp from '../../accounts/totp.ts';
import type { Registration } from '../../accounts/town.ts';
import { type Citizen, type Operation, scenarios, signIn, type Target } from '../bench/scenarios.ts';
import { addCitizens, services } from '../bench/stage.ts';
import { Wire } from '../bench/wire.ts';
import { Alternating } from '../harness/alternating.ts';
import { emailOf, openDomain, TOWN } from '../harness/domain.ts';
import { MACHINE } from '../harness/machine.ts';
import { PRODUCTION_HOST, startNode, startProduction } from '../harness/production.ts';
import { scaled } from './scale.ts';

/** What readiness tolerates between a node and its database, less what asking takes. */
const WRONG_SECONDS = 5;

test.serial('nodes ten seconds apart serve the same citizens without one failure', async (t) => {
  const registrations = services('stadt-guetersloh');
  const right = await startProduction(registrations);
  const ahead = await startNode(right.settings, { clockSeconds: WRONG_SECONDS });
  const behind = await startNode(right.settings, { clockSeconds: -WRONG_SECONDS });
  t.teardown(async () => {
    await ahead.stop();
    await behind.stop();
    await right.stop();
  });
  const [portal] = registrations;
  if (portal === undefined) throw new Error('no service');
  const citizens: Citizen[] = await addCitizens(right.context, portal, 4);
  const wire = new Alternating(PRODUCTION_HOST, [ahead.port, behind.port]);
  t.teardown(() => wire.close());
  const target: Target = {
    host: PRODUCTION_HOST,
    origin: `https://${PRODUCTION_HOST}`,
    port: 0,
    citizens,
    secretOf: right.secretOf,
  };
  for (const citizen of citizens) citizen.cookie = (await signIn(target, wire, citizen, 'password')).session();
  const turns = scaled(100, 10);
  for (const [name, operation] of Object.entries(scenarios(target)) as [string, Operation][]) {
    const step = await operation(wire, 0);
    const count = name === 'password' || name === 'passkey' ? Math.ceil(turns / 10) : turns;
    for (let turn = 0; turn < count; turn += 1) await t.notThrowsAsync(step, `${name} ${turn}`);
  }
  for (const node of [ahead, behind]) {
    const { status, body } = await new Wire(PRODUCTION_HOST, node.port).send('/readyz');
    t.is(status, 200, body);
  }
});

test.serial('a code of the app is spent once, however the clock jumps', async (t) => {
  const { ctx, database } = await openDomain();
  t.teardown(() => database.drop());
  const hash = { hash: '$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$x', pepperVersion: 1 } as never;
  const email = emailOf('uhr@buerger.example');
  const credential = { kind: 'password', hash } as const;
  const registered = await accounts.register(ctx, { town: TOWN, language: 'de', email, credential });
  if (registered.outcome !== 'registered') throw new Error(registered.outcome);
  const { account } = registered;
  const secret = totp.newSecret();
  const codeAt = (seconds: number): string => generateSync({ secret, epoch: seconds });
  let at = 1_800_000_000;
  const now: Context = { ...ctx, now: () => new Date(at * 1000) };
  t.is((await totp.enrol(now, account, secret, codeAt(at), false)).outcome, 'enrolled');
  let good = 0;
  const spent = new Set<number>();
  for (let turn = 0; turn < scaled(200, 40); turn += 1) {
    // Forward by a step at a time, and back by five seconds now and then, over the edges of steps too.
    at += turn % 3 === 2 ? -5 : 20;
    const step = Math.floor(at / 30);
    const { outcome } = await totp.check(now, account, codeAt(at));
    if (outcome === 'proven') {
      t.false(spent.has(step), `step ${step} is proven twice`);
      spent.add(step);
      good += 1;
    } else t.true(outcome === 'wrong' || outcome === 'wait');
    if (turn % 5 === 4) await ctx.db('attempts').delete();
  }
  t.true(good > 5);
});

test.serial('services may be five seconds ahead or behind', async (t) => {
  const { privateKey, publicKey } = await generateKeyPair('ES256');
  const jwk = { ...(await exportJWK(publicKey)), kid: 'k', alg: 'ES256', use: 'sig' };
  const registration: Registration = { ...MACHINE, authMethod: 'private_key_jwt', jwks: { keys: [jwk] } };
  const node = await startProduction([]);
  t.teardown(() => node.stop());
  await clients.apply(node.context, [{ registration }]);
  const wire = new Wire(PRODUCTION_HOST, node.port);
  t.teardown(() => wire.close());
  for (const shift of [-5, 0, 5]) {
    const issued = Math.floor(Date.now() / 1000) + shift;
    const assertion = await new SignJWT({ jti: `nummer${shift}` })
      .setProtectedHeader({ alg: 'ES256', kid: 'k' })
      .setIssuer('maschine')
      .setSubject('maschine')
      .setAudience(`https://${PRODUCTION_HOST}`)
      .setIssuedAt(issued)
      .setNotBefore(issued)
      .setExpirationTime(issued + 60)
      .sign(privateKey);
    const body = new URLSearchParams({
      grant_type: 'client_credentials',
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: assertion,
    }).toString();
    const deadline = Date.now() + 5000;
    let reply = await wire.send('/token', { method: 'POST', body });
    // The registration has to reach the process first.
    while (reply.status === 401 && reply.body.includes('invalid_client') && shift === -5 && Date.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 200));
      reply = await wire.send('/token', { method: 'POST', body });
    }
    t.is(reply.status, 200, `${shift} s: ${reply.body}`);
  }
});
