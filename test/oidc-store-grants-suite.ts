/** What every store must do with grants and families of tokens, whatever database it is on. */
import { randomUUID } from 'node:crypto';
import { errors } from 'oidc-provider';
import type { AdapterPayload } from '../adapters/oidc-store.ts';
import {
  allRefused,
  inOtherRequest,
  newGrant,
  outcomes,
  payloadOf,
  type StoreFixture,
  TTL,
  testsOf,
  token,
} from './harness/store.ts';

/** Declares the contract's tests of grants, and of requests that read and write, for one store. */
export const declareGrantSuite = (open: () => Promise<StoreFixture>): void => {
  const withStore = testsOf(open);

  withStore('nothing survives its grant, however close the race', async (t, { store }) => {
    for (let round = 0; round < 40; round += 1) {
      const grant = await newGrant(store);
      const made: [string, string][] = [];
      const insert = async (model: string): Promise<void> => {
        const id = token();
        made.push([model, id]);
        const payload = payloadOf(model, id, { grantId: grant.jti });
        const adapter = store.adapterFor(model);
        await (round % 2 === 0
          ? adapter.upsert(id, payload, TTL)
          : store.inRequest(async () => adapter.upsert(id, payload, TTL)));
      };
      const inserts = ['AccessToken', 'RefreshToken', 'AuthorizationCode', 'DeviceCode'].map(insert);
      const revocation = Promise.all([
        store.adapterFor('AccessToken').revokeByGrantId(grant.jti),
        store.adapterFor('RefreshToken').revokeByGrantId(grant.jti),
        store.adapterFor('Grant').destroy(grant.jti),
      ]);
      const more = ['RefreshToken', 'AccessToken', 'AuthorizationCode'].map(insert);
      const [{ lost }] = await Promise.all([outcomes([...inserts, ...more]), revocation]);
      allRefused(t, lost);
      for (const [model, id] of made) {
        if ((await store.adapterFor(model).find(id)) !== undefined) t.fail(`${model} survived in round ${round}`);
      }
      await t.throwsAsync(insert('AccessToken'), { instanceOf: errors.InvalidGrant });
    }
  });

  withStore('a revoked family ends while its grant stays', async (t, { store }) => {
    const [grant, other] = [await newGrant(store), await newGrant(store)];
    const ids = [token(), token(), token()] as const;
    await store.adapterFor('AccessToken').upsert(ids[0], payloadOf('AccessToken', ids[0], { grantId: grant.jti }), TTL);
    await store
      .adapterFor('AuthorizationCode')
      .upsert(ids[1], payloadOf('AuthorizationCode', ids[1], { grantId: grant.jti }), TTL);
    await store.adapterFor('AccessToken').upsert(ids[2], payloadOf('AccessToken', ids[2], { grantId: other.jti }), TTL);
    await store.inRequest(() => Promise.resolve(store.adapterFor('RefreshToken').revokeByGrantId(grant.jti)));
    t.is(await store.adapterFor('AccessToken').find(ids[0]), undefined);
    t.is(await store.adapterFor('AuthorizationCode').find(ids[1]), undefined);
    t.truthy(await store.adapterFor('AccessToken').find(ids[2]));
    t.truthy(await store.adapterFor('Grant').find(grant.jti));
  });

  withStore('a grant that was revoked while it was being changed does not come back', async (t, { store }) => {
    const grant = await newGrant(store);
    const change = store.inRequest(async () => {
      const found = (await store.adapterFor('Grant').find(grant.jti)) as AdapterPayload;
      await inOtherRequest(() => store.adapterFor('Grant').destroy(grant.jti));
      await store.adapterFor('Grant').upsert(grant.jti, found, TTL);
    });
    await t.throwsAsync(change, { instanceOf: errors.InvalidGrant });
    t.is(await store.adapterFor('Grant').find(grant.jti), undefined);
  });

  withStore('what parallel requests put into one grant is all in it', async (t, { store }) => {
    const accountId = randomUUID();
    const id = token();
    const names = Array.from({ length: 6 }, (_, number) => `scope${number}`);
    const save = (name: string): Promise<void> => {
      const openid = { scope: `openid ${name}`, claims: [`claim of ${name}`] };
      const payload = payloadOf('Grant', id, { accountId, openid, resources: { [name]: 'read' } });
      return Promise.resolve(store.adapterFor('Grant').upsert(id, payload, TTL * 100));
    };
    await Promise.all(names.map(save));
    const made = await store.adapterFor('Grant').find(id);
    const openid = made?.['openid'] as { scope: string; claims: string[] };
    t.deepEqual(openid.scope.split(' ').sort(), ['openid', ...names]);
    t.deepEqual(
      openid.claims.toSorted(),
      names.map((name) => `claim of ${name}`),
    );
    t.deepEqual(Object.keys(made?.['resources'] as object).sort(), names);

    const changes = names.map((name) =>
      store.inRequest(async () => {
        const found = (await store.adapterFor('Grant').find(id)) as AdapterPayload;
        await inOtherRequest(() => save(`more ${name}`));
        await store.adapterFor('Grant').upsert(id, { ...found, resources: { [`also ${name}`]: 'read' } }, TTL * 100);
      }),
    );
    await Promise.all(changes);
    const resources = Object.keys((await store.adapterFor('Grant').find(id))?.['resources'] as object);
    t.is(resources.length, 3 * names.length);
  });

  withStore('what hung on a grant does not come back with its id', async (t, { store }) => {
    const grant = await newGrant(store);
    const ids = ['AuthorizationCode', 'AccessToken'].map((model) => [model, token()] as const);
    for (const [model, id] of ids) {
      await store.adapterFor(model).upsert(id, payloadOf(model, id, { grantId: grant.jti }), TTL);
    }
    await store.adapterFor('Grant').destroy(grant.jti);
    await store.adapterFor('Grant').upsert(grant.jti, grant, TTL * 100);
    for (const [model, id] of ids) t.is(await store.adapterFor(model).find(id), undefined);
  });

  withStore('of 8 parallel refreshes one has a child, and the child lives', async (t, { store }) => {
    for (let round = 0; round < 20; round += 1) {
      const grant = await newGrant(store);
      const old = token();
      const refresh = store.adapterFor('RefreshToken');
      await refresh.upsert(old, payloadOf('RefreshToken', old, { grantId: grant.jti }), TTL);
      const children: string[] = [];
      const use = (): Promise<void> =>
        store.inRequest(async () => {
          if ((await refresh.find(old))?.consumed !== undefined) throw new Error('taken for a theft');
          await refresh.consume(old);
          const [next, access] = [token(), token()];
          await refresh.upsert(next, payloadOf('RefreshToken', next, { grantId: grant.jti }), TTL);
          await store
            .adapterFor('AccessToken')
            .upsert(access, payloadOf('AccessToken', access, { grantId: grant.jti }), TTL);
          children.push(next);
        });
      const { won, lost } = await outcomes(Array.from({ length: 8 }, use));
      t.is(won, 1);
      allRefused(t, lost);
      const living = await Promise.all(children.map(async (id) => (await refresh.find(id)) !== undefined));
      t.is(living.filter(Boolean).length, 1);
    }
  });

  withStore('of requests that go on with one sign-in under way one does', async (t, { store }) => {
    const interactions = store.adapterFor('Interaction');
    const codes = store.adapterFor('AuthorizationCode');
    const grant = await newGrant(store);
    const uid = token();
    await interactions.upsert(uid, payloadOf('Interaction', uid), TTL);
    const ids = Array.from({ length: 8 }, token);
    const { won, lost } = await outcomes(
      ids.map((id) =>
        store.inRequest(async () => {
          t.truthy(await interactions.find(uid));
          await interactions.destroy(uid);
          await codes.upsert(id, payloadOf('AuthorizationCode', id, { grantId: grant.jti }), TTL);
        }),
      ),
    );
    t.is(won, 1);
    t.true(lost.every((error) => error instanceof errors.SessionNotFound));
    t.is((await Promise.all(ids.map((id) => codes.find(id)))).filter((found) => found !== undefined).length, 1);
  });

  withStore('a request that fails keeps nothing new, but a code stays spent', async (t, { store }) => {
    for (const [model, spent] of [
      ['AuthorizationCode', true],
      ['RefreshToken', false],
    ] as const) {
      const grant = await newGrant(store);
      const [id, access] = [token(), token()];
      const adapter = store.adapterFor(model);
      await adapter.upsert(id, payloadOf(model, id, { grantId: grant.jti }), TTL);
      const failing = store.inRequest(
        async () => {
          await adapter.find(id);
          await adapter.consume(id);
          if (model === 'RefreshToken')
            await adapter.upsert(access, payloadOf(model, access, { grantId: grant.jti }), TTL);
          else
            await store
              .adapterFor('AccessToken')
              .upsert(access, payloadOf('AccessToken', access, { grantId: grant.jti }), TTL);
        },
        () => true,
      );
      await failing;
      t.is(await store.adapterFor('AccessToken').find(access), undefined);
      t.is(await store.adapterFor('RefreshToken').find(access), undefined);
      const again = Promise.resolve(adapter.consume(id));
      if (spent) await t.throwsAsync(again, { instanceOf: errors.InvalidGrant });
      else await t.notThrowsAsync(again);
    }
  });

  withStore('a device code that two people approve at once is approved by one', async (t, { store }) => {
    const id = token();
    const adapter = store.adapterFor('DeviceCode');
    await adapter.upsert(id, payloadOf('DeviceCode', id, { userCode: 'ABCDEFGH' }), TTL);
    let reading = 2;
    const { promise: bothHaveRead, resolve } = Promise.withResolvers<void>();
    const approve = (accountId: string): Promise<void> =>
      store.inRequest(async () => {
        const found = (await adapter.findByUserCode('ABCDEFGH')) as AdapterPayload;
        reading -= 1;
        if (reading === 0) resolve();
        await bothHaveRead;
        await adapter.upsert(id, { ...found, accountId }, TTL);
      });
    const { won, lost } = await outcomes([approve(randomUUID()), approve(randomUUID())]);
    t.is(won, 1);
    allRefused(t, lost);
  });
};
