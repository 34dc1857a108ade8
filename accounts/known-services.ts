import * as claims from './claims.ts';
import * as clients from './clients.ts';
import * as consents from './consents.ts';
import type { Context } from './context.ts';
import type { AccountId, ClientId } from './ids.ts';
import type { ApiUse, ClaimUse, Registration, Text, Town } from './town.ts';

/** A claim as a service may get it. */
export type KnownClaim = ClaimUse & {
  readonly given: boolean;
  /** What the service would get at this moment; undefined if nothing is recorded. */
  readonly value: unknown;
};

/** An API of another organisation that a service may call for the citizen. */
export type KnownApi = ApiUse & {
  /** Of the service that it belongs to. */
  readonly name: Text;
  readonly given: boolean;
  /** The name by which that service knows the citizen; undefined for an API that is gone. */
  readonly pseudonym: string | undefined;
};

/** A service that knows the citizen, as it stands now. */
export type KnownService = {
  readonly clientId: ClientId;
  readonly name: Text;
  readonly organisation: Text;
  /** The name by which the service knows the citizen; undefined for a service that is gone from the town. */
  readonly pseudonym: string | undefined;
  /** Days, YYYY-MM-DD. */
  readonly since: string;
  readonly last: string | undefined;
  readonly claims: readonly KnownClaim[];
  readonly apis: readonly KnownApi[];
};

/** The APIs that a registration names, each by the name of the service that it belongs to. */
const apisOf = async (
  ctx: Context,
  account: AccountId,
  { apis = [] }: Registration,
  given: readonly string[],
): Promise<readonly KnownApi[]> => {
  if (apis.length === 0) return [];
  const all = await clients.all(ctx);
  return apis.map((use) => {
    const owner = all.find(({ registration }) => registration.resource?.identifier === use.resource);
    return {
      ...use,
      name: owner?.registration.name ?? { de: use.resource },
      given: given.includes(use.resource),
      pseudonym: owner && ctx.keys.subject(owner.registration.organisation, account),
    };
  });
};

/** Every service that knows the citizen: by which name, since when, and what it would get now. */
export const knownServices = async (
  ctx: Context,
  account: AccountId,
  town: Pick<Town, 'name' | 'organisations'>,
  find: (clientId: string) => Promise<Registration | undefined>,
): Promise<KnownService[]> => {
  const known: KnownService[] = [];
  for (const consent of await consents.list(ctx, account)) {
    const { clientId, since, last } = consent;
    const registration = await find(clientId);
    if (registration === undefined) {
      const name = { de: clientId };
      known.push({ clientId, name, organisation: { de: '' }, pseudonym: undefined, since, last, claims: [], apis: [] });
      continue;
    }
    // Asked about an older registration: nothing but what both name is given (provider/claims.ts).
    const given = registration.claims.map(({ claim }) => claim).filter((claim) => consent.given.includes(claim));
    const values = await claims.released(ctx, account, registration, given, town);
    known.push({
      clientId,
      name: registration.name,
      organisation: town.organisations.find(({ id }) => id === registration.organisation)?.name ?? {
        de: registration.organisation,
      },
      pseudonym: ctx.keys.subject(registration.organisation, account),
      since,
      last,
      claims: registration.claims.map((use) => ({
        ...use,
        given: given.includes(use.claim),
        value: given.includes(use.claim) ? values[use.claim] : undefined,
      })),
      apis: await apisOf(ctx, account, registration, consent.given),
    });
  }
  return known.sort((one, other) => one.name.de.localeCompare(other.name.de, 'de'));
};

/** What a service would get if the citizen allowed everything that it is registered for. */
export const preview = async (
  ctx: Context,
  account: AccountId,
  town: Pick<Town, 'name'>,
  registration: Registration,
): Promise<{
  readonly pseudonym: string;
  readonly claims: readonly (ClaimUse & { readonly value: unknown })[];
  readonly apis: readonly KnownApi[];
}> => {
  const names = registration.claims.map(({ claim }) => claim);
  const values = await claims.released(ctx, account, registration, names, town);
  return {
    pseudonym: ctx.keys.subject(registration.organisation, account),
    claims: registration.claims.map((use) => ({ ...use, value: values[use.claim] })),
    apis: await apisOf(
      ctx,
      account,
      registration,
      (registration.apis ?? []).map(({ resource }) => resource),
    ),
  };
};
