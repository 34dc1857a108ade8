/** Several requests' writes in one statement: each gets what it would have got alone, and nobody waits for a stranger. */
import { randomUUID } from 'node:crypto';
import test, { type ExecutionContext } from 'ava';
import { errors } from 'oidc-provider';
import pg from 'pg';
import type { OidcStore } from '../adapters/oidc-store.ts';
import { createPostgresStore } from '../adapters/oidc-store-postgres.ts';
import { type TestDatabase, testDatabase } from './harness/postgres.ts';
import { testKeys } from './harness/postgres-store.ts';
import { newGrant, newSession, payloadOf, TTL, token } from './harness/store.ts';

type Opened = {
  readonly store: OidcStore;
  /** Another node on the same data. */
  readonly other: OidcStore;
  readonly database: TestDatabase;
  /** Names of the statements that were sent. */
  readonly sent: string[];
};

const withStore = (title: string, work: (t: ExecutionContext, opened: Opened) => Promise<void>): void =>
  test(title, async (t) => {
    const database = await testDatabase({ max: 16 });
    const sent: string[] = [];
    class SeenClient extends pg.Client {
      override query = ((...args: Parameters<pg.Client['query']>) => {
        sent.push(String((args[0] as { name?: string }).name));
        return super.query(...args);
      }) as pg.Client['query'];
    }
    const pool = new pg.Pool({ connectionString: database.url, max: 16, Client: SeenClient });
    const beside = new pg.Pool({ connectionString: database.url, max: 16 });
    const keys = testKeys();
    try {
      await work(t, {
        store: createPostgresStore({ pool, keys }),
        other: createPostgresStore({ pool: beside, keys }),
        database,
        sent,
      });
    } finally {
      await pool.end();
      await beside.end();
      await database.drop();
    }
  });

const joint = (sent: readonly string[]): number => sent.filter((name) => name.startsWith('oidc_joint')).length;

/** A grant with something to spend. */
const prepare = async (store: OidcStore, model: 'AuthorizationCode' | 'RefreshToken') => {
  const grant = await newGrant(store);
  const id = token();
  const stored = payloadOf(model, id, { grantId: grant.jti });
  await store.inRequest(() => store.adapterFor(model).upsert(id, stored, TTL));
  return { grantId: grant.jti, id };
};
type Prepared = Awaited<ReturnType<typeof prepare>>;

/** What a request does that spends it: reads, spends, stores an access token. Gives the token. */
const spend = (store: OidcStore, model: 'AuthorizationCode' | 'RefreshToken', { grantId, id }: Prepared) =>
  store.inRequest(async () => {
    const adapter = store.adapterFor(model);
    await adapter.find(id);
    await adapter.consume(id);
    const next = token();
    if (model === 'RefreshToken') {
      const rotated = token();
      await adapter.upsert(rotated, payloadOf(model, rotated, { grantId }), TTL);
    }
    await store.adapterFor('AccessToken').upsert(next, payloadOf('AccessToken', next, { grantId }), TTL);
    await store.flush();
    return next;
  });

const settled = async <T>(works: readonly Promise<T>[]): Promise<{ won: T[]; lost: unknown[] }> => {
  const results = await Promise.allSettled(works);
  return {
    won: results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : [])),
    lost: results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : [])),
  };
};

for (const model of ['AuthorizationCode', 'RefreshToken'] as const) {
  withStore(`${model}: forty are spent in a few statements, each once`, async (t, { store, sent }) => {
    const all = await Promise.all(Array.from({ length: 40 }, () => prepare(store, model)));
    sent.length = 0;
    const { won, lost } = await settled(all.map((one) => spend(store, model, one)));
    t.deepEqual(lost, []);
    t.true(joint(sent) > 0 && sent.length < 40, sent.join('\n'));
    for (const id of won) t.is((await store.adapterFor('AccessToken').find(id))?.jti, id);
    const again = await settled(all.map((one) => spend(store, model, one)));
    t.is(again.won.length, 0);
    for (const reason of again.lost) t.true(reason instanceof errors.InvalidGrant, String(reason));
  });

  withStore(`${model}: one that comes twice in a turn, or to two nodes, has one winner`, async (t, opened) => {
    const { store, other } = opened;
    const all = await Promise.all(Array.from({ length: 12 }, () => prepare(store, model)));
    const tries = all.flatMap((one) => [store, store, other, other].map((node) => spend(node, model, one)));
    const { won, lost } = await settled(tries);
    t.is(won.length, all.length);
    for (const reason of lost) t.true(reason instanceof errors.InvalidGrant, String(reason));
    const { rows } = await opened.database.pool.query(
      `SELECT count(*)::int AS n FROM oidc_lasting WHERE model = 'AccessToken'`,
    );
    t.is(rows[0].n, all.length, 'losers have stored nothing');
  });
}

withStore('what has been revoked is refused, and nothing else with it', async (t, { store }) => {
  const all = await Promise.all(Array.from({ length: 20 }, () => prepare(store, 'RefreshToken')));
  // Read first, as a request does that is under way when the grant ends.
  const works = all.map((one, index) =>
    store.inRequest(async () => {
      const adapter = store.adapterFor('RefreshToken');
      await adapter.find(one.id);
      if (index % 5 === 0) await store.adapterFor('Grant').destroy(one.grantId);
      await adapter.consume(one.id);
      const next = token();
      await store.adapterFor('AccessToken').upsert(next, payloadOf('AccessToken', next, { grantId: one.grantId }), TTL);
      return next;
    }),
  );
  const { won, lost } = await settled(works);
  t.is(won.length, 16);
  t.is(lost.length, 4);
  for (const reason of lost) t.true(reason instanceof errors.InvalidGrant, String(reason));
});

withStore('a code is not stored for a session that has ended', async (t, { store, sent }) => {
  const all = await Promise.all(
    Array.from({ length: 8 }, async (_, index) => {
      const account = randomUUID();
      const [grant, session] = [await newGrant(store, account), await newSession(store, { accountId: account })];
      return { account, grantId: grant.jti, session, ends: index % 4 === 0 };
    }),
  );
  sent.length = 0;
  const works = all.map(({ account, grantId, session, ends }) =>
    store.inRequest(async () => {
      await store.adapterFor('Session').find(session.jti);
      if (ends) await store.endSessions(account);
      const id = token();
      const stored = payloadOf('AuthorizationCode', id, { grantId, sessionUid: session.uid, expiresWithSession: true });
      await store.adapterFor('AuthorizationCode').upsert(id, stored, TTL);
      return id;
    }),
  );
  const { won, lost } = await settled(works);
  t.is(won.length, 6);
  t.is(lost.length, 2);
  for (const reason of lost) t.true(reason instanceof errors.LoginRequired, String(reason));
  t.true(joint(sent) > 0, sent.join('\n'));
  for (const id of won) t.is((await store.adapterFor('AuthorizationCode').find(id))?.jti, id);
});

withStore('whoever’s grant is being changed waits; the others do not', async (t, { store, database }) => {
  const all = await Promise.all(Array.from({ length: 10 }, () => prepare(store, 'RefreshToken')));
  const [held, ...free] = all;
  if (held === undefined) throw new Error('nothing was prepared');
  const { rows } = await database.pool.query('SELECT id FROM oidc_grants');
  const client = await database.pool.connect();
  try {
    // Any one of the grants: whose it is shows by who waits.
    await client.query('BEGIN');
    await client.query('SELECT 1 FROM oidc_grants WHERE id = $1 FOR UPDATE', [rows[0].id]);
    let done = 0;
    const works = [held, ...free].map((one) => spend(store, 'RefreshToken', one).then(() => (done += 1)));
    const all = Promise.all(works);
    const deadline = Date.now() + 2_000;
    while (done < 9 && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 10));
    t.is(done, 9);
    await client.query('ROLLBACK');
    await all;
    t.is(done, 10);
  } finally {
    client.release();
  }
});

withStore('revocations in the midst of it: every request is done or refused, none fails', async (t, opened) => {
  const { store, other } = opened;
  for (let round = 0; round < 5; round += 1) {
    const all = await Promise.all(Array.from({ length: 24 }, () => prepare(store, 'RefreshToken')));
    const works = all.flatMap((one, index) => [
      spend(index % 2 === 0 ? store : other, 'RefreshToken', one),
      ...(index % 3 === 0
        ? [other.inRequest(() => other.adapterFor('RefreshToken').revokeByGrantId(one.grantId)).then(() => '')]
        : []),
      ...(index % 4 === 0
        ? [
            store
              .adapterFor('Grant')
              .destroy(one.grantId)
              .then(() => ''),
          ]
        : []),
    ]);
    const { lost } = await settled(works);
    for (const reason of lost) t.true(reason instanceof errors.InvalidGrant, String(reason));
    const ended = all.filter((_, index) => index % 4 === 0).map(({ grantId }) => grantId);
    for (const id of ended) t.is(await store.adapterFor('Grant').find(id), undefined);
  }
});
