import type { Client, Provider } from 'oidc-provider';
import type { ClientMetadata } from './client-metadata.ts';

type Find = (id: string) => Promise<Client | undefined>;

/**
 * Lets oidc-provider find the clients of registrations in force by what it made of them before. It would serialise and
 * hash a client's metadata with each look-up, to see whether they have changed; ours are never changed in place.
 */
export const rememberClients = (provider: Provider, metadataOf: (id: string) => ClientMetadata | undefined): void => {
  const made = new WeakMap<ClientMetadata, Client>();
  const clients = provider.Client as unknown as { find: Find };
  const look = clients.find.bind(clients);
  clients.find = async (id) => {
    const metadata = typeof id === 'string' ? metadataOf(id) : undefined;
    if (metadata === undefined) return look(id);
    const known = made.get(metadata);
    if (known !== undefined) return known;
    const client = await look(id);
    if (client !== undefined && metadataOf(id) === metadata) made.set(metadata, client);
    return client;
  };
};
