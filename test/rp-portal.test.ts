import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { ERROR_CATALOGUE } from '../interactions/entwickler/catalogue.ts';
import { EXAMPLES } from '../interactions/entwickler/examples.ts';
import { PORTAL_PATHS } from '../interactions/entwickler/portal.view.ts';
import { freePort } from './harness/free-port.ts';
import { exampleOn } from './harness/portal.ts';
import { addCitizen, atHome, basic, post } from './harness/relying-party.ts';
import { freePorts, newFolder, startSandboxProcess } from './harness/sandbox-process.ts';
import { type RunningTown, startTown } from './harness/town.ts';
import { answerPages, sendJson } from './harness/trial-client.ts';
import { forms, Visitor } from './harness/visitor.ts';

const CREDENTIALS = { email: 'anna@buerger.example', password: 'drei blaue Häuser am Fluss' };
const ROOT = fileURLToPath(new URL('..', import.meta.url));

let town: RunningTown;

test.before(async () => {
  town = await startTown();
  await addCitizen(town, CREDENTIALS.email, CREDENTIALS.password);
});

test.after.always(() => town?.close());

test('every code that our own pages and answers carry has an entry in the catalogue', (t) => {
  const found = new Set<string>();
  for (const file of globSync('{interactions,provider}/**/*.ts', { cwd: ROOT })) {
    // The staff's own API has its own codes, which no service sees.
    if (file.startsWith(path.join('provider', 'admin-api'))) continue;
    const source = readFileSync(path.join(ROOT, file), 'utf8');
    for (const [, code = ''] of source.matchAll(/status: \d{3},\s*code: '([a-z_]+)'/g)) found.add(code);
    for (const [, code = ''] of source.matchAll(/refuse\('\w+', \d{3}, '([a-z_]+)'/g)) found.add(code);
    for (const [, code = ''] of source.matchAll(/\berror: '([a-z]+_[a-z_]+)'/g)) found.add(code);
  }
  t.true(found.size > 10);
  const missing = [...found].filter((code) => !Object.hasOwn(ERROR_CATALOGUE, code));
  t.deepEqual(missing, []);
});

test('error pages and JSON errors lead to their entry', async (t) => {
  const page = await new Visitor().open(new URL('/auth?client_id=niemand', town.issuer));
  t.true(page.text.includes('href="/entwickler/fehler#invalid_client"'));
  const answer = await post(town, '/token', { grant_type: 'authorization_code', code: 'x' }, basic(town, 'portal'));
  t.is(answer.body['error_uri'], `${town.issuer}/entwickler/fehler#${answer.body['error']}`);
  const catalogue = await new Visitor().open(new URL('/entwickler/fehler', town.issuer));
  for (const code of Object.keys(ERROR_CATALOGUE)) t.true(catalogue.text.includes(`id="${code}"`), code);
});

test('the portal is there in German and English, without script', async (t) => {
  for (const [language, title] of [
    ['de', 'Für Entwicklerinnen und Entwickler'],
    ['en', 'For developers'],
  ] as const) {
    for (const address of Object.values(PORTAL_PATHS)) {
      const page = await new Visitor().open(new URL(`${address}?lang=${language}`, town.issuer));
      t.is(page.status, 200, address);
      t.true(page.text.includes(title), address);
      t.true(page.text.includes(`<html lang="${language}">`), address);
      t.notRegex(page.text, /<script/, address);
    }
  }
  const examples = await new Visitor().open(new URL('/entwickler/beispiele', town.issuer));
  for (const { id } of EXAMPLES) t.true(examples.text.includes(`id="${id}"`), id);
});

test('the five minutes are those of docs/integration.md, and the changelog is a page, not its source', async (t) => {
  const start = await new Visitor().open(new URL('/entwickler?lang=en', town.issuer));
  const commands = [...readFileSync(path.join(ROOT, 'docs/integration.md'), 'utf8').matchAll(/^\$ (.+)$/gm)];
  t.is(commands.length, 3);
  for (const [, command = ''] of commands)
    t.true(start.text.includes(command.replace(/^ISSUER=.* node/, 'node')), `${command}\n${start.text}`);
  const changes = await new Visitor().open(new URL('/entwickler/stand', town.issuer));
  t.true(changes.text.includes('<li><strong>Start.</strong> <code>npm run serve</code>'));
  t.notRegex(changes.text, /\*\*|`/);
});

test('the claims of a service are shown as they would arrive', async (t) => {
  const page = await new Visitor().open(new URL('/entwickler/angaben?dienst=portal', town.issuer));
  t.true(page.text.includes('wiebke.lindenhoff@example.org'));
  t.true(page.text.includes('Damit wir Ihren Antrag bearbeiten'));
  const none = await new Visitor().open(new URL('/entwickler/angaben?dienst=fahrkarte', town.issuer));
  t.true(none.text.includes('Dieser Dienst erfährt nur sub'));
});

test('the playground signs a test citizen in and shows each request, response and token, once', async (t) => {
  const visitor = new Visitor();
  const home = atHome(town);
  const form = await visitor.open(new URL('/entwickler/erproben', town.issuer), home);
  const first = await visitor.submit(form, { scope: 'openid email', prompt: '' }, home);
  const page = await answerPages(town, visitor, first, CREDENTIALS);
  t.is(page.status, 200);
  t.true(page.text.includes('Code einlösen'), page.text);
  for (const shown of ['code_verifier', 'access_token', '&quot;alg&quot;: &quot;RS256&quot;', CREDENTIALS.email])
    t.true(page.text.includes(shown), shown);
  t.true((await visitor.open(page.url, home)).text.includes('abgelaufen oder schon ausgewertet'));
  const refused = await new Visitor().open(new URL('/entwickler/erproben/los?prompt=none', town.issuer), home);
  t.true(refused.text.includes('error=login_required'));
});

test('the Node example of the portal runs as it stands, against the sandbox', async (t) => {
  const port = await freePorts();
  const sandbox = startSandboxProcess({ port, folder: newFolder() });
  t.teardown(async () => {
    sandbox.kill('SIGINT');
    await sandbox.ended;
  });
  await sandbox.ready();
  const issuer = `http://localhost:${port}`;
  const base = `http://localhost:${await freePort()}`;
  const registered = await fetch(`${issuer}/reg`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ redirect_uris: [`${base}/callback`], id_token_signed_response_alg: 'RS256' }),
  });
  const client = (await registered.json()) as { client_id: string; client_secret: string };
  const example = spawn(process.execPath, ['--input-type=module', '-'], {
    cwd: ROOT,
    env: { ISSUER: issuer, CLIENT_ID: client.client_id, CLIENT_SECRET: client.client_secret, BASE: base },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  t.teardown(() => example.kill());
  const examples = await fetch(`${issuer}/entwickler/beispiele`, { headers: { accept: 'text/html' } });
  example.stdin.end(exampleOn(await examples.text(), 'node'));
  await once(example.stdout, 'data');

  // The sandbox has no TLS here: a jar by hand, as plain as the example.
  const jar = new Map<string, string>();
  const go = async (url: URL, body?: URLSearchParams): Promise<{ url: URL; text: string }> => {
    const answer = await fetch(url, {
      redirect: 'manual',
      headers: { cookie: [...jar].map(([name, value]) => `${name}=${value}`).join('; '), accept: 'text/html' },
      ...(body && { method: 'POST', body }),
    });
    for (const line of answer.headers.getSetCookie()) {
      const [name = '', value = ''] = (line.split(';', 1)[0] ?? '').split('=');
      if (value === '') jar.delete(name);
      else jar.set(name, value);
    }
    const location = answer.headers.get('location');
    if (location !== null) return go(new URL(location, url));
    const text = await answer.text();
    // Node's fetch has Fetch Metadata, as browsers do: after a form it gets a page that goes on by itself.
    const next = /http-equiv="refresh" content="0;url=([^"]+)"/.exec(text)?.[1];
    return next === undefined ? { url, text } : go(new URL(next.replaceAll('&amp;', '&'), url));
  };
  const submit = (page: { url: URL; text: string }, action: string, values: Record<string, string>) => {
    const form = forms({ ...page, status: 200, headers: {} }).find((one) => one.action.pathname.endsWith(`/${action}`));
    if (form === undefined) throw new Error(`no form ${action}:\n${page.text}`);
    const untouched = form.fields.filter(([name]) => values[name] === undefined);
    return go(form.action, new URLSearchParams([...untouched, ...Object.entries(values)]));
  };
  let page = await go(new URL(base));
  page = await submit(page, 'sign-in', {
    identifier: 'wiebke.lindenhoff@example.org',
    password: 'kornblumen am wegrand',
  });
  const boxes = [...page.text.matchAll(/name="(claim\.[^"]+)"/g)].map(([, name = '']): [string, string] => [
    name,
    'yes',
  ]);
  page = await submit(page, 'consent', Object.fromEntries(boxes));
  t.true(page.text.startsWith('{'), `${page.url.href} ${page.text}`);
  t.like(JSON.parse(page.text), { email: 'wiebke.lindenhoff@example.org' });
});

test('discovery names the documentation', async (t) => {
  const { body } = await sendJson(new URL('/.well-known/openid-configuration', town.issuer), 'GET');
  t.is(body['service_documentation'], `${town.issuer}/entwickler`);
});
