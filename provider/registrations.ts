import * as clients from '../accounts/clients.ts';
import type { Context } from '../accounts/context.ts';
import type { Registration } from '../accounts/town.ts';
import { type ClientMetadata, clientMetadata } from './client-metadata.ts';

type Entry = { registration: Registration; metadata: ClientMetadata };

/**
 * The registrations in force, held in memory: every request needs one, they change a few times a year, and a database
 * that is away must not take the cached ones with it. `load` is called at start and whenever Postgres notifies.
 */
export class Registrations {
  #entries: ReadonlyMap<string, Entry> = new Map();
  readonly #context: () => Context;
  readonly #issuer: URL;

  constructor(context: () => Context, issuer: URL) {
    this.#context = context;
    this.#issuer = issuer;
  }

  async load(): Promise<void> {
    const inForce = await clients.all(this.#context());
    this.#entries = new Map(
      inForce.map(({ registration, secrets }) => [
        registration.clientId,
        { registration, metadata: clientMetadata(registration, secrets, this.#issuer) },
      ]),
    );
  }

  find(clientId: string): Registration | undefined {
    return this.#entries.get(clientId)?.registration;
  }

  metadata(clientId: string): ClientMetadata | undefined {
    return this.#entries.get(clientId)?.metadata;
  }

  all(): Registration[] {
    return Array.from(this.#entries.values(), ({ registration }) => registration);
  }
}
