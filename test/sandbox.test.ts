import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import test from 'ava';
import pg from 'pg';
import { newKeyRing } from '../keys/key-ring.ts';
import { type Browser, startBrowser } from './harness/browser.ts';
import { signInToDemo as signIn } from './harness/demo-visit.ts';
import { freePorts, newFolder, type SandboxProcess, startSandboxProcess } from './harness/sandbox-process.ts';

test.serial('what cannot be understood is one clear line with the way out', async (t) => {
  const port = await freePorts();
  const folder = newFolder();
  const cases: [Record<string, string>, string[], RegExp][] = [
    [{ PORT: '65535' }, [], /PORT=65535 .* leave it out/],
    [{ PORT: 'abc' }, [], /PORT=abc .* leave it out/],
    [{ ISSUER: 'ftp://x' }, [], /ISSUER=ftp:\/\/x is not an origin/],
    [{ ISSUER: 'https://x.example/path' }, [], /is not an origin/],
    [{}, ['--frsh'], /I do not know "--frsh".*--fresh/],
    [{ SANDBOX_DIR: join(process.execPath, 'sandbox') }, [], /cannot be written.*SANDBOX_DIR/],
    [{ TOWN_FILE: '/nowhere/town.yaml' }, [], /town\.yaml:1:1: the file does not exist/],
  ];
  await Promise.all(
    cases.map(async ([env, args, expected]) => {
      const sandbox = startSandboxProcess({ port, folder, env }, ...args);
      t.is(await sandbox.ended, 1);
      t.regex(sandbox.output(), expected);
      t.notRegex(sandbox.output(), /\n\s+at /, 'no stack');
    }),
  );
});

test.serial('a port in use is one clear line with the way out', async (t) => {
  const port = await freePorts();
  const other = createServer().listen(port + 2, '127.0.0.1');
  await once(other, 'listening');
  const sandbox = startSandboxProcess({ port, folder: newFolder() });
  t.is(await sandbox.ended, 1);
  t.is(
    sandbox.output(),
    `Port ${port + 2} is in use: stop what listens there, or take other ports, for example PORT=${port + 100} npm start.\n`,
  );
  other.close();
});

test.serial('data of another Postgres, or without its key ring, is one clear line with the way out', async (t) => {
  const port = await freePorts();
  const folder = newFolder();
  mkdirSync(join(folder, 'postgres'));
  writeFileSync(join(folder, 'postgres', 'PG_VERSION'), '14\n');
  const first = startSandboxProcess({ port, folder });
  t.is(await first.ended, 1);
  t.regex(first.output(), /^The key ring .* is gone.*--fresh\.\n$/);
  writeFileSync(join(folder, 'keyring.json'), newKeyRing(), { mode: 0o600 });
  const second = startSandboxProcess({ port, folder });
  t.is(await second.ended, 1);
  t.regex(
    second.output(),
    /^The data in .* is of Postgres 14, the sandbox has Postgres \d+: start anew with npm start -- --fresh\.\n$/,
  );
});

/** Reads the table: name of a citizen → what to type. */
const citizensOf = (output: string): { identifier: string; password: string }[] =>
  [...output.matchAll(/^ {2}(\p{L}+ \p{L}+) {2,}(\S+@\S+|[A-Z]{2}-\S+) {2,}(\S[^\n]*?) {3,}\S/gmu)].map(
    ([, , identifier = '', password = '']) => ({ identifier, password }),
  );

test.serial('the sandbox runs: table, sign-in at three services, mail, restart, clean end', async (t) => {
  t.timeout(180_000);
  const port = await freePorts();
  const folder = newFolder();
  let sandbox: SandboxProcess | undefined;
  let browser: Browser | undefined;
  try {
    const startedAt = Date.now();
    sandbox = startSandboxProcess({ port, folder });
    const table = await sandbox.ready();
    t.log(`ready after ${Date.now() - startedAt} ms`);
    for (const address of [port, port + 1, port + 2, port + 3, port + 4, port + 5])
      t.true(table.includes(`http://localhost:${address}/`), table);
    const citizens = citizensOf(table);
    t.is(citizens.length, 4, table);
    const discovery = await fetch(`http://localhost:${port}/.well-known/openid-configuration`);
    t.is(((await discovery.json()) as { issuer: string }).issuer, `http://localhost:${port}`);
    t.is((await fetch(`http://localhost:${port}/healthz`)).status, 200);
    const ready = (await (await fetch(`http://localhost:${port}/readyz`)).json()) as { status: string };
    t.is(ready.status, 'ready', JSON.stringify(ready));
    for (const secret of ['keyring.json', 'secrets.json', 'provider.log'])
      t.is(statSync(join(folder, secret)).mode & 0o077, 0, secret);

    const neighbour = startSandboxProcess({ port: await freePorts(), folder });
    t.is(await neighbour.ended, 1);
    t.regex(neighbour.output(), /^A sandbox is already running .*SANDBOX_DIR.*\n$/);

    browser = await startBrowser();
    const page = await browser.newPage();
    const [citizen] = citizens;
    const portal = await signIn(page, `http://localhost:${port + 1}/`, citizen);
    const library = await signIn(page, `http://localhost:${port + 2}/`);
    const utilities = await signIn(page, `http://localhost:${port + 3}/`);
    const other = await signIn(page, `http://localhost:${port + 4}/opendata/`);
    t.is(new Set([portal, library, utilities]).size, 3, 'three organisations, three subjects');
    t.is(other, portal, 'one organisation, one subject');

    await page.goto(`http://localhost:${port + 1}/`);
    await page.locator('form[action$="logout"] button').click();
    await page.waitForURL((url) => url.port === String(port));
    await page.locator('main form button').first().click();
    await page.waitForURL((url) => url.port === String(port + 1));
    for (const service of [port + 2, port + 3]) {
      const deadline = Date.now() + 10_000;
      do await page.goto(`http://localhost:${service}/`);
      while ((await page.locator('#subject').count()) > 0 && Date.now() < deadline);
      t.is(await page.locator('#subject').count(), 0, `the service at ${service} has ended its session`);
    }

    await page.goto(`http://localhost:${port + 5}/`);
    t.is(
      await page.locator('h1').textContent(),
      (await page.locator('html').getAttribute('lang')) === 'de' ? 'Posteingang' : 'Mail inbox',
    );

    await checkpoint(folder);
    const needles = [
      'Lindenhoff',
      'Ottokar',
      'Yildizkaya',
      'wiebke.lindenhoff',
      ...citizens.map(({ identifier }) => identifier),
    ];
    t.deepEqual(findInFiles(join(folder, 'postgres'), needles), []);

    sandbox.kill('SIGTERM');
    t.is(await sandbox.ended, 0, sandbox.output());
    t.regex(sandbox.output(), /Stopping/);
    t.false(readdirSync(join(folder, 'postgres')).includes('postmaster.pid'), 'Postgres has ended cleanly');

    sandbox = startSandboxProcess({ port, folder });
    t.deepEqual(citizensOf(await sandbox.ready()), citizens, 'the same citizens after a restart');
    const fresh = await browser.newContext();
    t.is(
      await signIn(await fresh.newPage(), `http://localhost:${port + 1}/`, citizen),
      portal,
      'the same subject after a restart',
    );
    sandbox.kill('SIGINT');
    t.is(await sandbox.ended, 0, sandbox.output());
  } finally {
    await browser?.close();
    sandbox?.kill('SIGTERM');
    await sandbox?.ended;
  }
});

/** Brings everything to disk. */
const checkpoint = async (folder: string): Promise<void> => {
  const { databasePassword } = JSON.parse(readFileSync(join(folder, 'secrets.json'), 'utf8'));
  const port = Number(readFileSync(join(folder, 'postgres', 'postmaster.pid'), 'utf8').split('\n')[3]);
  const client = new pg.Client({
    host: '127.0.0.1',
    port,
    user: 'stadtschluessel',
    password: databasePassword,
    database: 'stadtschluessel',
  });
  await client.connect();
  await client.query('CHECKPOINT');
  await client.end();
};

const findInFiles = (folder: string, needles: readonly string[]): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .flatMap((entry) => {
      const path = join(entry.parentPath, entry.name);
      const bytes = readFileSync(path).toString('latin1').toLowerCase();
      return needles.filter((needle) => bytes.includes(needle.toLowerCase())).map((needle) => `${path}: ${needle}`);
    });
