import { randomBytes } from 'node:crypto';
import test from 'ava';
import * as accounts from '../accounts/accounts.ts';
import * as audit from '../accounts/audit.ts';
import * as chain from '../accounts/audit-chain.ts';
import * as operation from '../accounts/operation.ts';
import { enforceRetention } from '../accounts/retention.ts';
import { migrate } from '../adapters/postgres.ts';
import { AdminClient } from './harness/admin-client.ts';
import { startBrowser } from './harness/browser.ts';
import { Citizen } from './harness/citizen.ts';
import { makeMember } from './harness/staff.ts';
import { type RunningTown, startTown } from './harness/town.ts';

const MIGRATIONS = new URL('../infra/migrations/', import.meta.url).pathname;
const role = `dienst_${randomBytes(6).toString('hex')}`;
let town: RunningTown;

test.before(async () => {
  town = await startTown({ serviceRole: role });
});
test.after.always(() => town?.close());

const asService = () => {
  const url = new URL(town.database.url);
  url.username = role;
  url.password = 'service';
  return url.href;
};

test.serial(
  'the service’s own role can neither change nor delete what is recorded, nor give itself the right',
  async (t) => {
    const { db } = town.context();
    await audit.record(town.context(), 'notices-retried', { detail: { count: 1 } });
    await chain.advance(town.context());
    for (const sql of [
      "UPDATE audit SET event = 'nothing'",
      'DELETE FROM audit',
      'TRUNCATE audit',
      "UPDATE audit_chain SET hash = '\\x00'",
      'DELETE FROM audit_chain',
      'TRUNCATE audit_chain',
      "SELECT set_config('stadtschluessel.forget_before', 'infinity', false); DELETE FROM audit",
      'ALTER TABLE audit DISABLE TRIGGER ALL',
      'DROP TRIGGER audit_refuse ON audit',
      'ALTER TABLE audit OWNER TO CURRENT_USER',
      "SET session_replication_role = 'replica'",
      'CREATE OR REPLACE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN OLD; END $$',
      'CREATE TABLE own (x integer)',
      'DELETE FROM migrations',
      'SELECT forget_audit(now())',
      "SELECT forget_audit('infinity')",
    ]) {
      const error = await t.throwsAsync(db.raw(sql), undefined, sql);
      t.true(['42501'].includes((error as { code?: string }).code ?? ''), `${sql}: ${error.message}`);
    }
    // Postgres answers a GRANT that has no effect with a warning.
    await t.throwsAsync(db.raw('GRANT DELETE ON audit TO CURRENT_USER; DELETE FROM audit'));
    t.deepEqual((await chain.verify(town.context(), [])).faults, []);
    t.false(await operation.mayChangeAudit(town.context()));
  },
);

test.serial('with it everything works: a registration, a sign-in, staff, the audit, retention', async (t) => {
  t.deepEqual(await migrate(asService(), MIGRATIONS), [], 'a node starts that has nothing to migrate');
  const browser = await startBrowser(town.front.spki);
  t.teardown(() => browser.close());
  const page = await (await browser.newContext({ locale: 'de-DE' })).newPage();
  const { portal } = town.services;
  const citizen = new Citizen(page, town, {
    email: 'erika@buerger.example',
    givenName: 'Erika',
    familyName: 'Muster',
    password: 'vier nasse Wörter im Regal',
  });
  await citizen.signInTo(portal.origin, () => portal.signIns.length === 1);

  const chief = await makeMember(town.context(), ['chief']);
  const member = await makeMember(town.context(), ['clerk', 'auditor', 'operator'], { by: chief.id });
  const client = await AdminClient.of(town, member.account);
  t.is((await client.call('account show', { email: 'erika@buerger.example' })).status, 200);
  t.deepEqual((await client.call('audit verify')).body['faults'], []);
  t.is((await client.call('letters print', { commit: true })).status, 200);

  const later = { ...town.context(), now: () => new Date(Date.now() + 3 * 365 * 24 * 3600 * 1000) };
  await t.throwsAsync(
    enforceRetention(later, {
      text: () => ({ subject: 'x', text: 'x' }),
      ending: { service: () => undefined, api: () => undefined, revoke: async () => {} },
    }),
    { message: /append-only/ },
    'a clock that runs ahead forgets nothing before its time',
  );
  t.truthy(await accounts.findByIdentifier(town.context(), 'erika@buerger.example'));
  t.is(await audit.forget(town.context(), new Date(Date.now() - 731 * 24 * 3600 * 1000)), 0);
});

test.serial('a node whose version needs a migration says who has to apply it', async (t) => {
  const [last] = await town.database.knex('migrations').orderBy('name', 'desc').limit(1).select('*');
  await town.database.knex('migrations').where({ name: last.name }).delete();
  await t.throwsAsync(migrate(asService(), MIGRATIONS), { message: /npm run migrate/ });
  await town.database.knex('migrations').insert(last);
});
