/** docs/integration.md, done: its three commands as they stand there, then a person at a browser. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { de } from '../../interactions/texts/de.ts';
import { startBrowser } from '../harness/browser.ts';
import { freePort } from '../harness/free-port.ts';
import { freePorts } from '../harness/sandbox-process.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const COMMANDS_MOST = 3;
const MINUTES_MOST = 5;

const commands = [...readFileSync(path.join(ROOT, 'docs/integration.md'), 'utf8').matchAll(/^\$ (.+)$/gm)].map(
  ([, command = '']) => command,
);

test('from client add to the first sign-in in the example application', async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'first-sign-in-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const town = path.join(folder, 'town', 'town.yaml');
  cpSync(path.join(ROOT, 'infra/towns/guetersloh'), path.dirname(town), { recursive: true });
  const port = await freePorts();
  const own = await freePort();
  const base = `http://localhost:${own}`;

  const running: ChildProcess[] = [];
  /** Types a command of the page; only ports, and the folder of the town, are this test's. */
  const type = (command: string, more = '') => {
    const line = `${command.replaceAll('http://localhost:8080', base).replaceAll(':3000', `:${port}`)}${more}`;
    const child = spawn('/bin/sh', ['-c', `exec ${line}`.replace(/^exec ((?:[A-Z_]+=\S+ )+)/, 'exec env $1')], {
      cwd: ROOT,
      env: {
        PATH: `${path.dirname(process.execPath)}:${process.env['PATH']}`,
        HOME: folder,
        PORT: String(port),
        SANDBOX_DIR: path.join(folder, 'sandbox'),
        TOWN_FILE: town,
        BASE: base,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
      // A group of its own: Ctrl-C at a terminal reaches npm and what it has started.
      detached: true,
    });
    running.push(child);
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        output += chunk.toString();
      });
    }
    return {
      child,
      async says(wanted: RegExp): Promise<RegExpExecArray> {
        for (;;) {
          const found = wanted.exec(output);
          if (found !== null) return found;
          if (child.exitCode !== null) throw new Error(`${line}\n${output}`);
          await Promise.race([once(child.stdout, 'data'), once(child, 'close')]);
        }
      },
    };
  };
  t.teardown(async () => {
    for (const child of running.reverse()) {
      if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) continue;
      const gone = once(child, 'exit');
      process.kill(-child.pid, 'SIGINT');
      await gone;
    }
  });

  const before = performance.now();
  t.true(commands.length <= COMMANDS_MOST, String(commands));
  const [add = '', start = '', service = ''] = commands;
  const [code] = await once(type(add, ` --town ${town}`).child, 'close');
  t.is(code, 0);
  const sandbox = type(start);
  const [, secret = ''] = await sandbox.says(/^ {2}meinportal +([A-Za-z0-9]{43})$/m);
  await sandbox.says(/--fresh starts anew/);
  await type(service.replace(/CLIENT_SECRET=\S+/, `CLIENT_SECRET=${secret}`)).says(/^open http/m);

  const browser = await startBrowser();
  t.teardown(() => browser.close());
  const page = await (await browser.newContext({ locale: 'de-DE' })).newPage();
  await page.goto(base);
  await page.locator('input[name=identifier]').fill('wiebke.lindenhoff@example.org');
  await page.locator('input[name=password]').fill('kornblumen am wegrand');
  await page.locator('input[name=password]').press('Enter');
  await page.getByRole('button', { name: 'Jetzt nicht' }).click();
  await page.getByRole('checkbox').check();
  await page.getByRole('button', { name: de.consent.allow }).click();
  await page.waitForURL(`${base}/callback*`);
  t.like(JSON.parse((await page.textContent('body')) ?? ''), { email: 'wiebke.lindenhoff@example.org' });
  const minutes = (performance.now() - before) / 60_000;
  t.log(`${commands.length} commands, ${(minutes * 60).toFixed(0)} s without the typing`);
  t.true(minutes < MINUTES_MOST);
});
