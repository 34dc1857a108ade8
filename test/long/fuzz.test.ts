import { Agent, createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import test from 'ava';
import fc from 'fast-check';
import { basic } from '../harness/relying-party.ts';
import { startTown } from '../harness/town.ts';
import { scaled } from './scale.ts';

const REQUESTS = scaled(100_000, 1000);

const PATHS = [
  '/',
  '/auth',
  '/auth/abc',
  '/token',
  '/request',
  '/userinfo',
  '/jwks',
  '/token/introspection',
  '/token/revocation',
  '/session/end',
  '/session/end/confirm',
  '/session/end/success',
  '/interaction/abc',
  '/interaction/abc/sign-in',
  '/.well-known/openid-configuration',
  '/assets/x/kern.css',
];
const NAMES = [
  'client_id',
  'redirect_uri',
  'scope',
  'code',
  'grant_type',
  'token',
  'request_uri',
  'claims',
  'prompt',
  'max_age',
].concat(
  [
    'code_challenge',
    'code_challenge_method',
    'id_token_hint',
    'response_mode',
    'response_type',
    'ui_locales',
    'lang',
    'xsrf',
  ],
  ['client_assertion', 'client_assertion_type', 'request', 'state', 'nonce', 'login_hint', 'post_logout_redirect_uri'],
);

const value = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.constantFrom(
    'fahrkarte',
    'openid',
    'code',
    'S256',
    'none',
    '{}',
    '{"userinfo":null}',
    '[]',
    '-1',
    '1e309',
    '\u0000',
    'login',
  ),
  fc.json({ maxDepth: 2 }),
);
const parameters = fc.array(fc.tuple(fc.oneof(fc.constantFrom(...NAMES), fc.string({ maxLength: 8 })), value), {
  maxLength: 6,
});
const encode = (pairs: [string, string][]): string =>
  pairs
    .map(([name, text]) => `${encodeURIComponent(name.toWellFormed())}=${encodeURIComponent(text.toWellFormed())}`)
    .join('&');

const raw = fc.record({
  method: fc.constantFrom('GET', 'GET', 'POST', 'POST', 'POST', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'),
  path: fc.oneof(fc.constantFrom(...PATHS), fc.webPath()),
  query: parameters,
  body: fc.oneof(parameters.map(encode), fc.string({ unit: 'binary', maxLength: 200 })),
  type: fc.constantFrom(
    'application/x-www-form-urlencoded',
    'application/json',
    'text/plain',
    'multipart/form-data; boundary=x',
    ';;',
  ),
  authorization: fc.option(fc.oneof(fc.constant('BASIC'), fc.string({ unit: 'grapheme-ascii', maxLength: 40 }))),
  cookie: fc.option(fc.string({ unit: 'grapheme-ascii', maxLength: 60 })),
  accept: fc.constantFrom('text/html', 'application/json', '*/*', ''),
});

type RandomRequest = typeof raw extends fc.Arbitrary<infer Value> ? Value : never;

test(`${REQUESTS} random requests: no fault of the server, nothing unhandled`, async (t) => {
  const town = await startTown();
  t.teardown(town.close);
  const server = createServer(town.app.handler).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  const agent = new Agent({ keepAlive: true, maxSockets: 8 });
  t.teardown(() => {
    agent.destroy();
    server.close();
    server.closeAllConnections();
  });
  const host = new URL(town.issuer).host;
  const own = basic(town, 'fahrkarte');

  const send = ({ method, path, query, body, type, authorization, cookie, accept }: RandomRequest): Promise<number> =>
    new Promise<number>((resolve, reject) => {
      const headers = {
        host,
        accept,
        'content-type': type,
        ...(authorization !== null && { authorization: authorization === 'BASIC' ? own : authorization }),
        ...(cookie !== null && { cookie }),
      };
      const target = encodeURI(`${path}?`.toWellFormed()) + encode(query);
      const req = request({ host: '127.0.0.1', port, agent, method, path: target, headers }, (res) => {
        res.resume();
        res.on('end', () => resolve(res.statusCode ?? 0));
      });
      req.on('error', reject);
      // Node sends a body without its length after other methods, which would be the start of the next request.
      req.end(method === 'POST' || method === 'PUT' ? body : undefined);
    });

  await fc.assert(
    fc.asyncProperty(fc.array(raw, { minLength: 20, maxLength: 20 }), async (batch) => {
      const statuses = await Promise.all(batch.map(send));
      const faults = batch.filter((_, index) => (statuses[index] ?? 500) >= 500);
      if (faults.length > 0) throw new Error(JSON.stringify(faults));
    }),
    { numRuns: Math.ceil(REQUESTS / 20) },
  );
  t.deepEqual(
    town.logged.filter((line) => line.includes('"level":"error"')),
    [],
  );
});
