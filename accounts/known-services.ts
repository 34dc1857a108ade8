import * as claims from './claims.ts';
import * as consents from './consents.ts';
import type { Context } from './context.ts';
import type { AccountId, ClientId } from './ids.ts';
import type { ClaimUse, Registration, Text, Town } from './town.ts';

/** A claim as a service may get it. */
export type KnownClaim = ClaimUse & {
  readonly given: boolean;
  /** What the service would get at this moment; undefined if nothing is recorded. */
  readonly value: unknown;
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
      known.push({ clientId, name, organisation: { de: '' }, pseudonym: undefined, since, last, claims: [] });
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
): Promise<{ readonly pseudonym: string; readonly claims: readonly (ClaimUse & { readonly value: unknown })[] }> => {
  const names = registration.claims.map(({ claim }) => claim);
  const values = await claims.released(ctx, account, registration, names, town);
  return {
    pseudonym: ctx.keys.subject(registration.organisation, account),
    claims: registration.claims.map((use) => ({ ...use, value: values[use.claim] })),
  };
};
