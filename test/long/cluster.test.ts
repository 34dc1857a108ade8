/** The whole cluster from Debian's packages: what breaks costs what it may. */
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
import { startBrowser } from '../harness/browser.ts';
import { signInToDemo } from '../harness/demo-visit.ts';

const missing = missingPackages();
const parent = mkdtempSync(join(tmpdir(), 'schluessel-cluster-'));
// Postgres runs as another user, who has to pass through.
chmodSync(parent, 0o711);
const folder = join(parent, 'cluster');
let cluster: Cluster | undefined;

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

test.serial('nodes and measures answer on their own addresses only', async (t) => {
  if (cluster === undefined) return void t.not(process.env['OPS_TOOLS'], 'all');
  for (const port of cluster.places.nodes) {
    const { status, body } = await ask(port, '/readyz');
    t.is(status, 200, body);
  }
  for (const port of cluster.places.metrics) t.regex((await ask(port, '/metrics', 5000)).body, /^schluessel_ready 1$/m);
});

test.serial('a browser signs in at services of two organisations, through HAProxy and its TLS', async (t) => {
  if (cluster === undefined) return void t.not(process.env['OPS_TOOLS'], 'all');
  const { publicKey } = new X509Certificate(cluster.certificate);
  const spki = createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('base64');
  const browser = await startBrowser(spki);
  try {
    const page = await browser.newPage();
    const seen: { host: string; protocol: string | undefined }[] = [];
    page.on('response', async (response) => {
      const { host } = new URL(response.url());
      const security = await response.securityDetails().catch(() => null);
      if (host === new URL(cluster?.issuer ?? '').host) seen.push({ host, protocol: security?.protocol });
    });
    const [portal, other] = cluster.services.filter(
      ({ registration }, index, all) =>
        all.findIndex((one) => one.registration.organisation === registration.organisation) === index,
    );
    const [citizen] = cluster.citizens;
    if (portal === undefined || other === undefined) throw new Error('no two organisations');
    const first = await signInToDemo(page, portal.base.href, citizen);
    const second = await signInToDemo(page, other.base.href);
    t.not(first, second, 'two organisations, two subjects');
    t.true(seen.length > 3 && seen.every(({ protocol }) => protocol === 'TLS 1.3'), JSON.stringify(seen.slice(0, 3)));
  } finally {
    await browser.close();
  }
});

test.serial('what breaks under load costs what it may, and nothing that was acknowledged', async (t) => {
  if (cluster === undefined) return void t.not(process.env['OPS_TOOLS'], 'all');
  // A shared machine is slow by itself; the full rates are for `npm run cluster -- drill` on idle cores.
  const scale = Number(process.env['LONG_SCALE'] ?? 1);
  const rates = { signIns: Math.max(1, 4 * scale), tokens: Math.max(5, 40 * scale) };
  const only = scale < 0.5 ? { only: ['primary Postgres killed', 'rolling update'] } : {};
  t.true(await runDrill(cluster, { ...rates, ...only, json: undefined }));
});
