import type { FindAccount } from 'oidc-provider';
import * as accounts from '../accounts/accounts.ts';
import * as claims from '../accounts/claims.ts';
import * as consents from '../accounts/consents.ts';
import type { Context } from '../accounts/context.ts';
import { parseAccountId, parseClientId } from '../accounts/ids.ts';
import type { Town } from '../accounts/town.ts';
import { available } from './availability.ts';
import type { Registrations } from './registrations.ts';

/**
 * How oidc-provider finds a citizen: undefined unless the account is active, so that every grant, token and session of a
 * locked or closed account fails at once. Claims are those that the registration names and the citizen allowed; the
 * id_token carries none of them (they are at userinfo), as it travels through the browser.
 */
export const findAccount =
  (context: () => Context, registrations: Registrations, town: Town): FindAccount =>
  async (ctx, subject) => {
    const id = parseAccountId(subject);
    if (id === undefined || !(await available(() => accounts.isActive(context(), id)))) return undefined;
    return {
      accountId: id,
      async claims(use) {
        const registration = registrations.find(ctx.oidc.client?.clientId ?? '');
        const clientId = parseClientId(registration?.clientId);
        if (use === 'id_token' || registration === undefined || clientId === undefined) return { sub: id };
        return available(async () => {
          const consent = await consents.find(context(), id, clientId);
          const given = new Set(consent?.given);
          const allowed = registration.claims.map(({ claim }) => claim).filter((claim) => given.has(claim));
          if (allowed.length === 0) return { sub: id };
          return { ...(await claims.released(context(), id, registration, allowed, town)), sub: id };
        });
      },
    };
  };
