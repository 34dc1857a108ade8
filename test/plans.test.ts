/** However full the tables are, and though the statements were planned when they were empty: requests read their own rows. */
import test from 'ava';
import { CREDENTIALS, clients, openCountedTown } from './harness/counted-town.ts';
import { basic, obtainCode, pkce, post, redeem, userinfo } from './harness/relying-party.ts';
import type { RunningTown } from './harness/town.ts';
import type { Visitor } from './harness/visitor.ts';

/** Rows of others in each table. */
const OTHERS = 4_000;
const AT_ONCE = 6;

let town: RunningTown;
let visitor: Visitor;

test.before(async () => {
  [town, visitor] = await openCountedTown();
});
test.after.always(() => town?.close());

const CALLBACK = 'https://app.stadt.example/callback';

/** What a citizen and her services do: sign in with password, sign on, ask, renew. Several at once write together. */
const everything = async (): Promise<number[]> => {
  const kept = visitor.cookies.filter(({ name }) => name.includes('device'));
  visitor.cookies.splice(0, visitor.cookies.length, ...kept);
  const codes: { code: string; verifier: string }[] = [];
  for (let number = 0; number < AT_ONCE; number += 1) {
    const proof = pkce();
    const client = { client_id: 'app', redirect_uri: CALLBACK };
    const code = await obtainCode(town, visitor, 'fahrkarte', proof, number === 0 ? CREDENTIALS : undefined, client);
    codes.push({ code, verifier: proof.verifier });
  }
  const own = pkce();
  const code = await obtainCode(town, visitor, 'portal', own, undefined, { scope: 'openid email profile' });
  const token = (await redeem(town, 'portal', code, own.verifier)).body['access_token'] ?? '';
  const redeemed = await Promise.all(
    codes.map(({ code: one, verifier }) =>
      post(town, '/token', {
        grant_type: 'authorization_code',
        code: one,
        client_id: 'app',
        redirect_uri: CALLBACK,
        code_verifier: verifier,
      }),
    ),
  );
  const renewed = await Promise.all(
    redeemed.map(({ body }) =>
      post(town, '/token', {
        grant_type: 'refresh_token',
        refresh_token: body['refresh_token'] ?? '',
        client_id: 'app',
      }),
    ),
  );
  const asked = await Promise.all(Array.from({ length: AT_ONCE }, () => userinfo(town, token)));
  const introspected = await post(town, '/token/introspection', { token }, basic(town, 'portal'));
  const free = await post(town, '/token', { grant_type: 'client_credentials' }, basic(town, 'maschine'));
  return [...redeemed, ...renewed, ...asked, introspected, free].map(({ status }) => status);
};

const fill = async (): Promise<void> => {
  const id = `decode(md5(n::text) || md5('other ' || n), 'hex')`;
  const rows = `FROM generate_series(1, ${OTHERS}) AS n`;
  const end = `now() + interval '1 day'`;
  for (const text of [
    `INSERT INTO oidc_grants (id, sealed, expires_at, family) SELECT ${id}, ${id}, ${end}, 1 ${rows}`,
    `INSERT INTO oidc_sessions (uid, grants, sealed, saved_at, expires_at) SELECT ${id}, ARRAY[${id}], ${id}, now(), ${end} ${rows}`,
    `INSERT INTO oidc_session_ids (id, uid) SELECT ${id}, ${id} ${rows}`,
    `INSERT INTO oidc_lasting (id, model, grant_id, sealed, expires_at) SELECT ${id}, 'AccessToken', ${id}, ${id}, ${end} ${rows}`,
    `INSERT INTO oidc_fleeting (id, model, grant_id, sealed, expires_at) SELECT ${id}, 'AuthorizationCode', ${id}, ${id}, ${end} ${rows}`,
    `INSERT INTO fleeting_notes (id, sealed, version, expires_at) SELECT ${id}, ${id}, 1, ${end} ${rows}`,
    `INSERT INTO attempts (bucket, count, window_ends_at) SELECT ${id}, 1, ${end} ${rows}`,
  ]) {
    await town.database.pool.query(text);
  }
};

/** Rows read since the database began, by table or index. */
const rowsRead = async (): Promise<Map<string, number>> => {
  for (const client of clients) await client.query('SELECT pg_stat_force_next_flush()').catch(() => undefined);
  const { rows } = await town.database.pool.query(`
    SELECT relname AS name, seq_tup_read::int AS read FROM pg_stat_user_tables
    UNION ALL SELECT indexrelname, idx_tup_read::int FROM pg_stat_user_indexes`);
  return new Map(rows.map(({ name, read }) => [name, read]));
};

test('no statement of a sign-in, a sign-on or a token reads a table for the sake of one row', async (t) => {
  t.true((await everything()).every((status) => status === 200));
  await fill();
  const before = await rowsRead();
  t.true((await everything()).every((status) => status === 200));
  const after = await rowsRead();
  const tables = ['oidc_', 'fleeting_notes', 'attempts'];
  const many = [...after]
    .filter(([name]) => tables.some((table) => name.startsWith(table)))
    .map(([name, read]) => [name, read - (before.get(name) ?? 0)] as const);
  t.deepEqual(
    many.filter(([, read]) => read >= OTHERS),
    [],
  );
  t.true((many.find(([name]) => name === 'oidc_grants_pkey')?.[1] ?? 0) > 0, 'it is counted');
});
