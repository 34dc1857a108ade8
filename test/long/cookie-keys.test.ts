/** Cookie keys are renewed as the handbook says, with two nodes that restart one after the other: nobody is signed out. */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { scenarios, signIn, type Target } from '../bench/scenarios.ts';
import { addCitizens, services } from '../bench/stage.ts';
import { Wire } from '../bench/wire.ts';
import { PRODUCTION_HOST, startNode, startProduction } from '../harness/production.ts';

const KEYRING = fileURLToPath(new URL('../../infra/keyring/main.ts', import.meta.url));

test('renewed cookie keys sign nobody out, on old and new nodes side by side', async (t) => {
  const registrations = services('stadt-guetersloh');
  const old = await startProduction(registrations);
  t.teardown(() => old.stop());
  const [portal] = registrations;
  if (portal === undefined) throw new Error('no service');
  const citizens = await addCitizens(old.context, portal, 2);
  const at = (port: number): Target => ({
    host: PRODUCTION_HOST,
    origin: `https://${PRODUCTION_HOST}`,
    port,
    citizens,
    secretOf: old.secretOf,
  });
  const visit = async (port: number): Promise<void> => {
    const wire = new Wire(PRODUCTION_HOST, port);
    await (await scenarios(at(port))['sso']?.(wire, 0))?.();
    wire.close();
  };
  const [citizen] = citizens;
  if (citizen === undefined) throw new Error('no citizen');
  const wire = new Wire(PRODUCTION_HOST, old.port);
  citizen.cookie = (await signIn(at(old.port), wire, citizen, 'password')).session();
  wire.close();
  const file = old.settings['KEYRING_FILE'] ?? '';
  execFileSync(process.execPath, [KEYRING, 'add', file, 'cookies']);
  const added = await startNode(old.settings);
  t.teardown(() => added.stop());
  execFileSync(process.execPath, [KEYRING, 'use', file, 'cookies']);
  const used = await startNode(old.settings);
  t.teardown(() => used.stop());
  for (const { port } of [old, added, used]) await t.notThrowsAsync(visit(port), `a session from before at ${port}`);

  // A session of the new key is good on the node that has it only to check with.
  const fresh = new Wire(PRODUCTION_HOST, used.port);
  citizen.cookie = (await signIn(at(used.port), fresh, citizen, 'password')).session();
  fresh.close();
  for (const { port } of [added, used]) await t.notThrowsAsync(visit(port), `a new session at ${port}`);
});
