import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import test, { type ExecutionContext } from 'ava';
import { startFront } from './harness/front.ts';
import { freePorts, newFolder, startSandboxProcess } from './harness/sandbox-process.ts';
import {
  askUserinfo,
  readIdToken,
  redeemTrial,
  registerTrial,
  requestUrl,
  returned,
  sendJson,
} from './harness/trial-client.ts';
import { type Answer, forms, Visitor } from './harness/visitor.ts';

const HOST = 'op.suite.example';
const CITIZEN = { email: 'wiebke.lindenhoff@example.org', password: 'kornblumen am wegrand' };
/** More than a citizen could mistype before having to wait. */
const WRONG_PASSWORDS = 14;

type Task = { task: string; match: string; commands: string[][] };
const SUITE = JSON.parse(readFileSync('docs/oidf-suite.json', 'utf8')) as {
  server: { discoveryUrl: string };
  browser: { match: string; tasks: Task[] }[];
};

const matches = (pattern: string, address: string): boolean =>
  new RegExp(`^${pattern.replaceAll(/[.?+^$()|[\]\\{}]/g, '\\$&').replaceAll('*', '.*')}$`).test(address);

/** What the suite's browser does by the configuration in docs: fills fields by name, clicks the button of a form. */
const follow = async (t: ExecutionContext, issuer: string, visitor: Visitor, start: URL): Promise<Answer> => {
  const home = (to: URL): boolean => to.origin === issuer;
  const here = (pattern: string): string => pattern.replace(new URL(SUITE.server.discoveryUrl).origin, issuer);
  const way = SUITE.browser.find(({ match }) => matches(here(match), start.href));
  let page = await visitor.open(start, home);
  for (const { task, match, commands } of way?.tasks ?? []) {
    if (typeof page.headers['location'] === 'string' || !matches(here(match), page.url.href)) continue;
    const fields: Record<string, string> = {};
    for (const [what = '', , target = '', value = ''] of commands) {
      if (what === 'text' && page.text.includes(`name="${target}"`)) fields[target] = value;
      if (what === 'wait') t.regex(page.text, /<h1/, task);
      const [, path = ''] = what === 'click' ? (/@action,'\/([^']+)'/.exec(target) ?? []) : [];
      if (path !== '' && forms(page).some(({ action }) => action.pathname.endsWith(`/${path}`)))
        page = await visitor.submitTo(page, path, fields, home);
    }
  }
  return page;
};

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
  const asked = requestUrl(town, client, { scope: 'openid profile email address phone' });
  const back = returned(await follow(t, issuer, visitor, asked));
  const tokens = await redeemTrial(town, client, back.get('code'));
  t.is(tokens.status, 200, JSON.stringify(tokens.body));
  t.is((await readIdToken(town, client, tokens.body['id_token'] ?? '')).header.alg, 'RS256');
  const info = await askUserinfo(town, tokens.body['access_token'] ?? '');
  t.is(info.body['given_name'], 'Wiebke');
  t.is(info.body['email'], CITIZEN.email);
  const end = await follow(t, issuer, visitor, new URL('/session/end', issuer));
  t.is(end.url.pathname, '/session/end/success');
});

test('a PROFILE that does not exist is one clear line', async (t) => {
  const sandbox = startSandboxProcess({ port: await freePorts(), folder: newFolder(), env: { PROFILE: 'prod' } });
  t.not(await sandbox.ended, 0);
  t.regex(sandbox.output(), /PROFILE=prod is none that I know/);
});
