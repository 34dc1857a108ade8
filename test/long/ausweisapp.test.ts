/** The real AusweisApp (Debian package ausweisapp2) fetches our TC token over TLS and follows the redirect of its error. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { freePort } from '../harness/free-port.ts';
import { type IdentityTown, startIdentityTown } from '../harness/identity-town.ts';
import { atHome } from '../harness/relying-party.ts';
import { Visitor } from '../harness/visitor.ts';

const INSTALL = 'AusweisApp2 is missing: apt-get install --no-install-recommends ausweisapp2';

let place: IdentityTown;
let app: ChildProcess | undefined;
let client = '';
const home = mkdtempSync(join(tmpdir(), 'ausweisapp-'));

/**
 * Follows the activation link. AusweisApp says «102 Processing» with `Connection: close` and then goes on with its answer:
 * browsers take that, the HTTP client of Node does not.
 */
const activate = (tcTokenUrl: string): Promise<{ status: number; location: string }> =>
  new Promise((resolve, reject) => {
    const { port, pathname } = new URL(client);
    const socket = connect(Number(port), '127.0.0.1');
    let text = '';
    socket.setTimeout(60_000, () => socket.destroy(new Error('AusweisApp does not come to an end')));
    socket.setEncoding('latin1').on('data', (chunk: string) => {
      text += chunk;
    });
    socket.on('error', reject);
    socket.on('close', () => {
      const answer = /HTTP\/1\.[01] ([2-5]\d\d)[\s\S]*$/.exec(text);
      resolve({
        status: Number(answer?.[1] ?? 0),
        location: /^location: (.*?)\r?$/im.exec(answer?.[0] ?? '')?.[1] ?? '',
      });
    });
    const query = `tcTokenURL=${encodeURIComponent(tcTokenUrl)}`;
    socket.write(`GET ${pathname}?${query} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: close\r\n\r\n`);
  });

/** Whether it listens; it takes a few seconds without a screen. */
const answers = async (): Promise<boolean> => {
  for (let tries = 0; tries < 120; tries += 1) {
    if (app?.exitCode !== null && app?.exitCode !== undefined) return false;
    const answer = await fetch(`${client}?Status=json`).catch(() => undefined);
    if (answer?.ok === true) return true;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  return false;
};

test.before(async (t) => {
  const port = await freePort();
  client = `http://127.0.0.1:${port}/eID-Client`;
  const env = {
    ...process.env,
    QT_QPA_PLATFORM: 'offscreen',
    HOME: home,
    XDG_RUNTIME_DIR: home,
    XDG_CONFIG_HOME: home,
  };
  app = spawn('AusweisApp2', ['--no-proxy', '--ui', 'webservice', '--ui', 'automatic', '--port', String(port)], {
    env,
    stdio: 'ignore',
  });
  const missing = new Promise<string>((resolve) => void app?.once('error', () => resolve(INSTALL)));
  const up = await Promise.race([answers(), missing]);
  if (up !== true) return t.fail(typeof up === 'string' ? up : 'AusweisApp does not answer');
  place = await startIdentityTown({ host: 'localhost' });
});

test.after.always(async () => {
  app?.kill();
  await place?.close();
  rmSync(home, { recursive: true, force: true });
});

test('it takes our TC token and brings the citizen back with the error, which the page explains', async (t) => {
  const visitor = new Visitor();
  const away = await visitor.submitTo(await place.begin(visitor, 'fahrkarte'), 'eid');
  const tcTokenUrl = place.tcTokenOf(away);
  t.true(tcTokenUrl.startsWith(`${place.town.issuer}/eid/tc-token?t=`));
  const answer = await activate(tcTokenUrl);
  t.is(answer.status, 303);
  const back = answer.location;
  t.true(back.startsWith(`${place.town.issuer}/eid/`), back);
  t.is(new URL(back).searchParams.get('ResultMajor')?.replace(/^.*#/, ''), 'error');
  t.is(new URL(back).searchParams.get('ResultMinor')?.replace(/^.*#/, ''), 'trustedChannelEstablishmentFailed');
  const page = await visitor.open(back, atHome(place.town));
  t.regex(page.text, /Die Verbindung der AusweisApp ist abgebrochen/);
  // The token was given to AusweisApp, and to nobody else after it.
  t.is((await new Visitor().send(tcTokenUrl)).status, 404);
});
