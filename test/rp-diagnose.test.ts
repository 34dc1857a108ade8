import { randomUUID } from 'node:crypto';
import test from 'ava';
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import { describe } from '../accounts/client-failure-texts.ts';
import * as clientFailures from '../accounts/client-failures.ts';
import * as clients from '../accounts/clients.ts';
import { type ClientId, parseClientId } from '../accounts/ids.ts';
import type { Registration } from '../accounts/town.ts';
import { AdminClient } from './harness/admin-client.ts';
import { serviceWith } from './harness/registration.ts';
import { addCitizen, authorizationUrl, basic, obtainCode, pkce, post, redeem } from './harness/relying-party.ts';
import { makeMember } from './harness/staff.ts';
import { Terminal } from './harness/terminal.ts';
import { type RunningTown, startTown } from './harness/town.ts';
import { Visitor } from './harness/visitor.ts';

const CREDENTIALS = { email: 'anna@buerger.example', password: 'drei blaue Häuser am Fluss' };
const OWN_PERSON = 'technik@stadt.example';

const clientIdOf = (id: string): ClientId => {
  const clientId = parseClientId(id);
  if (clientId === undefined) throw new Error(id);
  return clientId;
};

let town: RunningTown;
let operator: AdminClient;
let ownPerson: AdminClient;
let keys: Awaited<ReturnType<typeof generateKeyPair>>;

const service = (clientId: string, changes: Partial<Registration>): Registration =>
  serviceWith(clientId, {
    redirectUris: [`https://${clientId}.stadt.example/callback`],
    authMethod: 'private_key_jwt',
    contacts: ['vendor@software.example'],
    ...changes,
  });

const dayFromNow = (days: number): string => new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10);

test.before(async () => {
  keys = await generateKeyPair('ES256', { extractable: true });
  const jwks = { keys: [{ ...(await exportJWK(keys.publicKey)), kid: 'eins', alg: 'ES256' }] };
  town = await startTown({
    registrations: [
      service('signiert', { jwks }),
      service('genau', { jwks }),
      service('ausgenommen', { jwks, audienceExemption: { reason: 'an old framework', until: dayFromNow(0) } }),
      service('verstrichen', { jwks, audienceExemption: { reason: 'an old framework', until: dayFromNow(-1) } }),
      service('seite', { kind: 'spa', authMethod: 'none', corsOrigins: ['https://seite.stadt.example'] }),
      service('still', { authMethod: 'client_secret_basic' }),
      service('umkaempft', { authMethod: 'client_secret_basic' }),
    ],
  });
  await addCitizen(town, CREDENTIALS.email, CREDENTIALS.password);
  const chief = await makeMember(town.context(), ['chief']);
  const hire = async (role: 'operator' | 'service', email?: string) => {
    const member = await makeMember(town.context(), [role], { by: chief.id, ...(email !== undefined && { email }) });
    return AdminClient.of(town, member.account);
  };
  operator = await hire('operator');
  ownPerson = await hire('service', OWN_PERSON);
});

test.after.always(() => town?.close());

type Seen = clientFailures.SeenFailure;
const diagnose = async (client: string, by = operator): Promise<Seen[]> => {
  const answer = await by.call('client diagnose', { client });
  if (answer.status !== 200) throw new Error(JSON.stringify(answer.body));
  return answer.body['failures'] as Seen[];
};
const seen = async (client: string, cause: clientFailures.Cause): Promise<Seen> => {
  const found = (await diagnose(client)).find((one) => one.cause === cause);
  if (found === undefined) throw new Error(`${cause} is not among ${JSON.stringify(await diagnose(client))}`);
  return found;
};

const ask = (changes: Record<string, string | undefined>, name: 'portal' | 'fahrkarte' = 'portal') =>
  new Visitor().open(authorizationUrl(town, name, pkce(), changes));

test.serial(
  'a redirect_uri that is not registered: what was sent, what is registered, where they differ',
  async (t) => {
    const registered = `${town.services.portal.origin}/callback`;
    await ask({ redirect_uri: `${registered}/?konto=4711&name=Anna` });
    const page = await ask({ redirect_uri: `${registered}/?konto=4711&name=Anna` });
    const { facts, count, code } = await seen('portal', 'redirect-uri');
    t.is(count, 2);
    t.is(code, 'invalid_redirect_uri');
    t.deepEqual(facts, { sent: `${registered}/?konto&name`, registered: [registered], differs: ['slash', 'query'] });
    t.true(page.text.includes('Schrägstrich am Ende'), 'in the sandbox the page says so at once');
    t.true(page.text.includes('/entwickler/fehler#invalid_redirect_uri'));
  },
);

test.serial('mistakes in the request of a sign-in are told apart', async (t) => {
  await ask({ code_challenge: undefined, code_challenge_method: undefined });
  await ask({ code_challenge_method: 'plain' });
  await ask({ response_type: 'token' });
  await ask({ response_mode: 'fragment.xml' });
  await ask({ resource: 'https://unbekannt.example/api' });
  await ask({ request: 'x.y.z' });
  await ask({ max_age: 'bald' });
  await ask({ scope: 'profile' });
  await new Visitor().open(
    new URL(`/session/end?client_id=portal&post_logout_redirect_uri=https://x.example/`, town.issuer),
  );
  t.is((await seen('portal', 'pkce-missing')).endpoint, 'authorization');
  t.deepEqual((await seen('portal', 'pkce-method')).facts, { sent: 'plain' });
  t.deepEqual((await seen('portal', 'response-type')).facts, { sent: 'token' });
  t.deepEqual((await seen('portal', 'response-mode')).facts, { sent: 'fragment.xml' });
  t.deepEqual((await seen('portal', 'resource')).facts, { sent: 'https://unbekannt.example/api' });
  t.is((await seen('portal', 'request-object')).code, 'invalid_request_object');
  t.deepEqual((await seen('portal', 'scope-missing')).facts, { sent: 'profile' });
  t.regex(String((await seen('portal', 'parameter')).facts['message']), /max_age/);
  t.like((await seen('portal', 'logout-uri')).facts, { sent: 'https://x.example/' });
});

test.serial('mistakes when redeeming a code are told apart', async (t) => {
  const visitor = new Visitor();
  const fresh = async (credentials?: typeof CREDENTIALS) => {
    const proof = pkce();
    return { proof, code: await obtainCode(town, visitor, 'fahrkarte', proof, credentials) };
  };
  const first = await fresh(CREDENTIALS);
  await redeem(town, 'fahrkarte', first.code, pkce().verifier);
  t.deepEqual((await seen('fahrkarte', 'pkce-verifier')).facts, {});
  const second = await fresh();
  const elsewhere = `${town.services.fahrkarte.origin.replace('https:', 'http:')}/callback`;
  await redeem(town, 'fahrkarte', second.code, second.proof.verifier, { redirect_uri: elsewhere });
  t.like((await seen('fahrkarte', 'code-redirect-uri')).facts, { sent: elsewhere, differs: ['scheme'] });
  const third = await fresh();
  t.is((await redeem(town, 'fahrkarte', third.code, third.proof.verifier)).status, 200);
  const again = await redeem(town, 'fahrkarte', third.code, third.proof.verifier);
  t.regex(String(again.body['error_detail']), /redeemed already/, 'the sandbox says it in the answer too');
  t.is((await seen('fahrkarte', 'code-used')).code, 'invalid_grant');
  await redeem(town, 'fahrkarte', 'garnicht', third.proof.verifier);
  await seen('fahrkarte', 'code-unknown');
  await post(town, '/token', { grant_type: 'client_credentials' }, basic(town, 'fahrkarte'));
  t.deepEqual((await seen('fahrkarte', 'grant-type')).facts, { sent: 'client_credentials' });
});

test.serial('a wrong secret: how long it is, what strikes; one that rotation has ended: when', async (t) => {
  const old = town.secretOf('strom');
  for (let rotations = 0; rotations < 2; rotations += 1) await clients.addSecret(town.context(), clientIdOf('strom'));
  const before = Date.now();
  // The new secrets reach the process by a notice from the database.
  while (
    (await post(town, '/token', { grant_type: 'x' }, basic(town, 'strom', old))).body['error'] !== 'invalid_client'
  ) {
    if (Date.now() - before > 30_000) throw new Error('the old secret still works');
  }
  const ended = await seen('strom', 'secret-ended');
  t.deepEqual(ended.facts, { endedOn: new Date().toISOString().slice(0, 10) });
  const wrong = `${old.slice(0, 20)}%`;
  await post(town, '/token', { grant_type: 'x' }, basic(town, 'strom', encodeURIComponent(`${wrong} `)));
  t.deepEqual((await seen('strom', 'secret-wrong')).facts, {
    looks: ['blanks', 'encoded'],
    length: 22,
    expectedLength: 43,
  });
  await post(town, '/token', { grant_type: 'x', client_id: 'strom' });
  t.deepEqual((await seen('strom', 'auth-method')).facts, { sent: 'none', registered: ['client_secret_basic'] });
  const { rows } = await town.database.pool.query('SELECT failure::text FROM client_failures');
  for (const { failure } of rows) t.false(failure.includes(old.slice(0, 20)), 'no part of a secret is kept');
});

const assert = async (changes: JWTPayload = {}, header: { kid?: string; alg?: string } = {}, key = keys.privateKey) => {
  const now = Math.floor(Date.now() / 1000);
  const claims = {
    iss: 'signiert',
    sub: 'signiert',
    aud: town.issuer,
    jti: randomUUID(),
    iat: now,
    exp: now + 60,
    ...changes,
  };
  return new SignJWT(claims).setProtectedHeader({ alg: 'ES256', kid: 'eins', ...header }).sign(key);
};
const withAssertion = (client_assertion: string, path = '/token') =>
  post(town, path, {
    grant_type: 'authorization_code',
    client_assertion,
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
  });

test.serial('a refused assertion: the clock, the audience, the key, a second use', async (t) => {
  const now = Math.floor(Date.now() / 1000);
  await withAssertion(await assert({ iat: now - 400, exp: now - 340 }));
  const late = await seen('signiert', 'assertion-time');
  t.true(Math.abs(Number(late.facts['skewSeconds']) + 400) < 20, JSON.stringify(late.facts));
  await withAssertion(await assert({ iat: now + 400, nbf: now + 400, exp: now + 460 }));
  const early = await seen('signiert', 'assertion-time');
  t.is(early.count, 2, 'the same failure, whatever its numbers');
  t.true(Number(early.facts['skewSeconds']) > 350);
  await withAssertion(await assert({ aud: `${town.issuer}/token` }));
  t.deepEqual((await seen('signiert', 'assertion-audience')).facts, {
    sent: [`${town.issuer}/token`],
    expected: town.issuer,
  });
  await withAssertion(await assert({}, { kid: 'zwei' }));
  t.deepEqual((await seen('signiert', 'assertion-key')).facts, { sent: 'zwei', registered: ['eins'] });
  const stranger = await generateKeyPair('ES256');
  await withAssertion(await assert({}, {}, stranger.privateKey));
  t.deepEqual((await seen('signiert', 'assertion-signature')).facts, { sent: 'eins' });
  const twice = await assert();
  await withAssertion(twice);
  await withAssertion(twice);
  await seen('signiert', 'assertion-replayed');
  await withAssertion(await assert({ iss: 'wer' }));
  t.deepEqual((await seen('signiert', 'assertion-issuer')).facts, { sent: 'wer', expected: 'signiert' });
});

test.serial(
  'the audience of an assertion: the issuer; under an exemption the token endpoint as well, and nothing else',
  async (t) => {
    const { issuer } = town;
    const endpoint = `${issuer}/token`;
    const elsewhere = 'https://anderswo.example/token';
    const audiences = [issuer, [issuer], endpoint, [endpoint], [issuer, endpoint], [issuer, elsewhere], elsewhere];
    const takenOf = async (client: string, path: string): Promise<boolean[]> => {
      const taken: boolean[] = [];
      for (const aud of audiences) {
        const answer = await withAssertion(await assert({ iss: client, sub: client, aud }), path);
        taken.push(answer.body['error'] !== 'invalid_client');
      }
      return taken;
    };
    const alone = [true, true, false, false, false, false, false];
    for (const path of ['/token', '/request']) {
      t.deepEqual(await takenOf('genau', path), alone, path);
      t.deepEqual(await takenOf('verstrichen', path), alone, `${path}, the last day was yesterday`);
      t.deepEqual(await takenOf('ausgenommen', path), [true, true, true, true, true, false, false], path);
    }
    const { body } = await withAssertion(await assert({ iss: 'genau', sub: 'genau', aud: endpoint }));
    const advice = /expected: https:\S+ Set aud to the issuer.*PrivateKeyJWT\(issuer\).*audience_exemption/;
    t.regex(String(body['error_detail']), advice, 'in the sandbox the answer says it');
    const { body: found } = await operator.call('client check', { client: 'ausgenommen' });
    t.like(
      (found['findings'] as { code: string }[]).find(({ code }) => code === 'audience-exemption-ends'),
      {
        state: 'warning',
        value: dayFromNow(0),
      },
    );
  },
);

test.serial('a page of an origin that is not registered', async (t) => {
  await new Visitor().send(new URL('/token', town.issuer), {
    method: 'POST',
    body: new URLSearchParams({ grant_type: 'authorization_code', client_id: 'seite', code: 'x' }),
    headers: { origin: 'https://anders.example', accept: 'application/json' },
  });
  t.deepEqual((await seen('seite', 'cors-origin')).facts, {
    sent: 'https://anders.example/',
    registered: ['https://seite.stadt.example/'],
  });
});

test.serial('what succeeds writes nothing but, once a day, how it looked', async (t) => {
  const visitor = new Visitor();
  for (const credentials of [CREDENTIALS, undefined]) {
    const proof = pkce();
    const code = await obtainCode(town, visitor, 'bibliothek', proof, credentials, { nonce: undefined });
    t.is((await redeem(town, 'bibliothek', code, proof.verifier)).status, 200);
  }
  const answer = await operator.call('client diagnose', { client: 'bibliothek' });
  t.deepEqual(answer.body['failures'], []);
  t.deepEqual(answer.body['requests'], [{ parts: ['pkce', 'state'], seenOn: new Date().toISOString().slice(0, 10) }]);
  await new Visitor().open(authorizationUrl(town, 'bibliothek', pkce(), { prompt: 'none' }));
  t.deepEqual(await diagnose('bibliothek'), [], 'that nobody is signed in is no fault of the service');
});

test.serial(
  'nobody can flood it: of each cause the newest are kept, the others are untouched, the same are counted',
  async (t) => {
    await post(town, '/token', { grant_type: 'x' }, basic(town, 'umkaempft', 'falsch'));
    await seen('umkaempft', 'secret-wrong');
    const url = (count: number) =>
      new URL(
        `/auth?client_id=umkaempft&response_type=code&scope=openid&redirect_uri=https://x.example/${count}`,
        town.issuer,
      );
    for (let round = 0; round < 4; round += 1) {
      await Promise.all(Array.from({ length: 25 }, (_, index) => new Visitor().open(url(100 * round + index))));
      await diagnose('umkaempft');
    }
    const found = await diagnose('umkaempft');
    t.is(found.filter(({ cause }) => cause === 'redirect-uri').length, clientFailures.KEPT_PER_CAUSE);
    t.is(found.filter(({ cause }) => cause === 'secret-wrong').length, 1);
    await new Visitor().open(
      new URL('/auth?client_id=niemand&response_type=code&redirect_uri=https://x.example/', town.issuer),
    );
    await diagnose('umkaempft');
    const { rows } = await town.database.pool.query(
      "SELECT count(*)::integer FROM client_failures WHERE client_id = 'niemand'",
    );
    t.is(rows[0].count, 0, 'of clients that do not exist nothing is kept');
  },
);

test.serial('control characters of a stranger reach no terminal, and nothing of the citizen is kept', async (t) => {
  await ask(
    {
      redirect_uri: 'https://x.example/\u001b[2Jweg#anna',
      login_hint: 'anna@buerger.example',
      state: 'anna-zustand',
    },
    'fahrkarte',
  );
  const { rows } = await (async () => {
    await diagnose('fahrkarte');
    return town.database.pool.query(
      "SELECT failure::text, first_at FROM client_failures WHERE client_id = 'fahrkarte'",
    );
  })();
  for (const { failure, first_at } of rows) {
    t.notRegex(failure, /\\u001b|anna/, failure);
    t.is(first_at.getTime() % 60_000, 0, 'no finer than a minute');
  }
});

test.serial('after a day it is forgotten', async (t) => {
  const ctx = town.context();
  const failure = { endpoint: 'token', code: 'invalid_grant', cause: 'code-used', facts: {} } as const;
  const at = new Date(Date.now() - 25 * 3_600_000);
  await clientFailures.record(ctx, [{ clientId: 'still', failure, count: 1, at }]);
  t.deepEqual(await clientFailures.list(ctx, clientIdOf('still')), []);
  t.true((await clientFailures.purge(ctx)) >= 1);
});

test.serial('only operators and the service’s own people see it; of others not even that they exist', async (t) => {
  t.true(Array.isArray(await diagnose('portal', ownPerson)));
  const foreign = await ownPerson.call('client diagnose', { client: 'still' });
  const missing = await ownPerson.call('client diagnose', { client: 'gibtesnicht' });
  t.is(foreign.status, 409);
  t.deepEqual(foreign.body, missing.body);
});

test.serial('every cause has words in both languages', (t) => {
  for (const cause of clientFailures.CAUSES) {
    const [de, en] = [describe({ cause, facts: {} }, 'de'), describe({ cause, facts: {} }, 'en')];
    t.not(de.what, en.what, cause);
    t.true(de.todo.length > 10 && en.todo.length > 10, cause);
  }
});

test.serial('schluessel client diagnose: a table, the cause, what to do', async (t) => {
  await post(town, '/token', { grant_type: 'x' }, basic(town, 'still', 'still'));
  const terminal = new Terminal(town);
  t.teardown(() => terminal.close());
  terminal.keep(await operator.session());
  const ran = await terminal.run('client', 'diagnose', 'still');
  t.is(ran.code, 0, ran.stderr);
  t.log(ran.stdout);
  t.regex(ran.stdout, /invalid_client +secret-wrong/);
  t.regex(ran.stdout, /es ist die client_id/);
  t.regex(ran.stdout, /→ Kopieren Sie es neu/);
  const english = await terminal.run('client', 'diagnose', 'still', '--lang', 'en');
  t.regex(english.stdout, /it is the client_id/);
  const json = JSON.parse((await terminal.run('client', 'diagnose', 'still', '--json')).stdout);
  t.is(json.failures[0].cause, 'secret-wrong');
  t.is((await terminal.run('client', 'diagnose', 'gibtesnicht')).code, 1);
});
