import type { KoaContextWithOIDC } from 'oidc-provider';
import { OWN_CLIENT } from '../accounts/assurance.ts';
import { requestedApis, requestedClaims } from '../accounts/claims.ts';
import * as consents from '../accounts/consents.ts';
import type { Context } from '../accounts/context.ts';
import { noteUse } from '../accounts/dormancy.ts';
import { type AccountId, type ClientId, parseAccountId, parseClientId } from '../accounts/ids.ts';
import { STAFF_CLIENT_ID, STAFF_SCOPE } from './admin-api/staff-client.ts';
import { available } from './availability.ts';
import type { ReadAccount } from './claims.ts';
import type { Registrations } from './registrations.ts';

type Session = NonNullable<KoaContextWithOIDC['oidc']['session']>;

/**
 * The id of a new grant follows from what parallel requests of one browser have in common, so that these make one grant
 * and not one each: the session, the cookie they came with, account and service. It is never the id of a grant that has
 * ended: that one (`ended`), or the cookie that changes with a sign-out from the service alone, is part of it.
 */
const newGrantId = (
  ctx: Context,
  session: Session,
  account: AccountId,
  clientId: ClientId,
  ended: string | undefined,
): string => {
  // oidc-provider keeps here the id that the cookie had, if it gave the session another one in this request.
  const { oldId = session.jti } = session as { oldId?: string };
  return ctx.keys
    .index('grant', JSON.stringify([session.uid, oldId, account, clientId, ended ?? null]))
    .toString('base64url');
};

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

    const row = await read.whole(account);
    if (row === null) return undefined;
    const foreign = requestedApis(registration, params?.resource);
    const requested = [
      ...requestedClaims(registration, String(params?.scope ?? ''), params?.claims as string | undefined),
      ...foreign,
    ];
    if (requested.length > 0) {
      const consent = consents.findIn(context(), account, clientId, row);
      if (consents.isDue(consent, registration, requested)) return undefined;
    }

    // The citizen's own pages are no service that knows them.
    if (clientId !== OWN_CLIENT) await available(() => consents.noteGiven(context(), account, registration, row));
    await available(() => noteUse(context(), account, row));

    const scopes = [...ctx.oidc.requestParamOIDCScopes];
    const claims = [...ctx.oidc.requestParamClaims];
    // APIs of the same organisation are the same recipient to the citizen; others were allowed, or it would not come here.
    const resources = Object.values(ctx.oidc.resourceServers ?? {}).map((api) => ({
      name: api.identifier(),
      scopes: [...api.scopes].filter((scope) => ctx.oidc.requestParamScopes.has(scope)),
    }));
    const grantId = session.grantIdFor(clientId);
    const existing = grantId === undefined ? undefined : await provider.Grant.find(grantId);
    if (
      clientId !== STAFF_CLIENT_ID &&
      existing?.accountId === account &&
      covers(existing.getOIDCScopeEncountered().split(' '), scopes) &&
      covers(existing.getOIDCClaimsEncountered(), claims) &&
      resources.every(({ name, scopes: api }) => covers(existing.getResourceScopeEncountered(name).split(' '), api))
    ) {
      return existing;
    }
    const isNew = existing?.accountId !== account;
    const grant = isNew ? new provider.Grant({ accountId: account, clientId }) : existing;
    if (isNew) grant.jti = newGrantId(context(), session, account, clientId, grantId);
    grant.addOIDCScope(scopes.join(' '));
    if (clientId === STAFF_CLIENT_ID) {
      for (const resource of Object.keys(ctx.oidc.resourceServers ?? {})) grant.addResourceScope(resource, STAFF_SCOPE);
    }
    if (claims.length > 0) grant.addOIDCClaims(claims);
    for (const { name, scopes: api } of resources) if (api.length > 0) grant.addResourceScope(name, api.join(' '));
    await grant.save();
    // For the same reason the service knows the session by one name, whichever request comes first.
    if (session.sidFor(clientId) === undefined) {
      session.sidFor(clientId, context().keys.index('sid', grant.jti).toString('base64url'));
    }
    return grant;
  };
