/** `account find` among a million accounts: by an index, and in under 100 ms. LONG_SCALE shrinks the million. */
import test from 'ava';
import * as accounts from '../../accounts/accounts.ts';
import { emailIndex } from '../../accounts/email.ts';
import { AdminClient } from '../harness/admin-client.ts';
import { emailOf } from '../harness/domain.ts';
import { makeMember } from '../harness/staff.ts';
import { type RunningTown, startTown } from '../harness/town.ts';
import { scaled } from './scale.ts';

const ACCOUNTS = scaled(1_000_000, 100_000);
const FINDS = 50;
let town: RunningTown;

test.before(async () => {
  town = await startTown();
});
test.after.always(() => town?.close());

/** Rows like those of real accounts in size and in the randomness of their keys; nobody opens them. */
const fill = async (): Promise<void> => {
  const { rows: columns } = await town.database.pool.query<{ column_name: string }>(
    `SELECT column_name FROM information_schema.columns
     WHERE table_name = 'accounts' AND is_nullable = 'NO' AND column_default IS NULL`,
  );
  const values: Record<string, string> = {
    id: 'gen_random_uuid()',
    status: "'active'",
    language: "'de'",
    kennung_index: "decode(md5(n::text) || md5('k' || n), 'hex')",
    kennung_sealed: "decode(repeat(md5(n::text), 3), 'hex')",
    email_index: "decode(md5('e' || n) || md5('f' || n), 'hex')",
    email_sealed: "decode(repeat(md5('e' || n), 4), 'hex')",
    data_key: "decode(repeat(md5('d' || n), 4), 'hex')",
    data_key_version: '1',
    passkey_handle: "decode(md5('h' || n) || md5('i' || n), 'hex')",
    credential_state: '0',
    created_at: 'now()',
    used_month: "date_trunc('month', now())",
  };
  const names = [...new Set([...columns.map(({ column_name }) => column_name), 'email_index', 'email_sealed'])];
  const missing = names.filter((name) => values[name] === undefined);
  if (missing.length > 0) throw new Error(`new columns of accounts: ${missing.join(', ')}`);
  await town.database.pool.query(
    `INSERT INTO accounts (${names.join(', ')}) SELECT ${names.map((name) => values[name]).join(', ')}
     FROM generate_series(1, ${ACCOUNTS}) n`,
  );
  await town.database.pool.query('ANALYZE accounts');
};

test.serial(`an account among ${ACCOUNTS} is found in under 100 ms, by an index`, async (t) => {
  t.timeout(20 * 60_000);
  const wanted: { email: string; kennung: string; pseudonym: string }[] = [];
  for (let count = 0; count < FINDS; count += 1) {
    const email = `gesucht-${count}@buerger.example`;
    const registered = await accounts.register(town.context(), {
      town: { id: 'teststadt' },
      language: 'de',
      email: emailOf(email),
      credential: { kind: 'password', hash: { hash: '$argon2id$v=19$m=8,t=1,p=1$c2FsdA$aGFzaA', pepperVersion: 1 } },
    });
    if (registered.outcome !== 'registered') throw new Error(registered.outcome);
    wanted.push({ email, kennung: registered.kennung, pseudonym: town.keys.subject('werke', registered.account) });
  }
  await fill();
  const { db } = town.context();
  const index = emailIndex(town.keys, emailOf('gesucht-1@buerger.example'));
  const { rows: plan } = await db.raw('EXPLAIN SELECT id FROM accounts WHERE email_index = ?', [index]);
  t.regex(JSON.stringify(plan), /Index (?:Only )?Scan using accounts_email_index_key/);

  const chief = await makeMember(town.context(), ['chief']);
  const times: number[] = [];
  for (const by of ['email', 'kennung', 'pseudonym'] as const) {
    // A clerk may search sixty times in ten minutes.
    const clerk = await makeMember(town.context(), ['clerk'], { by: chief.id });
    const client = await AdminClient.of(town, clerk.account);
    await client.call('account find', { [by]: wanted[0]?.[by] });
    for (const one of wanted) {
      const began = performance.now();
      const { status, body } = await client.call('account find', { [by]: one[by] });
      times.push(performance.now() - began);
      t.is(status, 200, by);
      t.is(body['kennung'], one.kennung);
    }
  }
  times.sort((one, other) => one - other);
  const at = (share: number): number => Math.round(times[Math.floor(times.length * share)] ?? 0);
  t.log(`${ACCOUNTS} accounts, ${times.length} finds over HTTPS: median ${at(0.5)} ms, p95 ${at(0.95)} ms`);
  t.true(at(0.5) < 100);
});
