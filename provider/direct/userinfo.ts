import type { IncomingMessage } from 'node:http';
import {
  type Answer,
  Call,
  type DirectParts,
  grantOf,
  isPlain,
  jsonAnswer,
  plainClient,
  sessionHolds,
  UNBOUND,
} from './call.ts';

const BEARER = /^bearer ([A-Za-z0-9_-]{43})$/i;

/** The token of a request for userinfo as nearly all of them come (RFC 6750 §2.1): opaque, in the header, by GET. */
export const bearerToken = ({ headers }: IncomingMessage): string | undefined => {
  const body = headers['content-length'] !== undefined || headers['content-type'] !== undefined;
  return body ? undefined : BEARER.exec(headers.authorization ?? '')?.[1];
};

/** OpenID Connect Core §5.3, in oidc-provider's steps. */
export const userinfo =
  (parts: DirectParts) =>
  async (req: IncomingMessage, value: string): Promise<Answer | undefined> => {
    const { provider, settings } = parts;
    const token = await provider.AccessToken.find(value, UNBOUND);
    if (token === undefined || token.aud !== undefined || !isPlain(token) || !token.scopes.has('openid'))
      return undefined;
    const client = await plainClient(parts, token.clientId);
    if (client === undefined || !(await sessionHolds(parts, token))) return undefined;
    const call = new Call(provider, req, 'userinfo', {});
    call.oidc.entity('AccessToken', token);
    call.oidc.entity('Client', client);
    const account = await settings.findAccount?.(call.ctx, token.accountId, token);
    const grant = await grantOf(provider, token.grantId);
    if (account === undefined || grant === undefined) return undefined;
    if (grant.clientId !== client.clientId || grant.accountId !== token.accountId) return undefined;
    const scope = grant.getOIDCScopeFiltered(token.scopes);
    const claims = await account.claims('userinfo', scope, {}, []);
    const released = new provider.Claims({ ...claims, sub: account.accountId }, { ctx: call.ctx });
    return jsonAnswer(await released.scope(scope).result());
  };
