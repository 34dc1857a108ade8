/** What every store must do, whatever database it is on: run by one test file for each store. */
import { randomUUID } from 'node:crypto';
import { errors } from 'oidc-provider';
import { graceOf, MARK_SECONDS, REUSE_GRACE_SECONDS } from '../adapters/oidc-store.ts';
import {
  ARTIFACTS,
  allRefused,
  newGrant,
  newSession,
  outcomes,
  pass,
  payloadOf,
  SPENDABLE,
  type StoreFixture,
  TTL,
  testsOf,
  token,
} from './harness/store.ts';

/** Declares the contract's tests for one store. */
export const declareStoreSuite = (open: () => Promise<StoreFixture>): void => {
  const withStore = testsOf(open);

  withStore('what was stored is found, and nothing of it can be read in the database', async (t, { store, dump }) => {
    const accountId = randomUUID();
    const grant = await newGrant(store, accountId);
    const ids = [grant.jti];
    for (const model of ARTIFACTS) {
      const id = token();
      const payload = payloadOf(model, id, { grantId: grant.jti, accountId, nonce: 'very-own-nonce', scope: 'openid' });
      await store.adapterFor(model).upsert(id, payload, TTL);
      t.deepEqual(await store.adapterFor(model).find(id), payload, model);
      ids.push(id);
    }
    const session = await newSession(store, {
      accountId,
      authorizations: { library: { grantId: grant.jti, sid: 'sid-1' } },
    });
    await store.fleeting.put('progress', 'sign-in-1', { secret: 'very-own-note' }, TTL);
    t.deepEqual(await store.adapterFor('Session').find(session.jti), session);
    const text = await dump();
    for (const plain of [
      ...ids,
      session.jti,
      session.uid,
      'very-own-nonce',
      'library',
      'sid-1',
      'sign-in-1',
      'very-own-note',
    ]) {
      t.false(text.includes(plain), plain);
      t.false(text.includes(Buffer.from(plain).toString('hex')), `${plain} as hex`);
    }
  });

  withStore('an id of one kind never works as another', async (t, { store }) => {
    for (const model of ARTIFACTS) {
      const id = token();
      await store.adapterFor(model).upsert(id, payloadOf(model, id), TTL);
      for (const other of [...ARTIFACTS, 'Grant', 'Session'].filter((name) => name !== model)) {
        const adapter = store.adapterFor(other);
        t.is(await adapter.find(id), undefined, `${model} as ${other}`);
        if (SPENDABLE.includes(other as never)) await t.throwsAsync(adapter.consume(id) as Promise<void>);
        if (other === 'Interaction') await t.throwsAsync(adapter.destroy(id) as Promise<void>);
        else await adapter.destroy(id);
      }
      t.truthy(await store.adapterFor(model).find(id));
    }
    t.throws(() => store.adapterFor('Client'), { instanceOf: TypeError });
  });

  withStore('one time means once: 16 parallel uses have one winner', async (t, { store }) => {
    for (const model of SPENDABLE) {
      const ids = Array.from({ length: 50 }, token);
      const adapter = store.adapterFor(model);
      await Promise.all(ids.map((id) => adapter.upsert(id, payloadOf(model, id), TTL)));
      for (const id of ids) {
        const uses = Array.from({ length: 16 }, (_, use) => {
          const consume = () => Promise.resolve(adapter.consume(id));
          return use % 2 === 0 ? consume() : store.inRequest(consume);
        });
        const { won, lost } = await outcomes(uses);
        if (won !== 1) t.fail(`${model} was used ${won} times`);
        allRefused(t, lost);
      }
    }
    const request = store.adapterFor('PushedAuthorizationRequest');
    await t.throwsAsync(request.consume('no such id') as Promise<void>, { instanceOf: errors.InvalidRequestUri });
    const code = store.adapterFor('AuthorizationCode');
    await t.throwsAsync(code.consume('no such id') as Promise<void>, { instanceOf: errors.InvalidGrant });
  });

  withStore('a spent artifact is flagged, but not while it may be a double click', async (t, { store, clock }) => {
    for (const model of SPENDABLE) {
      const adapter = store.adapterFor(model);
      const id = token();
      await adapter.upsert(id, payloadOf(model, id), TTL);
      await adapter.consume(id);
      const atOnce = graceOf(model) === 0;
      t.is((await adapter.find(id))?.consumed !== undefined, atOnce, `${model} at once`);
      pass(clock, REUSE_GRACE_SECONDS - 1);
      t.is((await adapter.find(id))?.consumed !== undefined, atOnce, `${model} within the grace`);
      pass(clock, 1);
      t.is(typeof (await adapter.find(id))?.consumed, 'number', `${model} after it`);
      await t.throwsAsync(adapter.consume(id) as Promise<void>, { instanceOf: errors.OIDCProviderError });
    }
  });

  withStore(
    'a replay is recognised in the hours between the end of a token and that of its row',
    async (t, { store, clock }) => {
      const adapter = store.adapterFor('RefreshToken');
      const id = token();
      const month = 30 * 24 * 3600;
      const exp = Math.floor(clock.now.getTime() / 1000) + month;
      await adapter.upsert(id, payloadOf('RefreshToken', id, { exp }), month);
      await adapter.consume(id);
      pass(clock, month + 1);
      const found = await adapter.find(id);
      t.is(typeof found?.consumed, 'number');
      // Ended, it would be refused as too old before anybody looks at its use.
      t.true((found?.exp ?? 0) > clock.now.getTime() / 1000);
    },
  );

  withStore('everything ends when its time is over', async (t, { store, clock }) => {
    const finds: [string, () => Promise<unknown>][] = [];
    for (const model of ARTIFACTS) {
      const id = token();
      await store.adapterFor(model).upsert(id, payloadOf(model, id, { userCode: `code ${id}` }), TTL);
      finds.push([model, () => Promise.resolve(store.adapterFor(model).find(id))]);
      if (model !== 'DeviceCode') continue;
      finds.push(['user code', () => Promise.resolve(store.adapterFor(model).findByUserCode(`code ${id}`))]);
    }
    const grant = token();
    await store.adapterFor('Grant').upsert(grant, payloadOf('Grant', grant, { accountId: randomUUID() }), TTL);
    finds.push(['grant', () => Promise.resolve(store.adapterFor('Grant').find(grant))]);
    const session = { kind: 'Session', jti: token(), uid: token() };
    await store.adapterFor('Session').upsert(session.jti, session, TTL);
    finds.push(['session', () => Promise.resolve(store.adapterFor('Session').find(session.jti))]);
    finds.push(['session by uid', () => Promise.resolve(store.adapterFor('Session').findByUid(session.uid))]);
    await store.fleeting.put('note', 'one', 1, TTL);
    finds.push(['note', () => store.fleeting.get('note', 'one')]);
    pass(clock, TTL - 1);
    for (const [name, find] of finds) t.truthy(await find(), `${name} in time`);
    pass(clock, 1);
    for (const [name, find] of finds) t.is(await find(), undefined, `${name} too late`);
    t.is(await store.fleeting.take('note', 'one'), undefined);
    const late = token();
    await store.adapterFor('RefreshToken').upsert(late, payloadOf('RefreshToken', late), TTL);
    pass(clock, TTL);
    await t.throwsAsync(store.adapterFor('RefreshToken').consume(late) as Promise<void>);
  });

  withStore('hostile ids and values are just ids and values', async (t, { store }) => {
    const hostile = [
      '',
      '\0',
      'a\0b',
      "'; DROP TABLE oidc_grants; --",
      '"',
      '\\x00',
      '💶'.repeat(10),
      '__proto__',
      'constructor',
      '%',
      '🏛️\u202e',
      'x'.repeat(1_000_000),
    ];
    for (const id of hostile) {
      for (const model of ['AccessToken', 'Interaction', 'PushedAuthorizationRequest']) {
        const adapter = store.adapterFor(model);
        t.is(await store.inRequest(async () => adapter.find(id)), undefined);
        const payload = payloadOf(model, id, { nonce: id, params: JSON.parse('{"__proto__": "\\u0000"}') });
        await adapter.upsert(id, payload, TTL);
        t.deepEqual(await adapter.find(id), JSON.parse(JSON.stringify(payload)));
        await adapter.destroy(id);
        t.is(await adapter.find(id), undefined);
      }
      t.is(await store.adapterFor('Session').find(id), undefined);
      t.is(await store.adapterFor('Session').findByUid(id), undefined);
      t.is(await store.adapterFor('DeviceCode').findByUserCode(id), undefined);
      await store.fleeting.put('note', id, { id }, TTL);
      t.deepEqual(await store.fleeting.take('note', id), { id });
    }
  });

  withStore('a JWT is seen for the first time once', async (t, { store, clock }) => {
    const adapter = store.adapterFor('ReplayDetection');
    for (let round = 0; round < 50; round += 1) {
      const id = token();
      const found = await Promise.all(Array.from({ length: 16 }, () => adapter.find(id)));
      t.is(found.filter((mark) => mark === undefined).length, 1);
      await adapter.upsert(id, payloadOf('ReplayDetection', id), 300);
      await t.throwsAsync(adapter.upsert(id, payloadOf('ReplayDetection', id), 300) as Promise<void>, {
        instanceOf: errors.OIDCProviderError,
      });
    }
    const [short, long, endless] = [token(), token(), token()] as const;
    for (const [id, ttl] of [
      [short, 60],
      [long, 7200],
      [endless, Number.POSITIVE_INFINITY],
    ] as const) {
      t.is(await adapter.find(id), undefined);
      await adapter.upsert(id, payloadOf('ReplayDetection', id), ttl);
    }
    pass(clock, MARK_SECONDS - 1);
    t.truthy(await adapter.find(short));
    pass(clock, 1);
    t.is(await adapter.find(short), undefined);
    t.truthy(await adapter.find(long));
    pass(clock, 7200);
    t.is(await adapter.find(long), undefined);
    pass(clock, 365 * 86_400);
    t.truthy(await adapter.find(endless));
  });

  withStore('notes are replaced by one writer and taken by one taker', async (t, { store, restart }) => {
    const { fleeting } = store;
    t.is(await fleeting.get('a', '1'), undefined);
    await fleeting.put('a', '1', { step: 1 }, TTL);
    t.is(await fleeting.get('b', '1'), undefined);
    const first = await fleeting.get<{ step: number }>('a', '1');
    t.deepEqual(first?.value, { step: 1 });
    const version = first?.version ?? 0;
    const writers = Array.from({ length: 16 }, (_, step) => fleeting.replace('a', '1', { step }, version, TTL));
    t.is((await Promise.all(writers)).filter(Boolean).length, 1);
    t.false(await fleeting.replace('a', '1', { step: 3 }, version, TTL));
    for (let round = 0; round < 20; round += 1) {
      await fleeting.put('a', '1', { round }, TTL);
      const taken = await Promise.all(Array.from({ length: 16 }, () => fleeting.take<{ round: number }>('a', '1')));
      t.deepEqual(
        taken.filter((value) => value !== undefined),
        [{ round }],
      );
    }
    const before = version;
    await fleeting.put('a', '1', 'made again', TTL);
    t.false(await fleeting.replace('a', '1', 'by an old writer', before, TTL));
    const later = await restart();
    t.is(await later.fleeting.take('a', '1'), 'made again');
  });

  withStore('all is there after a restart', async (t, { store, restart }) => {
    const grant = await newGrant(store);
    const session = await newSession(store, { accountId: randomUUID() });
    const ids = ARTIFACTS.map((model) => [model, token()] as const);
    for (const [model, id] of ids) await store.adapterFor(model).upsert(id, payloadOf(model, id), TTL);
    const refresh = token();
    await store
      .adapterFor('RefreshToken')
      .upsert(refresh, payloadOf('RefreshToken', refresh, { grantId: grant.jti }), TTL);
    await store.adapterFor('RefreshToken').consume(refresh);
    const mark = token();
    await store.adapterFor('ReplayDetection').find(mark);
    const later = await restart();
    for (const [model, id] of ids) t.truthy(await later.adapterFor(model).find(id), model);
    t.truthy(await later.adapterFor('Session').find(session.jti));
    t.truthy(await later.adapterFor('Grant').find(grant.jti));
    t.truthy(await later.adapterFor('ReplayDetection').find(mark));
    await t.throwsAsync(later.adapterFor('RefreshToken').consume(refresh) as Promise<void>, {
      instanceOf: errors.InvalidGrant,
    });
  });

  withStore('what is over is removed in small batches, what is not stays', async (t, { store, clock, purgedKinds }) => {
    const living = token();
    await store.adapterFor('AccessToken').upsert(living, payloadOf('AccessToken', living), TTL * 100);
    for (let i = 0; i < 25; i += 1) {
      const id = token();
      await store.adapterFor('AccessToken').upsert(id, payloadOf('AccessToken', id), TTL);
      await store.adapterFor('AuthorizationCode').upsert(id, payloadOf('AuthorizationCode', id), TTL);
      await store.adapterFor('Session').upsert(id, { kind: 'Session', jti: id, uid: id }, TTL);
      await store.fleeting.put('note', id, i, TTL);
    }
    t.is(await store.purgeExpired(10), 0);
    pass(clock, TTL * 2);
    t.is(await store.purgeExpired(10), 10 * purgedKinds);
    const [one, two] = await Promise.all([store.purgeExpired(100), store.purgeExpired(100)]);
    t.is(one + two, 15 * purgedKinds);
    t.is(await store.purgeExpired(10), 0);
    t.truthy(await store.adapterFor('AccessToken').find(living));
  });

  withStore(
    'what is over is removed in small batches under load, and nothing that lives',
    async (t, { store, clock }) => {
      const save = async (model: string, id: string): Promise<void> => {
        await store.adapterFor(model).upsert(id, payloadOf(model, id), TTL);
      };
      const old = Array.from({ length: 300 }, token);
      for (const id of old) await Promise.all([save('AccessToken', id), save('AuthorizationCode', id)]);
      pass(clock, TTL + 120);
      let done = 0;
      let removed = 0;
      const load = async (): Promise<void> => {
        const [code, access] = [token(), token()];
        await save('AuthorizationCode', code);
        await store.inRequest(async () => {
          await store.adapterFor('AuthorizationCode').find(code);
          await store.adapterFor('AuthorizationCode').consume(code);
          await save('AccessToken', access);
        });
        t.truthy(await store.adapterFor('AccessToken').find(access));
        done += 1;
      };
      const purge = async (): Promise<void> => {
        for (let last = 1; last > 0; ) {
          last = await store.purgeExpired(50);
          t.true(last <= 7 * 50);
          removed += last;
        }
      };
      const lanes = Array.from({ length: 4 }, async () => {
        for (let turn = 0; turn < 25; turn += 1) await load();
      });
      await Promise.all([...lanes, purge(), purge()]);
      t.is(done, 100);
      t.true(removed >= old.length);
      for (const id of old) t.is(await store.adapterFor('AccessToken').find(id), undefined);
    },
  );
};
