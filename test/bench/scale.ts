/**
 * `npm run bench:scale [-- --accounts 1000000]`: what an operation costs with 1,000 accounts in the database, and with a
 * million, each with a consent, a grant and a running session. It may not grow by more than 10 %.
 */
import { parseArgs } from 'node:util';
import pg from 'pg';
import { measure, medianSample } from './measure.ts';
import { leaveServerCore } from './processes.ts';
import { openStage } from './stage.ts';

const { values } = parseArgs({
  options: {
    accounts: { type: 'string', default: '1000000' },
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '3' },
  },
});
const SMALL = 1_000;
const ALLOWED_GROWTH = 1.1;
const BATCH = 50_000;
const SCENARIOS = ['sso', 'userinfo', 'introspection', 'refresh', 'client credentials, opaque', 'password'];

// Bytes of the length that sealed values have: nobody opens them, but pages and indexes are as full.
const FILL = `
  WITH made AS (
    SELECT i, md5('account ' || i)::uuid AS id, sha256(('grant ' || i)::bytea) AS grant_id,
      sha256(('session ' || i)::bytea) AS uid, decode(repeat(md5(i::text), 12), 'hex') AS bytes
    FROM generate_series($1::int, $2::int) AS i
  ), account AS (
    INSERT INTO accounts (id, status, language, data_key, data_key_version, kennung_index, kennung_sealed, email_index,
      email_sealed, passkey_handle, created_at)
    SELECT id, 'active', 'de', substr(bytes, 1, 61), 1, sha256(('kennung ' || i)::bytea), substr(bytes, 1, 43),
      sha256(('email ' || i)::bytea), substr(bytes, 1, 60), sha256(('handle ' || i)::bytea), now() FROM made
    RETURNING id
  ), granted AS (
    INSERT INTO oidc_grants (id, account_id, sealed, expires_at)
    SELECT grant_id, id, substr(bytes, 1, 180), now() + interval '10 hours' FROM made
  ), session AS (
    INSERT INTO oidc_sessions (uid, account_id, grants, sealed, saved_at, expires_at)
    SELECT uid, id, ARRAY[grant_id], bytes || bytes, now(), now() + interval '1 hour' FROM made RETURNING uid
  ), ids AS (
    INSERT INTO oidc_session_ids (id, uid) SELECT sha256(uid), uid FROM session
  )
  INSERT INTO consents (reference, account_id, sealed)
  SELECT sha256(('consent ' || i)::bytea), made.id, bytes FROM made JOIN account ON account.id = made.id`;

leaveServerCore();
const stage = await openStage();
const client = new pg.Client({ connectionString: stage.databaseUrl });
try {
  await client.connect();
  const fill = async (from: number, to: number): Promise<void> => {
    for (let first = from; first <= to; first += BATCH)
      await client.query(FILL, [first, Math.min(first + BATCH - 1, to)]);
    await client.query('VACUUM ANALYZE');
    await client.query('CHECKPOINT');
  };
  const costs = async (): Promise<Map<string, number>> => {
    const result = new Map<string, number>();
    for (const name of SCENARIOS) {
      const samples = [];
      for (let round = 0; round <= Number(values.rounds); round += 1) {
        const sample = await measure(stage, stage.ours, name, Number(values.seconds));
        if (round > 0) samples.push(sample);
      }
      const { serverMs, storeMs } = medianSample(samples);
      result.set(name, serverMs + storeMs);
    }
    return result;
  };
  await fill(1, SMALL);
  const small = await costs();
  const begin = performance.now();
  await fill(SMALL + 1, Number(values.accounts));
  console.log(`${values.accounts} accounts after ${((performance.now() - begin) / 1000).toFixed(0)} s`);
  const large = await costs();
  console.log('                             1,000   all    CPU ms for one operation, server and store');
  for (const name of SCENARIOS) {
    const [one, other] = [small.get(name) ?? 0, large.get(name) ?? 0];
    const verdict = other <= one * ALLOWED_GROWTH ? 'ok' : 'grows by more than 10 %';
    console.log(`${name.padEnd(28)} ${one.toFixed(2)}  ${other.toFixed(2)}  ${(other / one).toFixed(2)} ${verdict}`);
  }
} finally {
  await client.end();
  await stage.close();
}
