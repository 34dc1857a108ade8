import type { KoaContextWithOIDC } from 'oidc-provider';
import { OWN_CLIENT } from '../accounts/assurance.ts';
import { requestedClaims } from '../accounts/claims.ts';
import * as consents from '../accounts/consents.ts';
import type { Context } from '../accounts/context.ts';
import { noteUse } from '../accounts/dormancy.ts';
import { parseAccountId, parseClientId } from '../accounts/ids.ts';
import { STAFF_SCOPE } from './admin-api/staff-client.ts';
import { available } from './availability.ts';
import type { ReadAccount } from './claims.ts';
import type { Registrations } from './registrations.ts';

const covers = (encountered: Iterable<string>, wanted: readonly string[]): boolean => {
  const seen = new Set(encountered);
  return wanted.every((item) => seen.has(item));
};

/**
 * Turns the citizen's consent into oidc-provider's Grant. No consent, or one for an older registration, gives no grant:
 * the policy then asks the citizen. A service that gets nothing but a pseudonym needs none.
 *
 * The grant says which scopes and claims may be asked for; what is given is decided when claims are read, from the
 * consent itself (claims.ts).
 */
export const loadExistingGrant =
  (context: () => Context, registrations: Registrations, read: ReadAccount) => async (ctx: KoaContextWithOIDC) => {
    const { client, session, provider, params } = ctx.oidc;
    const account = parseAccountId(session?.accountId);
    const clientId = parseClientId(client?.clientId);
    const registration = registrations.find(client?.clientId ?? '');
    if (session === undefined || account === undefined || clientId === undefined || registration === undefined) {
      return undefined;
    }

    const row = await read(account);
    if (row === null) return undefined;
    const requested = requestedClaims(registration, String(params?.scope ?? ''), params?.claims as string | undefined);
    if (requested.length > 0) {
      const consent = consents.findIn(context(), account, clientId, row);
      if (consents.isDue(consent, registration, requested)) return undefined;
    }

    // The citizen's own pages are no service that knows them.
    if (clientId !== OWN_CLIENT) await available(() => consents.noteGiven(context(), account, registration, row));
    await available(() => noteUse(context(), account, row));

    const scopes = [...ctx.oidc.requestParamOIDCScopes];
    const claims = [...ctx.oidc.requestParamClaims];
    // APIs of the same organisation: to the citizen it is the same recipient.
    const resources = Object.values(ctx.oidc.resourceServers ?? {}).map((api) => ({
      name: api.identifier(),
      scopes: [...api.scopes].filter((scope) => ctx.oidc.requestParamScopes.has(scope)),
    }));
    const grantId = session.grantIdFor(clientId);
    const existing = grantId === undefined ? undefined : await provider.Grant.find(grantId);
    if (
      registration.staff !== true &&
      existing?.accountId === account &&
      covers(existing.getOIDCScopeEncountered().split(' '), scopes) &&
      covers(existing.getOIDCClaimsEncountered(), claims) &&
      resources.every(({ name, scopes: api }) => covers(existing.getResourceScopeEncountered(name).split(' '), api))
    ) {
      return existing;
    }
    const grant = existing?.accountId === account ? existing : new provider.Grant({ accountId: account, clientId });
    grant.addOIDCScope(scopes.join(' '));
    if (registration.staff === true) {
      for (const resource of Object.keys(ctx.oidc.resourceServers ?? {})) grant.addResourceScope(resource, STAFF_SCOPE);
    }
    if (claims.length > 0) grant.addOIDCClaims(claims);
    for (const { name, scopes: api } of resources) if (api.length > 0) grant.addResourceScope(name, api.join(' '));
    await grant.save();
    return grant;
  };
