/** The handbook's way to end everything after a theft of the database, as it is typed there. */
import { readFileSync } from 'node:fs';
import test from 'ava';
import { scenarios, scenarioTokens, signIn, type Target } from '../bench/scenarios.ts';
import { addCitizens, services } from '../bench/stage.ts';
import { Wire } from '../bench/wire.ts';
import { PRODUCTION_HOST, startProduction } from '../harness/production.ts';

const page = readFileSync(new URL('../../docs/handbuch/5-vorfaelle.md', import.meta.url), 'utf8');

test('one statement ends every session and every token, and citizens sign in anew', async (t) => {
  const statement = /`(TRUNCATE [^`]+)`/.exec(page)?.[1];
  if (statement === undefined) return t.fail('the handbook names none');
  const registrations = services('stadt-guetersloh');
  const node = await startProduction(registrations);
  t.teardown(() => node.stop());
  const [portal] = registrations;
  if (portal === undefined) return t.fail('no service');
  const citizens = await addCitizens(node.context, portal, 1);
  const target: Target = {
    host: PRODUCTION_HOST,
    origin: `https://${PRODUCTION_HOST}`,
    port: node.port,
    citizens,
    secretOf: node.secretOf,
  };
  const wire = new Wire(PRODUCTION_HOST, node.port);
  t.teardown(() => wire.close());
  const [citizen] = citizens;
  if (citizen === undefined) return t.fail('nobody');
  citizen.cookie = (await signIn(target, wire, citizen, 'password')).session();
  const portalTokens = await scenarioTokens(target, wire, 0, 'portal');
  const appTokens = await scenarioTokens(target, wire, 0, 'app');
  const userinfo = (): Promise<number> =>
    wire
      .send('/userinfo', { headers: { authorization: `Bearer ${portalTokens.access_token}` } })
      .then(({ status }) => status);
  t.is(await userinfo(), 200);

  await node.context.db.raw(statement);

  t.is(await userinfo(), 401);
  const body = `grant_type=refresh_token&client_id=app&refresh_token=${appTokens.refresh_token}`;
  const refreshed = await wire.send('/token', { method: 'POST', body });
  t.is(refreshed.status, 400);
  t.regex(refreshed.body, /invalid_grant/);
  await t.throwsAsync(() => scenarioTokens(target, wire, 0, 'portal'), { message: /no code: 303 .*interaction/ });
  for (const way of ['password', 'passkey']) {
    const step = await scenarios(target)[way]?.(wire, 0);
    await t.notThrowsAsync(async () => step?.());
  }
});
