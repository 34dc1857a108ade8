/** What the contract suite of the stores shares. */
import { AsyncResource } from 'node:async_hooks';
import { randomBytes, randomUUID } from 'node:crypto';
import test, { type ExecutionContext } from 'ava';
import { errors } from 'oidc-provider';
import type { AdapterPayload, OidcStore } from '../../adapters/oidc-store.ts';

/** A store on a database of its own. */
export type StoreFixture = {
  readonly store: OidcStore;
  /** The store's clock. */
  readonly clock: { now: Date };
  /** Of access tokens, codes, sessions and notes, how many the store itself has to remove; the rest end by themselves. */
  readonly purgedKinds: number;
  /** A code whose session ends while it is stored is refused when it is redeemed, not when it is stored. */
  readonly guardsLate: boolean;
  /** Another process on the same data; the first one's connections are closed. */
  restart(): Promise<OidcStore>;
  /** Everything that is stored, as one text. */
  dump(): Promise<string>;
  close(): Promise<void>;
};

export const ARTIFACTS = [
  'AccessToken',
  'ClientCredentials',
  'RefreshToken',
  'InitialAccessToken',
  'RegistrationAccessToken',
  'AuthorizationCode',
  'BackchannelAuthenticationRequest',
  'DeviceCode',
  'Interaction',
  'PreAuthorizedCode',
  'PushedAuthorizationRequest',
] as const;
export const SPENDABLE = ['AuthorizationCode', 'RefreshToken', 'DeviceCode', 'PushedAuthorizationRequest'] as const;
export const TTL = 600;

const elsewhere = new AsyncResource('another request');
/** Runs work outside of the calling request. */
export const inOtherRequest = <T>(work: () => T): T => elsewhere.runInAsyncScope(work);

export const token = (): string => randomBytes(32).toString('base64url');
export const payloadOf = (kind: string, id: string, more: AdapterPayload = {}): AdapterPayload => ({
  kind,
  jti: id,
  clientId: 'library',
  ...more,
});
export const pass = (clock: { now: Date }, passed: number): void => {
  clock.now = new Date(clock.now.getTime() + passed * 1000);
};
export const outcomes = async (works: Promise<unknown>[]): Promise<{ won: number; lost: unknown[] }> => {
  const results = await Promise.allSettled(works);
  const lost = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
  return { won: results.length - lost.length, lost };
};
/** All refusals are the protocol's own errors. */
export const allRefused = (t: ExecutionContext, lost: unknown[]): void => {
  for (const reason of lost) if (!(reason instanceof errors.OIDCProviderError)) t.fail(String(reason));
};
export const newGrant = async (
  store: OidcStore,
  accountId: string = randomUUID(),
): Promise<AdapterPayload & { jti: string }> => {
  const grant = { ...payloadOf('Grant', token(), { accountId }), jti: token() };
  await store.adapterFor('Grant').upsert(grant.jti, grant, TTL * 100);
  return grant;
};
export type Session = AdapterPayload & { jti: string; uid: string };
export const newSession = async (store: OidcStore, more: AdapterPayload = {}): Promise<Session> => {
  const session: Session = { kind: 'Session', iat: 1, jti: token(), uid: token(), ...more } as Session;
  await store.inRequest(async () => store.adapterFor('Session').upsert(session.jti, session, TTL * 100));
  return session;
};

/** Declares tests that each have a store of their own. */
export const testsOf =
  (open: () => Promise<StoreFixture>) =>
  (title: string, work: (t: ExecutionContext, fixture: StoreFixture) => Promise<void>): void =>
    test(title, async (t) => {
      const fixture = await open();
      try {
        await work(t, fixture);
      } finally {
        await fixture.close();
      }
    });
