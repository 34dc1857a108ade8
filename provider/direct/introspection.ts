import type { IncomingMessage } from 'node:http';
import { type Answer, Call, type DirectParts, grantOf, isOpaque, jsonAnswer, sessionHolds, UNBOUND } from './call.ts';
import { authenticated, formFields } from './form.ts';

const KNOWN = new Set(['token', 'token_type_hint', 'client_id', 'client_secret']);
/** Whoever can read a signed answer says so (RFC 9701 §4), in as many ways as there are to say what is accepted; these do not. */
const PLAIN_JSON = new Set([undefined, '*/*', 'application/json', 'application/json, text/plain, */*']);
const INACTIVE = { active: false } as const;

/** RFC 7662, in oidc-provider's steps. */
export const introspection =
  (parts: DirectParts) =>
  async (req: IncomingMessage, body: Buffer): Promise<Answer | undefined> => {
    const { provider, settings } = parts;
    const { introspection: feature } = settings.features ?? {};
    const fields = formFields(body, KNOWN);
    const value = fields?.['token'];
    if (fields === undefined || !isOpaque(value) || !PLAIN_JSON.has(req.headers.accept)) return undefined;
    const client = await authenticated(parts, req, fields);
    if (client === undefined || client['introspectionEncryptedResponseAlg'] !== undefined) return undefined;

    const [access, own, refresh] = await Promise.all([
      provider.AccessToken.find(value, UNBOUND),
      provider.ClientCredentials.find(value),
      provider.RefreshToken.find(value, UNBOUND),
    ]);
    const token = access ?? own ?? refresh;
    if (token === undefined || !token.isValid || !(await sessionHolds(parts, token))) return jsonAnswer(INACTIVE);
    const grantId = 'grantId' in token ? token.grantId : undefined;
    const accountId = 'accountId' in token ? token.accountId : undefined;
    if (grantId !== undefined) {
      const grant = await grantOf(provider, grantId);
      if (grant?.clientId !== token.clientId || grant?.accountId !== accountId) return jsonAnswer(INACTIVE);
    }
    const call = new Call(provider, req, 'introspection', fields);
    call.oidc.entity('Client', client);
    if ((await feature?.allowedPolicy?.(call.ctx, client, token)) !== true) return jsonAnswer(INACTIVE);

    const holder = token.clientId === client.clientId ? client : await provider.Client.find(token.clientId ?? '');
    if (holder === undefined) return undefined;
    const pairwise = accountId !== undefined && holder.subjectType === 'pairwise';
    const sub = pairwise ? await settings.pairwiseIdentifier?.(call.ctx, accountId, holder) : accountId;
    const { jkt, 'x5t#S256': thumbprint } = token;
    return jsonAnswer({
      active: true,
      sub,
      ...('extra' in token ? token.extra : undefined),
      client_id: token.clientId,
      exp: token.exp,
      iat: token.iat,
      sid: 'sid' in token ? token.sid : undefined,
      iss: provider.issuer,
      jti: token.jti === value ? undefined : token.jti,
      aud: 'aud' in token ? token.aud : undefined,
      scope: token.scope || undefined,
      cnf: token.isSenderConstrained() ? { 'x5t#S256': thumbprint, jkt } : undefined,
      token_type: token.kind === 'RefreshToken' ? undefined : (token as { tokenType?: string }).tokenType,
    });
  };
