import { request } from 'node:http';
import test from 'ava';
import { startFront } from './harness/front.ts';
import { freePorts, newFolder, startSandboxProcess } from './harness/sandbox-process.ts';
import {
  askUserinfo,
  authorize,
  readIdToken,
  redeemTrial,
  registerTrial,
  requestUrl,
  sendJson,
} from './harness/trial-client.ts';
import { Visitor } from './harness/visitor.ts';

const HOST = 'op.suite.example';
const CITIZEN = { email: 'wiebke.lindenhoff@example.org', password: 'kornblumen am wegrand' };
/** More than a citizen could mistype before having to wait. */
const WRONG_PASSWORDS = 14;

test('PROFILE=sandbox serves a test suite behind TLS under another issuer, and is patient with it', async (t) => {
  const front = await startFront([HOST]);
  t.teardown(() => front.close());
  const issuer = front.origin(HOST);
  const port = await freePorts();
  front.serve(HOST, (req, res) => {
    const { method, url: path, headers } = req;
    const hop = request({ host: '127.0.0.1', port, method, path, headers }, (answer) => {
      res.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
      answer.pipe(res);
    });
    hop.on('error', () => res.destroy());
    req.pipe(hop);
  });
  const sandbox = startSandboxProcess({
    port,
    folder: newFolder(),
    env: { PROFILE: 'sandbox', ISSUER: issuer, MTLS_ORIGIN: 'https://mtls.suite.example' },
  });
  t.teardown(async () => {
    sandbox.kill('SIGINT');
    await sandbox.ended;
  });
  await sandbox.ready();

  const town = { issuer };
  const { body } = await sendJson(`${issuer}/.well-known/openid-configuration`, 'GET');
  t.is(body['issuer'], issuer);
  t.is(body['registration_endpoint'], `${issuer}/reg`);
  t.true((body['response_types_supported'] as string[]).includes('id_token token'));
  t.like(body['mtls_endpoint_aliases'], { token_endpoint: 'https://mtls.suite.example/token' });
  const client = await registerTrial(town);
  const visitor = new Visitor();
  let page = await visitor.open(requestUrl(town, client));
  for (let count = 0; count < WRONG_PASSWORDS; count += 1)
    page = await visitor.submit(page, { identifier: CITIZEN.email, password: 'falsch geraten, noch einmal' });
  t.true(page.text.includes('name="identifier"'));
  const back = await authorize(town, visitor, client, CITIZEN, { scope: 'openid profile email address phone' });
  const tokens = await redeemTrial(town, client, back.get('code'));
  t.is(tokens.status, 200, JSON.stringify(tokens.body));
  t.is((await readIdToken(town, client, tokens.body['id_token'] ?? '')).header.alg, 'RS256');
  const info = await askUserinfo(town, tokens.body['access_token'] ?? '');
  t.is(info.body['given_name'], 'Wiebke');
  t.is(info.body['email'], CITIZEN.email);
});

test('a PROFILE that does not exist is one clear line', async (t) => {
  const sandbox = startSandboxProcess({ port: await freePorts(), folder: newFolder(), env: { PROFILE: 'prod' } });
  t.not(await sandbox.ended, 0);
  t.regex(sandbox.output(), /PROFILE=prod is none that I know/);
});
