import { readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import test from 'ava';
import * as accounts from '../accounts/accounts.ts';
import * as attributes from '../accounts/attributes.ts';
import * as audit from '../accounts/audit.ts';
import * as consents from '../accounts/consents.ts';
import * as deletion from '../accounts/deletion.ts';
import { EXPORTED_OTHERWISE, EXPORTED_TABLES, exportAccount } from '../accounts/export.ts';
import * as passkeys from '../accounts/passkeys.ts';
import { emailOf, openDomain, registrationOf, TOWN } from './harness/domain.ts';

const schema = JSON.parse(readFileSync(new URL('../docs/datenexport.schema.json', import.meta.url), 'utf8'));
const valid = new Ajv({ strict: true, allErrors: true, allowUnionTypes: true }).compile(schema);
const town = { ...TOWN, organisations: [{ id: 'stadtbibliothek', name: { de: 'Stadtbibliothek' } }] };

test('the export holds everything about a citizen, in the documented form', async (t) => {
  const domain = await openDomain();
  t.teardown(domain.database.drop);
  const { ctx } = domain;
  const registered = await accounts.register(ctx, {
    town: TOWN,
    language: 'de',
    email: emailOf('erika@beispiel.example'),
    credential: { kind: 'password', hash: { hash: 'geheimer-hash', pepperVersion: 1 } },
  });
  if (registered.outcome !== 'registered') throw new Error(registered.outcome);
  const { account } = registered;
  const address = { street_address: 'Markt 1', postal_code: '33330', locality: 'Gütersloh' };
  await attributes.record(ctx, account, { given_name: 'Erika', birthdate: '1980-01-02', address }, 'counter');
  await passkeys.add(ctx, account, {
    credentialId: 'AAAA',
    publicKey: 'c2NobHVlc3NlbA',
    counter: 0,
    transports: ['internal'],
    aaguid: '00000000-0000-0000-0000-000000000000',
    backedUp: false,
  });
  const library = registrationOf();
  await consents.record(ctx, account, library, { given: ['given_name'], refused: ['age_over_16'] });
  await consents.record(ctx, account, registrationOf({ clientId: 'fort' }), { given: [], refused: [] });
  await audit.record(ctx, 'sign-in-proven', { account, detail: { method: 'password' } });
  await deletion.request(ctx, account, () => undefined);

  const find = async (clientId: string) => (clientId === 'bibliothek' ? library : undefined);
  const exported = await exportAccount(ctx, account, town, find, 'json');
  if (exported === undefined) return t.fail();
  t.true(valid(JSON.parse(JSON.stringify(exported))), JSON.stringify(valid.errors));
  t.is(exported.account.email, 'erika@beispiel.example');
  t.is(exported.account.kennung, registered.kennung);
  t.is(exported.account.deletion_due_on, '2026-12-05');
  t.deepEqual(
    exported.attributes.map(({ name, source, recorded_on }) => [name, source, recorded_on]),
    [
      ['address', 'counter', '2026-11-21'],
      ['birthdate', 'counter', '2026-11-21'],
      ['given_name', 'counter', '2026-11-21'],
    ],
  );
  const [gone, known] = exported.services; // in the order of their names
  t.is(gone?.client_id, 'fort');
  t.is(gone?.pseudonym, undefined);
  t.is(known?.pseudonym, ctx.keys.subject('stadtbibliothek', account));
  t.deepEqual(
    known?.claims.map(({ claim, given, value }) => [claim, given, value]),
    [
      ['given_name', true, 'Erika'],
      ['age_over_16', false, undefined],
    ],
  );
  t.is(exported.sign_in_means['passkeys']?.length, 1);
  t.is(exported.sign_in_means['backup_codes']?.length, 10);
  t.true(exported.activities.some(({ event }) => event === 'sign-in-proven'));
  t.true(exported.record.some(({ event }) => event === 'deletion-requested'));
  const text = JSON.stringify(exported);
  for (const secret of ['geheimer-hash', 'c2NobHVlc3NlbA', account]) t.false(text.includes(secret), secret);
  const again = await exportAccount(ctx, account, town, find, 'pdf');
  t.is(again?.record.at(-1)?.event, 'account-exported', 'on the record');
});

test('no table that hangs on an account is left out of the export', async (t) => {
  const domain = await openDomain();
  t.teardown(domain.database.drop);
  const { rows } = await domain.database.pool.query(
    `SELECT conrelid::regclass::text AS name FROM pg_constraint WHERE contype = 'f' AND confrelid = 'accounts'::regclass`,
  );
  t.true(rows.length > 5);
  const missing = rows
    .map(({ name }) => name)
    .filter((name) => !EXPORTED_TABLES.has(name) && !EXPORTED_OTHERWISE.has(name));
  t.deepEqual([...new Set(missing)], []);
});
