import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { newKeyRing } from '../keys/key-ring.ts';
import { freePort } from './harness/free-port.ts';
import { type TestDatabase, testDatabase } from './harness/postgres.ts';

const MAIN = fileURLToPath(new URL('../provider/main.ts', import.meta.url));
const TOWN = fileURLToPath(new URL('../infra/towns/guetersloh/town.yaml', import.meta.url));
const ISSUER = 'https://login.stadt.example';

let folder: string;
let database: TestDatabase;

test.before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'serve-'));
  database = await testDatabase();
});

test.after.always(async () => {
  await database?.drop();
  rmSync(folder, { recursive: true, force: true });
});

const start = (
  env: Record<string, string>,
): { child: ChildProcess; said: () => string; ended: Promise<number | null> } => {
  const child = spawn(process.execPath, [MAIN], { env: { PATH: process.env['PATH'] ?? '', ...env } });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (said += String(chunk)));
  return { child, said: () => said, ended: new Promise((resolve) => child.once('close', (code) => resolve(code))) };
};

const ask = (port: number, path: string, host: string): Promise<{ status: number; text: string }> =>
  new Promise((resolve, reject) => {
    request(
      { port, host: '127.0.0.1', path, headers: { host, 'x-forwarded-proto': 'http' } },
      (res: IncomingMessage) => {
        let text = '';
        res.on('data', (chunk) => (text += String(chunk)));
        res.on('end', () => resolve({ status: res.statusCode ?? 0, text }));
      },
    )
      .once('error', reject)
      .end();
  });

test('production does not start on missing or unsafe values, and names all of them at once', async (t) => {
  const open = join(folder, 'open-ring.json');
  writeFileSync(open, newKeyRing(), { mode: 0o644 });
  const { said, ended } = start({ ISSUER: 'http://localhost:3000', KEYRING_FILE: open, PROFILE: 'sandbox' });
  t.not(await ended, 0);
  for (const name of ['ISSUER', 'DATABASE_URL', 'SMTP_URL', 'TOWN_FILE', 'TRUSTED_PROXIES', 'KEYRING_FILE']) {
    t.regex(said(), new RegExp(`^  - ${name}`, 'm'));
  }
  t.notRegex(said(), /^\s+at /m, 'no stack trace');
});

test('production serves behind a proxy, knows nothing of the sandbox, and ends on SIGTERM', async (t) => {
  const ring = join(folder, 'ring.json');
  writeFileSync(ring, newKeyRing(), { mode: 0o600 });
  const port = await freePort();
  const { child, said, ended } = start({
    ISSUER,
    PORT: String(port),
    DATABASE_URL: database.url,
    SMTP_URL: 'smtp://127.0.0.1:1',
    TOWN_FILE: TOWN,
    TRUSTED_PROXIES: '127.0.0.1/32',
    KEYRING_FILE: ring,
  });
  const deadline = Date.now() + 30_000;
  while (!said().includes('listening') && child.exitCode === null && Date.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  t.true(said().includes('listening'), said());
  const host = new URL(ISSUER).host;
  const discovery = JSON.parse((await ask(port, '/.well-known/openid-configuration', host)).text) as Record<
    string,
    unknown
  >;
  t.is(discovery['issuer'], ISSUER);
  t.is(discovery['token_endpoint'], `${ISSUER}/token`);
  t.is(discovery['registration_endpoint'], undefined, 'nobody registers clients by themselves');
  t.false((discovery['id_token_signing_alg_values_supported'] as string[]).includes('RS256'));
  t.is((await ask(port, '/reg', host)).status, 404);
  t.is((await ask(port, '/', 'angreifer.example')).status, 421);
  const page = await ask(port, '/', host);
  t.is(page.status, 200);
  t.notRegex(page.text, /Testumgebung/);
  child.kill('SIGTERM');
  t.is(await ended, 0, said());
});

test('production does not start with another key ring than the database was begun with', async (t) => {
  const own = await testDatabase();
  t.teardown(own.drop);
  const settings = (ring: string): Record<string, string> => ({
    ISSUER,
    DATABASE_URL: own.url,
    SMTP_URL: 'smtp://127.0.0.1:1',
    TOWN_FILE: TOWN,
    TRUSTED_PROXIES: '127.0.0.1/32',
    KEYRING_FILE: ring,
  });
  const rings = ['erster', 'zweiter'].map((name) => {
    const ring = join(folder, `${name}.json`);
    writeFileSync(ring, newKeyRing(), { mode: 0o600 });
    return ring;
  });
  const [first = '', second = ''] = rings;
  const begun = start({ ...settings(first), PORT: String(await freePort()) });
  for (const end = Date.now() + 30_000; !begun.said().includes('listening') && Date.now() < end; ) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  begun.child.kill('SIGTERM');
  t.is(await begun.ended, 0, begun.said());
  const refused = start({ ...settings(second), PORT: String(await freePort()) });
  t.is(await refused.ended, 1);
  t.regex(refused.said(), /KEYRING_FILE: its pseudonym key is not the one/);
  t.regex(refused.said(), /KEYRING_FILE: its index key is not the one/);
  t.notRegex(refused.said(), /^\s+at /m);

  // What may be renewed is no reason to refuse.
  const renewed = JSON.parse(readFileSync(first, 'utf8'));
  renewed.cookies = JSON.parse(readFileSync(second, 'utf8')).cookies;
  writeFileSync(first, JSON.stringify(renewed), { mode: 0o600 });
  const again = start({ ...settings(first), PORT: String(await freePort()) });
  for (const end = Date.now() + 30_000; !again.said().includes('listening') && Date.now() < end; ) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  t.true(again.said().includes('listening'), again.said());
  again.child.kill('SIGTERM');
  t.is(await again.ended, 0);
});
