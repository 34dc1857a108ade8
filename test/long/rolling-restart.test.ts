/** Two workers on one port: renewed under load, replaced after a crash, told of changes, and stopped without a loss. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import * as clients from '../../accounts/clients.ts';
import { childrenOf } from '../bench/processes.ts';
import { Wire } from '../bench/wire.ts';
import { freePort } from '../harness/free-port.ts';
import { MACHINE } from '../harness/machine.ts';
import { PRODUCTION_HOST, type Production, startProduction } from '../harness/production.ts';

const CONNECTIONS = 8;

const tokenOf = async (wire: Wire, id: string, secret: string): Promise<number> => {
  const authorization = `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`;
  const body = 'grant_type=client_credentials';
  return (await wire.send('/token', { method: 'POST', headers: { authorization }, body })).status;
};

/** Load on every connection until `done`; what went wrong, and how many requests were answered. */
const underLoad = async (
  node: Production,
  work: () => Promise<void>,
): Promise<{ answered: number; faults: string[] }> => {
  let [done, answered] = [false, 0];
  const faults: string[] = [];
  const lanes = Array.from({ length: CONNECTIONS }, async () => {
    const wire = new Wire(PRODUCTION_HOST, node.port);
    while (!done) {
      try {
        const status = await tokenOf(wire, 'maschine', node.secretOf('maschine'));
        if (status !== 200) faults.push(String(status));
        answered += 1;
        if ((await wire.send('/jwks')).status !== 200) faults.push('jwks');
      } catch (error) {
        faults.push(String(error));
      }
    }
    wire.close();
  });
  try {
    await work();
  } finally {
    done = true;
    await Promise.all(lanes);
  }
  return { answered, faults };
};

test.serial('workers are renewed under load without one failed request', async (t) => {
  const node = await startProduction([MACHINE], { WORKERS: '2' });
  try {
    const { answered, faults } = await underLoad(node, async () => {
      await new Promise((resolve) => setTimeout(resolve, 2000));
      const before = childrenOf(node.pid);
      node.signal('SIGHUP');
      await node.wrote('all workers are renewed');
      const after = childrenOf(node.pid);
      t.is(after.length, 2);
      t.false(after.some((pid) => before.includes(pid)));
      await new Promise((resolve) => setTimeout(resolve, 1000));
    });
    t.deepEqual(faults, []);
    t.true(answered > 100);
    t.log(`${answered} requests answered, none failed`);
  } finally {
    await node.stop();
  }
  t.is(await node.ended, 0);
});

test.serial('measures are those of all workers together', async (t) => {
  const measures = await freePort();
  const node = await startProduction([MACHINE], { WORKERS: '2', METRICS_PORT: String(measures) });
  try {
    await node.wrote('listening', 2);
    const wires = Array.from({ length: 8 }, () => new Wire(PRODUCTION_HOST, node.port));
    for (const wire of wires) t.is(await tokenOf(wire, 'maschine', node.secretOf('maschine')), 200);
    for (const wire of wires) wire.close();
    const text = await (await fetch(`http://127.0.0.1:${measures}/metrics`)).text();
    const value = (line: string): number => Number(new RegExp(`^${line} (\\S+)$`, 'm').exec(text)?.[1]);
    t.is(value('schluessel_token_requests_total\\{grant_type="client_credentials",outcome="success"\\}'), 8);
    t.is(value('schluessel_http_request_seconds_count\\{area="token"\\}'), 8);
    t.is(value('schluessel_ready'), 1);
    t.is(value('schluessel_database_up'), 1);
    t.true(value('schluessel_hashing_processes') >= 2);
    t.is((await fetch(`http://127.0.0.1:${measures}/`)).status, 404);
  } finally {
    await node.stop();
  }
});

test.serial('a worker that crashes is replaced, and a change reaches all of them within a second', async (t) => {
  const node = await startProduction([MACHINE], { WORKERS: '2' });
  try {
    const [first] = childrenOf(node.pid);
    process.kill(first ?? 0, 'SIGKILL');
    await node.wrote('a worker has ended by itself');
    const wires = Array.from({ length: 16 }, () => new Wire(PRODUCTION_HOST, node.port));
    const deadline = Date.now() + 20_000;
    while (childrenOf(node.pid).length < 2 && Date.now() < deadline) await new Promise((r) => setTimeout(r, 50));
    await new Promise((resolve) => setTimeout(resolve, 3000));
    const other = { ...MACHINE, clientId: 'neu' };
    const secret = clients.newClientSecret();
    await clients.apply(node.context, [{ registration: MACHINE }, { registration: other, secret }]);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    // Connections are dealt out to the workers in turn.
    const statuses = await Promise.all(wires.map((wire) => tokenOf(wire, 'neu', secret.reveal())));
    t.deepEqual(new Set(statuses), new Set([200]));
    for (const wire of wires) wire.close();
  } finally {
    await node.stop();
  }
});

test.serial(
  'what the town’s file says anew is on the pages of all workers within a second, and faults are not',
  async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'stadtschluessel-town-'));
    const file = join(folder, 'town.yaml');
    cpSync(new URL('../../infra/towns/guetersloh/', import.meta.url), folder, { recursive: true });
    const before = readFileSync(file, 'utf8');
    const [, street = ''] = /^ *address: (.+)$/m.exec(before) ?? [];
    const node = await startProduction([MACHINE], { WORKERS: '2', TOWN_FILE: file });
    const wires = Array.from({ length: 8 }, () => new Wire(PRODUCTION_HOST, node.port));
    const pages = (): Promise<string[]> =>
      Promise.all(wires.map(async (wire) => (await wire.send('/', { headers: { accept: 'text/html' } })).body));
    try {
      await node.wrote('listening', 2);
      t.true((await pages()).every((page) => !page.includes('Neue Gasse 7')));
      writeFileSync(file, before.replaceAll(street, 'Neue Gasse 7, 33330 Gütersloh'));
      const begin = performance.now();
      while (!(await pages()).every((page) => page.includes('Neue Gasse 7'))) {
        if (performance.now() - begin > 15_000) break;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      t.log(`on all pages after ${(performance.now() - begin).toFixed(0)} ms`);
      t.true((await pages()).every((page) => page.includes('Neue Gasse 7')));

      writeFileSync(file, 'name: [');
      await node.wrote('the town stays as it was', 2);
      t.true((await pages()).every((page) => page.includes('Neue Gasse 7')));
    } finally {
      for (const wire of wires) wire.close();
      await node.stop();
      rmSync(folder, { recursive: true, force: true });
    }
  },
);
