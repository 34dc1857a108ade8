import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import test from 'ava';
import { visit } from '../adapters/neighbour.ts';
import { DIAGNOSIS_TEXTS } from '../admin-cli/texts/diagnosis.ts';
import { AdminClient } from './harness/admin-client.ts';
import { serviceWith } from './harness/registration.ts';
import { addCitizen, authorizationUrl, obtainCode, pkce } from './harness/relying-party.ts';
import { makeMember } from './harness/staff.ts';
import { Terminal } from './harness/terminal.ts';
import { type RunningTown, startTown } from './harness/town.ts';
import { Visitor } from './harness/visitor.ts';

const CREDENTIALS = { email: 'anna@buerger.example', password: 'drei blaue Häuser am Fluss' };

let town: RunningTown;
let operator: AdminClient;
let careless: string;

/** A service that believes whatever it is told. */
const startCareless = async (): Promise<string> => {
  const server = createServer((req: IncomingMessage, res: ServerResponse) => {
    req.resume();
    const path = req.url ?? '';
    if (path.startsWith('/kaputt')) res.statusCode = 500;
    if (path.startsWith('/weg')) res.statusCode = 404;
    if (path.startsWith('/schluessel')) res.end('{"keys":[{"kty":"EC","d":"geheim"}]}');
    else res.setHeader('date', new Date(Date.now() - 120_000).toUTCString()).end('ja');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  server.unref();
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
};

test.before(async () => {
  careless = await startCareless();
  town = await startTown({
    registrations: [
      serviceWith('leichtsinn', {
        redirectUris: [`${careless}/callback`, `${careless}/kaputt`, `${careless}/weg`],
        backchannelLogoutUri: `${careless}/logout`,
        jwksUri: `${careless}/schluessel`,
        contacts: [],
      }),
      serviceWith('fort', { redirectUris: ['http://127.0.0.1:1/callback'], authMethod: 'tls_client_auth' }),
    ],
  });
  await addCitizen(town, CREDENTIALS.email, CREDENTIALS.password);
  const chief = await makeMember(town.context(), ['chief']);
  const member = await makeMember(town.context(), ['operator'], { by: chief.id });
  operator = await AdminClient.of(town, member.account);
});

test.after.always(() => town?.close());

type Found = { check: string; state: string; code: string; value?: string };
const check = async (client: string): Promise<Found[]> => {
  const answer = await operator.call('client check', { client });
  if (answer.status !== 200) throw new Error(JSON.stringify(answer.body));
  return answer.body['findings'] as Found[];
};
const codes = (findings: readonly Found[], state?: string): string[] =>
  findings.filter((one) => state === undefined || one.state === state).map(({ code }) => code);

test('a careful service: reachable, TLS, clock, logout tokens taken and refused as they deserve, PKCE, state, nonce', async (t) => {
  await obtainCode(town, new Visitor(), 'portal', pkce(), CREDENTIALS, { scope: 'openid' });
  const findings = await check('portal');
  t.deepEqual(codes(findings, 'bad'), [], JSON.stringify(findings));
  t.true(findings.some((one) => one.check === 'tls'));
  for (const code of [
    'reachable',
    'clock-agrees',
    'logout-taken',
    'logout-signature-refused',
    'logout-expired-refused',
    'logout-audience-refused',
    'with-pkce',
    'with-state',
    'with-nonce',
    'none-refused',
  ])
    t.true(codes(findings, 'good').includes(code), `${code}: ${JSON.stringify(findings)}`);
});

test('a live session in the sandbox: the service signs the citizen out; the pages of others stay', async (t) => {
  const { fahrkarte } = town.services;
  const origin = new URL(fahrkarte.origin);
  const [first, second] = [new Visitor(), new Visitor()];
  const signedIn = async (visitor: Visitor): Promise<boolean> =>
    (await visitor.open(origin)).text.includes('id="subject"');
  await addCitizen(town, 'bela@buerger.example', CREDENTIALS.password);
  for (const [visitor, email] of [
    [first, CREDENTIALS.email],
    [second, 'bela@buerger.example'],
  ] as const) {
    const page = await visitor.open(new URL('/anmelden', origin));
    await visitor.submit(page, { identifier: email, password: CREDENTIALS.password });
    t.true(await signedIn(visitor), email);
  }
  const ask = async (citizen: string) => operator.call('client check', { client: 'fahrkarte', citizen });
  const found = (await ask(CREDENTIALS.email)).body['findings'] as Found[];
  const told = found.filter((one) => one.check === 'session');
  t.deepEqual(codes(told), ['session-told']);
  t.true(fahrkarte.logouts.some(({ sid }) => told[0]?.value === `sid ${String(sid).slice(0, 12)}…`));
  t.false(await signedIn(first));
  t.true(await signedIn(second));
  t.is((await ask('niemand@buerger.example')).body['reason'], 'unknown');
  const elsewhere = (await operator.call('client check', { client: 'strom', citizen: CREDENTIALS.email })).body;
  t.true(codes(elsewhere['findings'] as Found[], 'warning').includes('session-none'));
});

test('a careless one: each thing that is wrong with it', async (t) => {
  const findings = await check('leichtsinn');
  for (const code of [
    'answers-5xx',
    'keys-private',
    'logout-signature-taken',
    'logout-expired-taken',
    'logout-audience-taken',
  ])
    t.true(codes(findings, 'bad').includes(code), code);
  for (const code of ['answers-404', 'service-clock', 'never-seen', 'no-contacts'])
    t.true(codes(findings, 'warning').includes(code), code);
});

test('one that is not there, and needs what is not set up', async (t) => {
  const findings = await check('fort');
  t.like(
    findings.find(({ code }) => code === 'unreachable'),
    { check: 'redirect_uri', value: 'http://127.0.0.1:1/callback ECONNREFUSED' },
  );
  t.true(codes(findings, 'bad').includes('no-mutual-tls'));
});

test('outside of the sandbox nothing private is asked, neither by address nor by name', async (t) => {
  const asked: string[] = [];
  const server = createServer((req, res) => {
    asked.push(req.url ?? '');
    res.end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  for (const address of [
    `https://127.0.0.1:${port}/`,
    `https://localhost:${port}/`,
    `https://[::1]:${port}/`,
    `https://[::ffff:127.0.0.1]:${port}/`,
    `https://0x7f000001:${port}/`,
    'https://10.0.0.1/',
    'https://169.254.169.254/latest/meta-data/',
    'https://[fd00::1]/',
    `http://localhost:${port}/`,
  ]) {
    t.deepEqual(
      await visit(new URL(address), { allowPrivate: false }),
      { outcome: 'failed', code: 'private' },
      address,
    );
  }
  t.deepEqual(asked, []);
});

test('every finding has words in both languages', (t) => {
  const { de, en } = DIAGNOSIS_TEXTS;
  t.deepEqual(Object.keys(de.checks).sort(), Object.keys(en.checks).sort());
});

test('schluessel client check: a table, what to do, an exit code; the files of a town as before', async (t) => {
  await new Visitor().open(authorizationUrl(town, 'fahrkarte', pkce(), { redirect_uri: 'https://x.example/' }));
  const terminal = new Terminal(town);
  t.teardown(() => terminal.close());
  terminal.keep(await operator.session());
  const ran = await terminal.run('client', 'check', 'leichtsinn');
  t.is(ran.code, 7, ran.stderr);
  t.log(ran.stdout);
  t.regex(ran.stdout, /nimmt eine falsche Signatur an!/);
  t.regex(ran.stdout, /✗ backchannel_logout: Gefährlich/);
  const refused = await terminal.run('client', 'check', 'fahrkarte', '--lang', 'en');
  t.regex(refused.stdout, /refused requests +1/);
  const files = await terminal.run('client', 'check', 'nirgends.yaml');
  t.is(files.code, 7);
  t.regex(files.stdout, /does not exist/);
});
