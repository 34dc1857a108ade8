import { OWN_CLIENT } from '../accounts/assurance.ts';
import * as clients from '../accounts/clients.ts';
import type { Context } from '../accounts/context.ts';
import * as dynamicClients from '../accounts/dynamic-clients.ts';
import { parseClientId } from '../accounts/ids.ts';
import type { Registration, Resource } from '../accounts/town.ts';
import { STAFF_CLIENT_ID, staffMetadata, staffRegistration } from './admin-api/staff-client.ts';
import { type ClientMetadata, clientMetadata } from './client-metadata.ts';
import { trialRegistration, unexaminedRegistration } from './dynamic-registration.ts';

/** Clients that registered themselves and were looked up lately. */
const TRIALS_KEPT = 1000;

import { ownPages } from './own-pages.ts';

type Entry = { registration: Registration; metadata: ClientMetadata };

/**
 * The registrations in force, held in memory: every request needs one, they change a few times a year, and a database
 * that is away must not take the cached ones with it. `load` is called at start and whenever Postgres notifies.
 */
export class Registrations {
  #entries: ReadonlyMap<string, Entry> = new Map();
  readonly #trials = new Map<string, Entry>();
  /** Services by the identifier of their API. */
  #owners: ReadonlyMap<string, Registration> = new Map();
  readonly #context: () => Context;
  readonly #issuer: URL;

  readonly #sandbox: boolean;

  /** `sandbox`: clients that registered themselves get what fictitious citizens have. */
  constructor(context: () => Context, issuer: URL, sandbox: boolean) {
    this.#context = context;
    this.#issuer = issuer;
    this.#sandbox = sandbox;
  }

  async load(): Promise<void> {
    const inForce = await clients.all(this.#context());
    const own = { registration: ownPages(this.#issuer), secrets: [] };
    this.#entries = new Map(
      [...inForce, own].map(({ registration, secrets }) => [
        registration.clientId,
        { registration, metadata: clientMetadata(registration, secrets, this.#issuer) },
      ]),
    );
    this.#owners = new Map(
      inForce.flatMap(({ registration }) =>
        registration.resource ? [[registration.resource.identifier, registration]] : [],
      ),
    );
  }

  /** The API of that identifier, and whose it is. */
  resource(identifier: string): (Resource & { organisation: string }) | undefined {
    const owner = this.#owners.get(identifier);
    return owner?.resource && { ...owner.resource, organisation: owner.organisation };
  }

  /** The service to which the API of that identifier belongs. */
  ownerOf(identifier: string): Registration | undefined {
    return this.#owners.get(identifier);
  }

  /** A registration in force; of a client that registered itself only after `lookUp`, which every request does first. */
  find(clientId: string): Registration | undefined {
    if (clientId === STAFF_CLIENT_ID) return staffRegistration;
    return (this.#entries.get(clientId) ?? this.#trials.get(clientId))?.registration;
  }

  /** Looks a client up that registered itself; always in the database, as another process may have changed it. */
  async lookUp(clientId: string): Promise<ClientMetadata | undefined> {
    const id = parseClientId(clientId);
    const metadata = id && (await dynamicClients.find(this.#context(), id));
    this.#trials.delete(clientId);
    if (metadata === undefined) return undefined;
    const entry = { registration: (this.#sandbox ? trialRegistration : unexaminedRegistration)(metadata), metadata };
    this.#trials.set(clientId, entry);
    for (const oldest of this.#trials.keys()) {
      if (this.#trials.size <= TRIALS_KEPT) break;
      this.#trials.delete(oldest);
    }
    return entry.metadata;
  }

  metadata(clientId: string): ClientMetadata | undefined {
    return clientId === STAFF_CLIENT_ID ? staffMetadata : this.#entries.get(clientId)?.metadata;
  }

  /** Whether a service is registered whose software can check nothing but RS256. */
  needRs256(): boolean {
    return this.all().some(({ rs256 }) => rs256 !== undefined);
  }

  /** The town's services; our own pages are not among them. */
  all(): Registration[] {
    return Array.from(this.#entries.values(), ({ registration }) => registration).filter(
      ({ clientId }) => clientId !== OWN_CLIENT,
    );
  }
}
