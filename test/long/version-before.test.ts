/**
 * An update as it happens: the version before serves a database of its own making, the new one starts beside it and
 * migrates, requests go to both in turn, the old one ends. Nobody notices.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import type { Context } from '../../accounts/context.ts';
import { connect } from '../../adapters/postgres.ts';
import { newKeyRing, parseKeyRing } from '../../keys/key-ring.ts';
import { createKeys } from '../../keys/keys.ts';
import { type Operation, scenarios, signIn } from '../bench/scenarios.ts';
import { Wire } from '../bench/wire.ts';
import { Alternating } from '../harness/alternating.ts';
import { startCluster } from '../harness/cluster.ts';
import { MIGRATIONS } from '../harness/postgres.ts';
import { PRODUCTION_HOST, startNode } from '../harness/production.ts';
import { scaled } from './scale.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
/**
 * Citizens do not sign in as often as services ask. Their sign-ins stay where they began: a browser is known by a cookie
 * (`interactions/begun-here.ts`) that the version before did not set, which nobody was to be spared.
 */
const PAUSE_MS = { password: 500, passkey: 500 } as Record<string, number>;

const git = (...args: string[]): string => execFileSync('git', ['-C', ROOT, ...args], { encoding: 'utf8' }).trim();

/** The last state that does not know the last migration; undefined where the history is not at hand. */
const commitBefore = (): string | undefined => {
  const last = readdirSync(MIGRATIONS).sort().at(-1) ?? '';
  try {
    const added = git('log', '-1', '--format=%H', '--diff-filter=A', '--', `infra/migrations/${last}`);
    return git('rev-parse', '--verify', '--quiet', `${added}^`);
  } catch {
    return undefined;
  }
};

/** The files of that state, with the packages of this one. */
const checkOut = (commit: string, folder: string): string => {
  const archive = join(folder, 'before.tar');
  const tree = join(folder, 'before');
  git('archive', `--output=${archive}`, '--prefix=before/', commit);
  execFileSync('tar', ['-xf', archive, '-C', folder]);
  symlinkSync(join(ROOT, 'node_modules'), join(tree, 'node_modules'));
  return tree;
};

test('the version before and this one serve the same citizens, while the database is migrated', async (t) => {
  const commit = commitBefore();
  if (commit === undefined) {
    t.log('without its history this clone has no version before');
    return void t.not(process.env['OPS_TOOLS'], 'all');
  }
  const folder = mkdtempSync(join(tmpdir(), 'stadtschluessel-before-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const tree = checkOut(commit, folder);
  const cluster = await startCluster();
  t.teardown(() => cluster.end());
  const text = newKeyRing();
  const ring = parseKeyRing(text);
  if ('faults' in ring) throw new Error(ring.faults.join('\n'));
  const ringFile = join(folder, 'keyring.json');
  writeFileSync(ringFile, text, { mode: 0o600 });
  const settings = {
    ISSUER: `https://${PRODUCTION_HOST}`,
    DATABASE_URL: cluster.url,
    SMTP_URL: 'smtp://127.0.0.1:9',
    // The town's own files stay as they are: the old version does not know the new one's words.
    TOWN_FILE: join(tree, 'infra/towns/guetersloh/town.yaml'),
    TRUSTED_PROXIES: '127.0.0.1/32',
    KEYRING_FILE: ringFile,
  };

  const old = await startNode(settings, { main: join(tree, 'provider/main.ts') });
  t.teardown(() => old.stop());
  const postgres = connect(cluster.url, { applicationName: 'test', max: 2 });
  t.teardown(() => postgres.close());
  const migrations = async (): Promise<string[]> => (await postgres.knex('migrations').pluck('name')).sort();
  const before = await migrations();
  // What is there is the old version's work, too.
  const { addCitizens, services } = (await import(
    join(tree, 'test/bench/stage.ts')
  )) as typeof import('../bench/stage.ts');
  const clients = (await import(join(tree, 'accounts/clients.ts'))) as typeof import('../../accounts/clients.ts');
  const ctx: Context = {
    db: postgres.knex,
    now: () => new Date(),
    keys: createKeys(ring),
    actor: { kind: 'system', part: 'test' },
  };
  const registered = services('stadt-guetersloh').map((registration) => ({
    registration,
    secret: clients.newClientSecret(),
  }));
  await clients.apply(ctx, registered);
  const [portal] = registered;
  if (portal === undefined) throw new Error('no service');
  const citizens = await addCitizens(ctx, portal.registration, 8);
  const target = {
    host: PRODUCTION_HOST,
    origin: `https://${PRODUCTION_HOST}`,
    port: old.port,
    citizens,
    secretOf: (id: string) =>
      registered.find(({ registration }) => registration.clientId === id)?.secret.reveal() ?? '',
  };
  const first = new Wire(PRODUCTION_HOST, old.port);
  // The registrations have to reach the process first.
  while ((await first.send(`/auth?client_id=portal`)).body.includes('invalid_client')) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  for (const citizen of citizens) citizen.cookie = (await signIn(target, first, citizen, 'password')).session();
  first.close();

  // Light load from here to the end; each lane keeps its sessions and tokens through all of it.
  const ports = [old.port];
  const faults: string[] = [];
  const done = new Map<string, number>();
  let over = false;
  const lane = async (name: string, operation: Operation, index: number): Promise<void> => {
    const wire = new Alternating(PRODUCTION_HOST, ports);
    const step = await operation(wire, index);
    while (!over) {
      if (PAUSE_MS[name] !== undefined) wire.stay();
      await step().then(
        () => void done.set(name, (done.get(name) ?? 0) + 1),
        (error: Error) => void faults.push(`${name}: ${error.message}`),
      );
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS[name] ?? 100));
    }
    wire.close();
  };
  const lanes = Object.entries(scenarios(target)).map(([name, operation], index) => lane(name, operation, index));
  /** Until each kind of request was answered so many times more. */
  const all = async (turns: number): Promise<void> => {
    const wanted = new Map(Object.keys(scenarios(target)).map((name) => [name, (done.get(name) ?? 0) + turns]));
    const deadline = Date.now() + 240_000;
    while ([...wanted].some(([name, count]) => (done.get(name) ?? 0) < count)) {
      if (faults.length > 0 || Date.now() > deadline) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  };
  const turns = scaled(50, 4);
  try {
    await all(2);
    const current = await startNode(settings);
    t.teardown(() => current.stop());
    const after = await migrations();
    t.true(after.length > before.length, 'the new version has migrated');
    t.log(`migrated under load: ${after.filter((name) => !before.includes(name)).join(', ')}`);
    ports.push(current.port);
    await all(turns);
    ports.shift();
    // The second one from here on has begun at the new node.
    await all(2);
    await old.stop();
    await all(2);
  } finally {
    over = true;
    await Promise.all(lanes);
  }
  t.deepEqual(faults, []);
  for (const [name, count] of done) t.true(count >= turns, `${name}: ${count}`);
  t.log(`${[...done.values()].reduce((sum, one) => sum + one, 0)} operations, ${faults.length} failed`);
});
