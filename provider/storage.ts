import type { Adapter } from 'oidc-provider';
import type { OidcStore } from '../adapters/oidc-store.ts';
import { available } from './availability.ts';
import type { Registrations } from './registrations.ts';

/** Registrations come from the town's files through `client apply`; nothing here writes them. */
const readOnlyClients = (registrations: Registrations): Adapter => {
  const refuse = async (): Promise<never> => {
    throw new TypeError('registrations are not written through oidc-provider');
  };
  return {
    find: async (id) => registrations.metadata(id),
    upsert: refuse,
    findByUserCode: refuse,
    findByUid: refuse,
    consume: refuse,
    destroy: refuse,
    revokeByGrantId: refuse,
  } as Adapter;
};

/** The adapter of one model; an outage of the store becomes a 503 instead of a server error. */
export function providerAdapter(model: string, store: OidcStore, registrations: Registrations): Adapter {
  if (model === 'Client') return readOnlyClients(registrations);
  const adapter = store.adapterFor(model);
  return {
    upsert: (id, payload, expiresIn) => available(() => adapter.upsert(id, payload, expiresIn)),
    find: (id) => available(() => adapter.find(id)),
    findByUserCode: (userCode) => available(() => adapter.findByUserCode(userCode)),
    findByUid: (uid) => available(() => adapter.findByUid(uid)),
    consume: (id) => available(() => adapter.consume(id)),
    destroy: (id) => available(() => adapter.destroy(id)),
    revokeByGrantId: (grantId) => available(() => adapter.revokeByGrantId(grantId)),
  } as Adapter;
}
