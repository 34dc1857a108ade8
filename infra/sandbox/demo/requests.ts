import type { IncomingMessage, ServerResponse } from 'node:http';
import * as oidc from 'openid-client';
import type { Registration } from '../../../accounts/town.ts';
import type { Failure } from './service.view.ts';

const MAX_BODY_BYTES = 64 * 1024;

/** Which scope of OpenID Connect Core §5.4 asks for a claim; what no scope covers is asked by the `claims` parameter. */
const SCOPES: Readonly<Record<string, readonly string[]>> = {
  profile: ['name', 'given_name', 'family_name', 'preferred_username', 'birthdate', 'locale'],
  email: ['email', 'email_verified'],
  address: ['address'],
};

/** How the service authenticates, as it is registered. */
export const clientAuthentication = (registration: Registration, secret: string | undefined): oidc.ClientAuth => {
  if (registration.authMethod === 'client_secret_basic' && secret !== undefined) return oidc.ClientSecretBasic(secret);
  if (registration.authMethod === 'client_secret_post' && secret !== undefined) return oidc.ClientSecretPost(secret);
  return oidc.None();
};

/** `scope` and `claims` for what the registration names. */
export const claimRequest = (registration: Registration): { scope: string; claims?: string } => {
  const wanted = registration.claims.map(({ claim }) => claim);
  const scopes = Object.keys(SCOPES).filter((scope) => wanted.some((claim) => SCOPES[scope]?.includes(claim)));
  const others = wanted.filter((claim) => !Object.values(SCOPES).flat().includes(claim));
  const claims = { userinfo: Object.fromEntries(others.map((claim) => [claim, null])) };
  return { scope: ['openid', ...scopes].join(' '), ...(others.length > 0 && { claims: JSON.stringify(claims) }) };
};

/** What went wrong, as a code and words for a developer. */
export const failureOf = (error: unknown): Failure => {
  if (error instanceof oidc.AuthorizationResponseError || error instanceof oidc.ResponseBodyError) {
    return { code: error.error, detail: error.error_description ?? '' };
  }
  const { code, message } = error as { code?: unknown; message?: unknown };
  return { code: typeof code === 'string' ? code : 'provider_unreachable', detail: String(message) };
};

/** Sends the browser on (303), with a cookie if there is one to set. */
export const redirect = (res: ServerResponse, target: URL, setCookie?: string): void => {
  res.writeHead(303, {
    location: target.href,
    'cache-control': 'no-store',
    ...(setCookie !== undefined && { 'set-cookie': setCookie }),
  });
  res.end();
};

/** The body as text; nothing of one that is too large. */
export const readBody = async (req: IncomingMessage): Promise<string> => {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of req as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) return '';
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
};
