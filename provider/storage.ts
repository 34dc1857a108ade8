import type { Adapter } from 'oidc-provider';
import type { Context } from '../accounts/context.ts';
import * as dynamicClients from '../accounts/dynamic-clients.ts';
import { type ClientId, parseClientId } from '../accounts/ids.ts';
import type { OidcStore } from '../adapters/oidc-store.ts';
import { available } from './availability.ts';
import type { Registrations } from './registrations.ts';

const clientIdOf = (id: string): ClientId => {
  const clientId = parseClientId(id);
  if (clientId === undefined) throw new TypeError('not a client id of ours');
  return clientId;
};

/**
 * The town's services come from its files and are only read here. Clients that register themselves, where the provider
 * lets them, are kept beside them.
 */
const clientAdapter = (registrations: Registrations, context: () => Context): Adapter => {
  const refuse = async (): Promise<never> => {
    throw new TypeError('clients have neither grants nor user codes');
  };
  return {
    find: async (id) => registrations.metadata(id) ?? (await available(() => registrations.lookUp(id))),
    upsert: (id, metadata) =>
      available(() => dynamicClients.save(context(), clientIdOf(id), { ...metadata, client_id: id })),
    destroy: (id) => available(() => dynamicClients.remove(context(), clientIdOf(id))),
    findByUserCode: refuse,
    findByUid: refuse,
    consume: refuse,
    revokeByGrantId: refuse,
  } as Adapter;
};

/** The adapter of one model; an outage of the store becomes a 503 instead of a server error. */
export function providerAdapter(
  model: string,
  store: OidcStore,
  registrations: Registrations,
  context: () => Context,
): Adapter {
  if (model === 'Client') return clientAdapter(registrations, context);
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
