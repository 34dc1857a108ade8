/** What every store must do with sessions, whatever database it is on. */
import { randomUUID } from 'node:crypto';
import { errors } from 'oidc-provider';
import { type AdapterPayload, type OidcStore, SESSION_SAVE_SECONDS } from '../adapters/oidc-store.ts';
import {
  allRefused,
  inOtherRequest,
  newGrant,
  newSession,
  outcomes,
  pass,
  payloadOf,
  type StoreFixture,
  TTL,
  testsOf,
  token,
} from './harness/store.ts';

type Change = (session: AdapterPayload) => AdapterPayload;

/** What oidc-provider does with a session in one request: read, change, perhaps give it a new id, save. */
const useSession = (
  store: OidcStore,
  id: string,
  change: Change,
  { rotateTo, meanwhile }: { rotateTo?: string; meanwhile?: () => Promise<unknown> } = {},
): Promise<void> =>
  store.inRequest(async () => {
    const adapter = store.adapterFor('Session');
    const session = await adapter.find(id);
    if (!session) throw new Error('no session');
    const changed = change(session);
    if (meanwhile !== undefined) await inOtherRequest(meanwhile);
    if (rotateTo !== undefined) await adapter.destroy(id);
    await adapter.upsert(rotateTo ?? id, { ...changed, jti: rotateTo ?? id }, TTL * 100);
  });

const same: Change = (session) => session;
const authorize =
  (client: string, grantId: string = token()): Change =>
  (session) => ({ ...session, authorizations: { ...session.authorizations, [client]: { sid: token(), grantId } } });
const signIn =
  (accountId: string): Change =>
  (session) => ({ ...session, accountId, loginTs: 1_800_000_000, amr: ['pwd'] });

/** Declares the contract's tests of sessions for one store. */
export const declareSessionSuite = (open: () => Promise<StoreFixture>): void => {
  const withStore = testsOf(open);

  withStore(
    'a session gets a new id at sign-in: the old one is dead, the uid leads to the new',
    async (t, { store }) => {
      const session = await newSession(store);
      const accountId = randomUUID();
      const next = token();
      await useSession(store, session.jti, signIn(accountId), { rotateTo: next });
      const adapter = store.adapterFor('Session');
      t.is(await adapter.find(session.jti), undefined);
      t.is((await adapter.find(next))?.accountId, accountId);
      const byUid = await adapter.findByUid(session.uid);
      t.is(byUid?.jti, next);
      t.is(byUid?.accountId, accountId);
    },
  );

  withStore('an id given up at sign-in is not let in again by a slower request', async (t, { store }) => {
    const session = await newSession(store);
    const [next, accountId] = [token(), randomUUID()];
    await useSession(store, session.jti, (old) => ({ ...old, state: { secret: 'slow' } }), {
      meanwhile: () => useSession(store, session.jti, signIn(accountId), { rotateTo: next }),
    });
    t.is(await store.adapterFor('Session').find(session.jti), undefined);
    const after = await store.adapterFor('Session').find(next);
    t.is(after?.accountId, accountId);
    t.deepEqual(after?.state, { secret: 'slow' });
    t.is((await store.adapterFor('Session').findByUid(session.uid))?.jti, next);
    await store.inRequest(async () => store.adapterFor('Session').destroy(next));
    t.is(await store.adapterFor('Session').findByUid(session.uid), undefined);
  });

  withStore('parallel sign-ins of one browser: all its new ids work and no service is lost', async (t, { store }) => {
    const session = await newSession(store);
    const accountId = randomUUID();
    const tabs = Array.from({ length: 6 }, (_, tab) => ({ id: token(), client: `service${tab}` }));
    const { promise: allHaveRead, resolve } = Promise.withResolvers<void>();
    let reading = tabs.length;
    const { won, lost } = await outcomes(
      tabs.map(({ id, client }) =>
        useSession(store, session.jti, (old) => authorize(client)(signIn(accountId)(old)), {
          rotateTo: id,
          meanwhile: () => {
            reading -= 1;
            if (reading === 0) resolve();
            return allHaveRead;
          },
        }),
      ),
    );
    t.deepEqual(lost, []);
    t.is(won, tabs.length);
    for (const { id } of tabs) {
      const found = await store.adapterFor('Session').find(id);
      t.is(found?.jti, id);
      t.deepEqual(
        Object.keys(found?.authorizations ?? {}).sort(),
        tabs.map(({ client }) => client),
      );
    }
    t.is(await store.adapterFor('Session').find(session.jti), undefined);
  });

  withStore(
    'two tabs of one service: the tokens of both are good, and a later change keeps it so',
    async (t, { store }) => {
      const accountId = randomUUID();
      const session = await newSession(store, { accountId, exp: Math.floor(Date.now() / 1000) + TTL });
      const grants = [await newGrant(store, accountId), await newGrant(store, accountId)] as const;
      await useSession(store, session.jti, authorize('library', grants[0].jti), {
        meanwhile: () => useSession(store, session.jti, authorize('library', grants[1].jti)),
      });
      await useSession(store, session.jti, authorize('theatre'));
      for (const { jti: grantId } of grants) {
        const id = token();
        const access = payloadOf('AccessToken', id, {
          grantId,
          accountId,
          sessionUid: session.uid,
          expiresWithSession: true,
        });
        await store.adapterFor('AccessToken').upsert(id, access, TTL);
        await store.inRequest(async () => {
          await store.adapterFor('AccessToken').find(id);
          const seen = await store.adapterFor('Session').findByUid(session.uid);
          t.is(seen?.authorizations?.['library']?.grantId, grantId);
        });
      }
      const holding = async (): Promise<boolean[]> => {
        const tokens = grants.map(({ jti: grantId }) => ({
          grantId,
          accountId,
          clientId: 'library',
          sessionUid: session.uid,
        }));
        return Promise.all(tokens.map((one) => store.inRequest(() => store.sessionHolds(one))));
      };
      t.deepEqual(await holding(), [true, true]);
      await useSession(store, session.jti, ({ authorizations: { library: _library, ...others } = {}, ...rest }) => ({
        ...rest,
        authorizations: others,
      }));
      t.deepEqual(await holding(), [false, false], 'signed out of this service alone');
      await useSession(store, session.jti, authorize('library'));
      t.deepEqual(await holding(), [false, false], 'a new sign-on brings nothing of before back');
    },
  );

  withStore('of two people signing in at once in one browser, one is refused', async (t, { store }) => {
    const session = await newSession(store);
    const [one, two] = [token(), token()];
    const [first, second] = [randomUUID(), randomUUID()];
    const slow = useSession(store, session.jti, signIn(first), {
      rotateTo: one,
      meanwhile: () => useSession(store, session.jti, signIn(second), { rotateTo: two }),
    });
    await t.throwsAsync(slow, { instanceOf: errors.LoginRequired });
    t.is(await store.adapterFor('Session').find(one), undefined);
    t.is((await store.adapterFor('Session').find(two))?.accountId, second);
  });

  withStore('a session that was ended does not come back, nor do its codes', async (t, { store, guardsLate }) => {
    const accountId = randomUUID();
    for (const end of [
      (session: { jti: string }) => store.adapterFor('Session').destroy(session.jti),
      () => store.endSessions(accountId),
      () => store.revokeAccount(accountId),
    ]) {
      const grant = await newGrant(store, accountId);
      for (const change of [same, authorize('library')]) {
        const session = await newSession(store, { accountId });
        const code = token();
        const request = store.inRequest(async () => {
          const found = (await store.adapterFor('Session').find(session.jti)) as AdapterPayload;
          const payload = payloadOf('AuthorizationCode', code, { grantId: grant.jti, sessionUid: session.uid });
          await store.adapterFor('AuthorizationCode').upsert(code, payload, TTL);
          await inOtherRequest(() => Promise.resolve(end(session)));
          await store.adapterFor('Session').upsert(session.jti, change(found), TTL);
        });
        if (guardsLate && change === same) {
          const { lost } = await outcomes([request]);
          allRefused(t, lost);
        } else await t.throwsAsync(request, { instanceOf: errors.LoginRequired });
        t.is(await store.adapterFor('AuthorizationCode').find(code), undefined);
        t.is(await store.adapterFor('Session').findByUid(session.uid), undefined);
      }
    }
  });

  withStore('after an account is revoked, nothing of it is left, however close the race', async (t, { store }) => {
    for (let round = 0; round < 20; round += 1) {
      const accountId = randomUUID();
      const session = await newSession(store, { accountId });
      const made: string[] = [];
      const begin = (): Promise<void> =>
        store.inRequest(async () => {
          const found = (await store.adapterFor('Session').find(session.jti)) as AdapterPayload | undefined;
          if (found === undefined) return;
          const grant = await newGrant(store, accountId);
          const code = token();
          made.push(code);
          const payload = payloadOf('AuthorizationCode', code, { grantId: grant.jti, sessionUid: session.uid });
          await store.adapterFor('AuthorizationCode').upsert(code, payload, TTL);
          await store.adapterFor('Session').upsert(session.jti, authorize('library', grant.jti)(found), TTL);
        });
      const [{ lost }] = await Promise.all([outcomes([begin(), begin(), begin()]), store.revokeAccount(accountId)]);
      allRefused(t, lost);
      for (const code of made) t.is(await store.adapterFor('AuthorizationCode').find(code), undefined);
      t.deepEqual(await store.sessionsOf(accountId), []);
    }
  });

  withStore('an unchanged session is written only every few minutes', async (t, { store, clock }) => {
    const session = await newSession(store);
    const lifetime = TTL * 100;
    const found = (): Promise<unknown> => Promise.resolve(store.adapterFor('Session').find(session.jti));
    pass(clock, SESSION_SAVE_SECONDS - 1);
    await useSession(store, session.jti, (same) => ({ ...same, exp: 1 }));
    pass(clock, lifetime - SESSION_SAVE_SECONDS);
    t.truthy(await found());
    await useSession(store, session.jti, (same) => ({ ...same, exp: 2 }));
    pass(clock, lifetime - 1);
    t.truthy(await found());
    pass(clock, 1);
    t.is(await found(), undefined);
  });

  withStore('10,000 sessions of one account are listed and ended', async (t, { store }) => {
    const accountId = randomUUID();
    const uids: string[] = [];
    const fill = async (): Promise<void> => {
      while (uids.length < 10_000) {
        const uid = token();
        uids.push(uid);
        await store.inRequest(async () =>
          store.adapterFor('Session').upsert(token(), { kind: 'Session', jti: uid, uid, accountId }, TTL),
        );
      }
    };
    await Promise.all(Array.from({ length: 8 }, fill));
    await newSession(store, { accountId: randomUUID() });
    const listed = await store.sessionsOf(accountId);
    t.deepEqual(listed.map(({ uid }) => uid).sort(), [...uids].sort());
    await store.endSessions(accountId, uids[0]);
    t.deepEqual(
      (await store.sessionsOf(accountId)).map(({ uid }) => uid),
      [uids[0]],
    );
  });
};
