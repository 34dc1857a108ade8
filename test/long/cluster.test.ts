/** The whole cluster from Debian's packages: a browser signs in through HAProxy, and what breaks costs what it may. */
import { createHash, X509Certificate } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { type Cluster, startCluster } from '../../infra/cluster/cluster.ts';
import { APP, runDrill } from '../../infra/cluster/drill.ts';
import { ask } from '../../infra/cluster/plans.ts';
import { missingPackages } from '../../infra/cluster/programs.ts';
import { de } from '../../interactions/texts/de.ts';
import { startBrowser } from '../harness/browser.ts';

const missing = missingPackages();
const parent = mkdtempSync(join(tmpdir(), 'schluessel-cluster-'));
// Postgres runs as another user, who has to pass through.
chmodSync(parent, 0o711);
const folder = join(parent, 'cluster');
let cluster: Cluster | undefined;

/** For Chromium: the public key that it must accept. */
const spkiOf = (certificate: string): string =>
  createHash('sha256')
    .update(new X509Certificate(certificate).publicKey.export({ type: 'spki', format: 'der' }))
    .digest('base64');

test.before(async (t) => {
  if (missing.length > 0) {
    t.log(`not installed here: ${missing.join(', ')}`);
    return;
  }
  const began = Date.now();
  cluster = await startCluster({
    folder,
    basePort: 23_000,
    nodes: 2,
    townFile: fileURLToPath(new URL('../../infra/towns/guetersloh/town.yaml', import.meta.url)),
    more: [APP],
  });
  t.log(`up after ${((Date.now() - began) / 1000).toFixed(0)} s`);
  t.true(Date.now() - began < 180_000);
});

test.after.always(async () => {
  await cluster?.stop();
  rmSync(parent, { recursive: true, force: true });
});

test.serial('a browser signs in through HAProxy, and a service knows the citizen', async (t) => {
  if (cluster === undefined) return void t.not(process.env['OPS_TOOLS'], 'all', missing.join(' '));
  const browser = await startBrowser(spkiOf(cluster.certificate));
  t.teardown(() => browser.close());
  const page = await (await browser.newContext({ locale: 'de-DE' })).newPage();
  const [service] = cluster.services.filter(({ registration }) => registration.clientId === 'buergerportal');
  const [citizen] = cluster.citizens;
  if (service === undefined || citizen === undefined) throw new Error('no service or no citizen');
  const login = new URL('login', service.base);
  // As the provider's start page leads there (OpenID Connect Core §4).
  login.searchParams.set('iss', cluster.issuer);
  await page.goto(login.href);
  t.true(page.url().startsWith(`${cluster.issuer}/`), page.url());
  await page.getByLabel(de.signIn.identifier, { exact: true }).fill(citizen.identifier);
  await page.getByLabel(de.signIn.password, { exact: true }).fill(citizen.password);
  await page.getByRole('button', { name: de.signIn.submit, exact: true }).click();
  await page.waitForURL((url) => url.origin === service.base.origin || url.pathname.startsWith('/interaction/'));
  const allow = page.getByRole('button', { name: de.consent.allow });
  if (!page.url().startsWith(service.base.href)) await allow.click();
  await page.waitForURL(`${service.base.href}**`);
  const [given = ''] = citizen.name.split(' ');
  t.true(((await page.locator('body').textContent()) ?? '').includes(given));
});

test.serial('nodes and measures answer on their own addresses only', async (t) => {
  if (cluster === undefined) return void t.not(process.env['OPS_TOOLS'], 'all');
  for (const port of cluster.places.nodes) {
    const { status, body } = await ask(port, '/readyz');
    t.is(status, 200, body);
  }
  for (const port of cluster.places.metrics) t.regex((await ask(port, '/metrics', 5000)).body, /^schluessel_ready 1$/m);
});

test.serial('what breaks under load costs what it may, and nothing that was acknowledged', async (t) => {
  if (cluster === undefined) return void t.not(process.env['OPS_TOOLS'], 'all');
  // A shared machine is slow by itself; the full rates are for `npm run cluster -- drill` on idle cores.
  const scale = Number(process.env['LONG_SCALE'] ?? 1);
  const rates = { signIns: Math.max(1, 4 * scale), tokens: Math.max(5, 40 * scale) };
  const only = scale < 0.5 ? { only: ['primary Postgres killed', 'rolling update'] } : {};
  t.true(await runDrill(cluster, { ...rates, ...only, json: undefined }));
});
