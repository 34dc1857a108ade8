import { randomInt } from 'node:crypto';
import test from 'ava';
import * as audit from '../../accounts/audit.ts';
import * as chain from '../../accounts/audit-chain.ts';
import { newAccountId } from '../../accounts/ids.ts';
import { openDomain } from '../harness/domain.ts';

const SCALE = Number(process.env['LONG_SCALE'] ?? 1);
const MANIPULATIONS = Math.max(20, Math.round(1000 * SCALE));
const ROWS = 120;

test('a superuser tampers with checkpointed rows: every manipulation is found', async (t) => {
  const { ctx, database } = await openDomain();
  t.teardown(database.drop);
  for (let index = 0; index < ROWS; index += 1) {
    const detail = { recovery: `R-${index}`, evidence: 'passport', reason: 'other', ticket: `T-${index}` };
    await audit.record(ctx, 'recovery-opened', { account: newAccountId(), detail });
  }
  const checkpoint = chain.checkpoint(ctx, await chain.advance(ctx));
  const client = await database.pool.connect();
  t.teardown(() => client.release(true));
  // Triggers are out of the superuser's way.
  await client.query('SET session_replication_role = replica');
  await client.query('CREATE TABLE kept_audit AS TABLE audit; CREATE TABLE kept_chain AS TABLE audit_chain');

  const one = (): number => randomInt(1, ROWS + 1);
  const kinds: Record<string, () => string> = {
    event: () => `UPDATE audit SET event = 'recovery-viewed' WHERE seq = ${one()}`,
    actor: () => `UPDATE audit SET actor = '{"kind":"staff","staff":"somebody"}' WHERE seq = ${one()}`,
    account: () => `UPDATE audit SET account_id = gen_random_uuid() WHERE seq = ${one()}`,
    'no account': () => `UPDATE audit SET account_id = NULL WHERE seq = ${one()}`,
    detail: () => `UPDATE audit SET detail = jsonb_set(detail, '{ticket}', '"other"') WHERE seq = ${one()}`,
    'a detail less': () => `UPDATE audit SET detail = detail - 'reason' WHERE seq = ${one()}`,
    time: () => `UPDATE audit SET at = at + interval '${randomInt(1, 1_000_000)} microseconds' WHERE seq = ${one()}`,
    deleted: () => `DELETE FROM audit WHERE seq = ${one()}`,
    'deleted with its link': () => {
      const seq = one();
      return `DELETE FROM audit WHERE seq = ${seq}; DELETE FROM audit_chain WHERE seq = ${seq}`;
    },
    truncated: () => {
      const seq = one();
      return `DELETE FROM audit WHERE seq >= ${seq}; DELETE FROM audit_chain WHERE seq >= ${seq}`;
    },
    'swapped contents': () => {
      const [first, second] = [one(), one()];
      const other = first === second ? (second % ROWS) + 1 : second;
      return `UPDATE audit a SET detail = b.detail FROM audit b WHERE (a.seq, b.seq) IN ((${first}, ${other}), (${other}, ${first}))`;
    },
    'swapped links': () => {
      const first = randomInt(1, ROWS);
      return `UPDATE audit_chain SET seq = -1 WHERE seq = ${first}; UPDATE audit_chain SET seq = ${first} WHERE seq = ${first + 1};
        UPDATE audit_chain SET seq = ${first + 1} WHERE seq = -1`;
    },
    inserted: () => "INSERT INTO audit (at, event, actor) VALUES (now(), 'recovery-approved', '{}')",
    'rewritten with a new chain': () =>
      `UPDATE audit SET detail = '{}' WHERE seq = ${one()}; DELETE FROM audit_chain; INSERT INTO audit_pending (seq) SELECT seq FROM audit`,
    'emptied with a new chain': () => 'DELETE FROM audit; DELETE FROM audit_chain',
    'an old age': () =>
      `UPDATE audit_chain SET at = '2001-01-01' WHERE seq = ${one()}; DELETE FROM audit WHERE seq = 1`,
  };
  const names = Object.keys(kinds);
  let found = 0;
  for (let index = 0; index < MANIPULATIONS; index += 1) {
    const name = names[index % names.length] ?? '';
    const sql = kinds[name]?.() ?? '';
    await client.query(sql);
    await chain.advance(ctx);
    const { faults } = await chain.verify(ctx, [checkpoint]);
    if (faults.length > 0) found += 1;
    else t.fail(`not found: ${name}: ${sql}`);
    await client.query(
      `DELETE FROM audit; DELETE FROM audit_chain; DELETE FROM audit_pending;
       INSERT INTO audit OVERRIDING SYSTEM VALUE SELECT * FROM kept_audit; INSERT INTO audit_chain SELECT * FROM kept_chain`,
    );
  }
  t.is(found, MANIPULATIONS);
  t.deepEqual((await chain.verify(ctx, [checkpoint])).faults, [], 'and untouched, nothing is found');
  t.log(`${found} of ${MANIPULATIONS} manipulations found`);
});
