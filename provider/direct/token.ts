import { hash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { type Account, type Client, errors, type Grant, type Provider } from 'oidc-provider';
import {
  type Answer,
  Call,
  type DirectParts,
  grantOf,
  isOpaque,
  isPlain,
  jsonAnswer,
  sessionHolds,
  UNBOUND,
} from './call.ts';
import { authenticated, type Fields, formFields, SCOPE } from './form.ts';

const KNOWN = new Set([
  'grant_type',
  'client_id',
  'client_secret',
  'code',
  'redirect_uri',
  'code_verifier',
  'refresh_token',
  'scope',
  'resource',
]);
/** RFC 7636 §4.1. */
const VERIFIER = /^[A-Za-z0-9._~-]{43,128}$/;

type Grants = (parts: DirectParts, call: Call, client: Client, fields: Fields) => Promise<Answer | undefined>;
type Code = InstanceType<Provider['AuthorizationCode']>;
type RefreshToken = InstanceType<Provider['RefreshToken']>;
type AccessToken = InstanceType<Provider['AccessToken']>;

/** Whether it is in force is looked at in `standing`. */
const AS_IT_IS = { ...UNBOUND, ignoreExpiration: true };

/** What our settings say of an API; undefined where they refuse it. */
const apiOf = async <T>(describe: () => Promise<T>): Promise<T | undefined> => {
  try {
    return await describe();
  } catch (error) {
    if (error instanceof errors.InvalidTarget) return undefined;
    throw error;
  }
};

/** RFC 6749 §4.4; for an API by RFC 8707. */
const clientCredentials: Grants = async ({ provider, settings }, call, client, { scope, resource }) => {
  const scopes = scope === undefined ? [] : [...new Set(scope.split(' '))];
  const token = new provider.ClientCredentials({ client, scope: scopes.join(' ') || undefined });
  if (resource === undefined) {
    // Without an API the scopes of citizens would have to be told from others.
    if (scope !== undefined) return undefined;
  } else {
    if (resource.includes('#') || !URL.canParse(resource)) return undefined;
    const described = settings.features?.resourceIndicators?.getResourceServerInfo;
    const server = described && (await apiOf(async () => described(call.ctx, resource, client)));
    if (server === undefined) return undefined;
    const api = new provider.ResourceServer(resource, server);
    token.resourceServer = api;
    token.scope = scopes.filter((one) => api.scopes.has(one)).join(' ') || undefined;
  }
  call.oidc.entity('ClientCredentials', token);
  const value = await token.save();
  return jsonAnswer({
    access_token: value,
    expires_in: token.expiration,
    scope: token.scope || undefined,
    token_type: token.tokenType,
  });
};

/** What a code or refresh token stands for, if all of it is in force. */
const standing = async (
  parts: DirectParts,
  call: Call,
  source: Code | RefreshToken,
): Promise<{ grant: Grant; account: Account } | undefined> => {
  const { clientId, accountId, grantId = '' } = source;
  const { consumed } = source as { consumed?: unknown };
  if (source.isExpired || consumed !== undefined || !isPlain(source) || accountId === undefined) return undefined;
  if (!(await sessionHolds(parts, source))) return undefined;
  const grant = await grantOf(parts.provider, grantId);
  if (grant?.clientId !== clientId || grant?.accountId !== accountId) return undefined;
  const account = await parts.settings.findAccount?.(call.ctx, accountId, source);
  return account && { grant, account };
};

/** OpenID Connect Core §3.1.3.3; what a service learns of a citizen is at userinfo. */
const idToken = async (
  { provider }: DirectParts,
  call: Call,
  source: Code | RefreshToken,
  account: Account,
): Promise<string | undefined> => {
  if (!source.scopes.has('openid')) return undefined;
  const claims = await account.claims('id_token', source.scope ?? '', {}, []);
  const { acr, amr, authTime } = source;
  const available = { ...claims, sub: account.accountId, acr, amr, auth_time: authTime };
  const token = new provider.IdToken(available, { ctx: call.ctx });
  Object.assign(token, { scope: 'openid', mask: {}, rejected: [] });
  token.set('nonce', source.nonce);
  token.set('sid', source.sid);
  return token.issue({ use: 'idtoken' });
};

const accessToken = (
  { provider }: DirectParts,
  call: Call,
  source: Code | RefreshToken,
  client: Client,
  { grant, account }: { grant: Grant; account: Account },
  gty: string,
): AccessToken => {
  const { expiresWithSession, grantId = '', sessionUid, sid } = source;
  const token = new provider.AccessToken({
    accountId: account.accountId,
    client,
    expiresWithSession,
    grantId,
    gty,
    sessionUid,
    sid,
  });
  token.scope = grant.getOIDCScopeFiltered(source.scopes);
  call.oidc.entity('AccessToken', token);
  return token;
};

const lifetime = ({ settings }: DirectParts, call: Call, token: RefreshToken, client: Client): number => {
  const ttl = settings.ttl?.RefreshToken;
  if (typeof ttl !== 'function') throw new TypeError('the settings say how long a refresh token lives');
  return ttl(call.ctx, token, client);
};

const newRefreshToken = (
  parts: DirectParts,
  call: Call,
  client: Client,
  source: Code | RefreshToken,
  more: { gty: string; rotations: number; iiat?: number | undefined },
): RefreshToken => {
  const {
    accountId = '',
    acr,
    amr,
    authTime,
    expiresWithSession,
    grantId = '',
    nonce,
    scope,
    sessionUid,
    sid,
  } = source;
  const token = new parts.provider.RefreshToken({
    accountId,
    acr,
    amr,
    authTime,
    client,
    expiresWithSession,
    grantId,
    nonce,
    scope: scope ?? '',
    sessionUid,
    sid,
    ...more,
  });
  Object.assign(token, { expiresIn: lifetime(parts, call, token, client) });
  call.oidc.entity('RefreshToken', token);
  return token;
};

const answersChallenge = ({ codeChallenge, codeChallengeMethod }: Code, verifier: string | undefined): boolean => {
  if (verifier === undefined || codeChallenge === undefined || codeChallengeMethod !== 'S256') return false;
  if (!VERIFIER.test(verifier)) return false;
  const [asked, given] = [Buffer.from(codeChallenge), Buffer.from(hash('sha256', verifier, 'base64url'))];
  return asked.length === given.length && timingSafeEqual(asked, given);
};

/** RFC 6749 §4.1.3. All that can be refused is looked at before the code is spent. */
const authorizationCode: Grants = async (parts, call, client, fields) => {
  const { code: value, redirect_uri: redirectUri, code_verifier: verifier, resource } = fields;
  if (!isOpaque(value) || resource !== undefined) return undefined;
  const code = await parts.provider.AuthorizationCode.find(value, AS_IT_IS);
  if (code === undefined || code.clientId !== client.clientId || code.redirectUri !== redirectUri) return undefined;
  const found = await standing(parts, call, code);
  if (found === undefined || !answersChallenge(code, verifier)) return undefined;

  await code.consume();
  call.oidc.entity('AuthorizationCode', code);
  call.oidc.entity('Grant', found.grant);
  call.oidc.entity('Account', found.account);
  const gty = 'authorization_code';
  const access = accessToken(parts, call, code, client, found, gty);
  const accessValue = await access.save();
  const lasting = await parts.settings.issueRefreshToken?.(call.ctx, client, code);
  const refresh = lasting === true ? newRefreshToken(parts, call, client, code, { gty, rotations: 0 }) : undefined;
  const refreshValue = await refresh?.save();
  return jsonAnswer({
    access_token: accessValue,
    expires_in: access.expiration,
    id_token: await idToken(parts, call, code, found.account),
    refresh_token: refreshValue,
    scope: access.scope,
    token_type: access.tokenType,
  });
};

const REFRESHED = 'refresh_token';
const refreshedType = (gty: string): string => (gty.endsWith(REFRESHED) ? gty : `${gty} ${REFRESHED}`);

/** RFC 6749 §6; rotated where the settings say so (RFC 9700 §4.14.2). */
const refreshToken: Grants = async (parts, call, client, fields) => {
  const { refresh_token: value, scope, resource } = fields;
  if (!isOpaque(value) || scope !== undefined || resource !== undefined) return undefined;
  const before = await parts.provider.RefreshToken.find(value, AS_IT_IS);
  if (before === undefined || before.clientId !== client.clientId) return undefined;
  const { gty: type } = before;
  const found = await standing(parts, call, before);
  if (found === undefined || type === undefined) return undefined;

  call.oidc.entity('RefreshToken', before);
  call.oidc.entity('Grant', found.grant);
  call.oidc.entity('Account', found.account);
  const rotate = parts.settings.rotateRefreshToken;
  const rotates = typeof rotate === 'function' ? await rotate(call.ctx) : rotate === true;
  let current = before;
  let currentValue = value;
  if (rotates) {
    await before.consume();
    call.oidc.entity('RotatedRefreshToken', before);
    const rotations = (before.rotations ?? 0) + 1;
    const more = { gty: refreshedType(type), rotations, iiat: before.iiat };
    current = newRefreshToken(parts, call, client, before, more);
    currentValue = await current.save();
  }
  const access = accessToken(parts, call, current, client, found, refreshedType(type));
  const accessValue = await access.save();
  return jsonAnswer({
    access_token: accessValue,
    expires_in: access.expiration,
    id_token: await idToken(parts, call, current, found.account),
    refresh_token: currentValue,
    scope: access.scope,
    token_type: access.tokenType,
  });
};

const GRANTS: ReadonlyMap<string | undefined, Grants> = new Map([
  ['client_credentials', clientCredentials],
  ['authorization_code', authorizationCode],
  ['refresh_token', refreshToken],
]);

/**
 * The token endpoint, in oidc-provider's steps. Up to where something is spent each refusal is left to it; afterwards
 * one of its errors is thrown: the store has refused, and nothing was spent here.
 */
export const token =
  (parts: DirectParts) =>
  async (req: IncomingMessage, body: Buffer): Promise<Answer | undefined> => {
    const fields = formFields(body, KNOWN);
    const grants = GRANTS.get(fields?.['grant_type']);
    if (fields === undefined || grants === undefined) return undefined;
    if (fields['scope'] !== undefined && !SCOPE.test(fields['scope'])) return undefined;
    const client = await authenticated(parts, req, fields);
    if (client?.grantTypeAllowed(fields['grant_type'] ?? '') !== true) return undefined;
    const call = new Call(parts.provider, req, 'token', fields);
    call.oidc.entity('Client', client);
    try {
      const answer = await grants(parts, call, client, fields);
      if (answer !== undefined) parts.provider.emit('grant.success', call.ctx);
      return answer;
    } catch (error) {
      if (error instanceof errors.OIDCProviderError && error.expose) {
        parts.provider.emit('grant.error', call.ctx, error);
      }
      throw error;
    }
  };
