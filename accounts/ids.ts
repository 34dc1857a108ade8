import { randomUUID } from 'node:crypto';

declare const brand: unique symbol;
type Branded<Name extends string> = string & { readonly [brand]: Name };

/** A citizen's account; a random UUID that never leaves the provider (services see pseudonyms). */
export type AccountId = Branded<'AccountId'>;
/** A service's `client_id`: only `[A-Za-z0-9]`, as clients mis-encode anything else in HTTP Basic. */
export type ClientId = Branded<'ClientId'>;

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const CLIENT_ID = /^[A-Za-z0-9]{1,64}$/;

/** A new random account id. */
export const newAccountId = (): AccountId => randomUUID() as AccountId;

/** Parses an account id at the edge; undefined for anything that is not a lower-case UUID. */
export const parseAccountId = (value: unknown): AccountId | undefined =>
  typeof value === 'string' && UUID.test(value) ? (value as AccountId) : undefined;

/** Parses a client id at the edge; undefined for anything that is not 1 to 64 of `[A-Za-z0-9]`. */
export const parseClientId = (value: unknown): ClientId | undefined =>
  typeof value === 'string' && CLIENT_ID.test(value) ? (value as ClientId) : undefined;
