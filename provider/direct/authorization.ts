import type { IncomingMessage } from 'node:http';
import { errors, type interactionPolicy, type KoaContextWithOIDC, type Provider } from 'oidc-provider';
import { cookiePairs } from '../../interactions/cookie-header.ts';
import type { CookieSigning } from '../cookie-signing.ts';
import { type Answer, Call, type DirectParts, plainClient } from './call.ts';
import { type Fields, fieldsIn, SCOPE } from './form.ts';

/** What a request asks that asks for nothing special. */
const KNOWN = new Set([
  'client_id',
  'response_type',
  'redirect_uri',
  'scope',
  'state',
  'nonce',
  'code_challenge',
  'code_challenge_method',
]);
/** RFC 7636 §4.2. */
const CHALLENGE = /^[A-Za-z0-9._~-]{43,128}$/;
/** An address that comes out of every encoding as it went in. */
const PLAIN_ADDRESS = /^[A-Za-z0-9\-._~:/?#@!$&'()*+,;=]+$/;

/** What a client's metadata may demand of every request of its; of `defaultMaxAge`, 0 is the strictest. */
const DEMANDS = [
  'responseModes',
  'defaultAcrValues',
  'defaultMaxAge',
  'requireAuthTime',
  'requirePushedAuthorizationRequests',
  'requireSignedRequestObject',
] as const;

type Session = InstanceType<Provider['Session']>;

type Asked = { readonly clientId: string; readonly redirectUri: string; readonly fields: Fields };

const askedIn = (query: string): Asked | undefined => {
  const fields = fieldsIn(query, KNOWN);
  const { client_id: clientId, redirect_uri: redirectUri, scope = '' } = fields ?? {};
  if (fields === undefined || clientId === undefined || redirectUri === undefined || query.includes('#'))
    return undefined;
  if (fields['response_type'] !== 'code' || fields['code_challenge_method'] !== 'S256') return undefined;
  if (!CHALLENGE.test(fields['code_challenge'] ?? '') || !PLAIN_ADDRESS.test(redirectUri)) return undefined;
  const scopes = scope.split(' ');
  if (!SCOPE.test(scope) || !scopes.includes('openid') || scopes.includes('offline_access')) return undefined;
  return new Set(scopes).size === scopes.length ? { clientId, redirectUri, fields } : undefined;
};

/** The one value of a cookie; undefined where there is none, or where a browser sends several of that name. */
const cookieIn = (pairs: ReturnType<typeof cookiePairs>, name: string): string | undefined => {
  const [one, ...others] = pairs.filter(([known]) => known === name);
  return others.length === 0 ? one?.[1] : undefined;
};

/** Whether the policy has nothing to ask the citizen: every check of every prompt is content. */
const isContent = async (policy: Iterable<interactionPolicy.Prompt>, ctx: KoaContextWithOIDC): Promise<boolean> => {
  for (const { checks } of policy) {
    const due = await Promise.all(Array.from(checks, ({ check }) => check(ctx)));
    if (due.some((one) => one)) return false;
  }
  return true;
};

/** Policy and store may refuse a request altogether; how that is said is oidc-provider's business. */
const orElsewhere = async <T>(work: () => Promise<T>): Promise<T | undefined> => {
  try {
    return await work();
  } catch (error) {
    if (error instanceof errors.OIDCProviderError && error.statusCode < 500) return undefined;
    throw error;
  }
};

const ESCAPED: Readonly<Record<string, string>> = { '&': '&amp;', "'": '&#39;' };

export const REDIRECT_HEADERS = ['Cache-Control', 'no-store'] as const;

/** What a program without wishes and a browser send; undefined where it takes more to see what is accepted. */
const acceptsHtml = (accept: string | undefined): boolean | undefined => {
  if (accept === undefined || accept === '*/*' || /^text\/html(?:$|,(?!.*text\/))/.test(accept)) return true;
  return accept === 'application/json' ? false : undefined;
};

/** RFC 6749 §4.1.2 with the issuer (RFC 9207), as oidc-provider and Koa write it. */
const redirect = (
  html: boolean,
  redirectUri: string,
  parameters: Readonly<Record<string, string | undefined>>,
  cookies: readonly string[],
): Answer => {
  const to = new URL(redirectUri);
  for (const [name, value] of Object.entries(parameters)) if (value !== undefined) to.searchParams.set(name, value);
  const shown = html ? to.href.replace(/[&']/g, (sign) => ESCAPED[sign] ?? sign) : to.href;
  return {
    kind: 'redirect',
    headers: [
      ...cookies.flatMap((cookie) => ['Set-Cookie', cookie]),
      'Location',
      to.href,
      'Content-Type',
      html ? 'text/html; charset=utf-8' : 'text/plain; charset=utf-8',
    ],
    body: `Redirecting to ${shown}.`,
  };
};

export type AuthorizationParts = DirectParts & {
  /** What cookies are signed by. */
  readonly signing: CookieSigning;
  readonly secure: boolean;
};

/**
 * A sign-on of a citizen who is signed in already, and of whom nothing is to be asked (OpenID Connect Core §3.1.2), in
 * oidc-provider's steps. Everything else, and every doubt, is left to it: nothing is stored before all is clear, except
 * what would be stored in the same way there.
 */
export const authorization = (parts: AuthorizationParts) => {
  const { provider, settings, signing, secure } = parts;
  const cookieName = provider.cookieName('session');
  const attributes = `; path=/; samesite=lax${secure ? '; secure' : ''}; httponly`;
  const { policy } = settings.interactions ?? {};
  const sessionSeconds = settings.ttl?.Session;
  if (policy === undefined || typeof sessionSeconds !== 'function')
    throw new TypeError('the settings say what is asked');

  const sessionId = (header: string): string | undefined => {
    const pairs = cookiePairs(header);
    const id = cookieIn(pairs, cookieName);
    const signature = cookieIn(pairs, `${cookieName}.sig`);
    // Signed by an older key, a cookie is renewed: not here.
    if (id === undefined || signature === undefined) return undefined;
    return signing.index(`${cookieName}=${id}`, signature) === 0 ? id : undefined;
  };

  /** With the end of the session, unless it is to end with the browser. */
  const cookies = (session: Session): string[] => {
    const pair = `${cookieName}=${session.jti}`;
    const until = session.transient === true ? '' : `; expires=${new Date(session.exp * 1000).toUTCString()}`;
    return [pair, `${cookieName}.sig=${signing.sign(pair)}`].map((one) => `${one}${attributes}${until}`);
  };

  return async (req: IncomingMessage, query: string): Promise<Answer | undefined> => {
    const asked = askedIn(query);
    const html = acceptsHtml(req.headers.accept);
    const id = asked && sessionId(req.headers.cookie ?? '');
    if (asked === undefined || html === undefined || id === undefined) return undefined;
    const { clientId, redirectUri, fields } = asked;
    const client = await plainClient(parts, clientId);
    if (client === undefined || client.redirectUriAllowed(redirectUri) !== true) return undefined;
    if (!client.responseTypeAllowed('code') || DEMANDS.some((name) => (client[name] ?? false) !== false))
      return undefined;

    const session = await provider.Session.find(id);
    const { accountId } = session ?? {};
    if (session === undefined || accountId === undefined) return undefined;
    const call = new Call(provider, req, 'authorization', { ...fields });
    const { oidc, ctx } = call;
    oidc.session = session;
    oidc.entity('Session', session);
    oidc.entity('Client', client);
    const account = await settings.findAccount?.(ctx, accountId);
    if (account === undefined) return undefined;
    oidc.entity('Account', account);
    const grant = await orElsewhere(async () => settings.loadExistingGrant?.(ctx));
    if (grant?.accountId !== accountId || grant.clientId !== clientId) return undefined;
    oidc.entity('Grant', grant);
    const scope = grant.getOIDCScopeFiltered(oidc.requestParamOIDCScopes);
    if (scope === '' || (await orElsewhere(() => isContent(policy, ctx))) !== true) return undefined;

    session.ensureClientContainer(clientId);
    session.grantIdFor(clientId, grant.jti);
    provider.emit('authorization.accepted', ctx);
    const code = new provider.AuthorizationCode({
      accountId,
      acr: oidc.acr,
      amr: oidc.amr,
      authTime: session.authTime(),
      client,
      gty: 'authorization_code',
      codeChallenge: fields['code_challenge'],
      codeChallengeMethod: fields['code_challenge_method'],
      grantId: grant.jti,
      nonce: fields['nonce'],
      redirectUri,
      scope,
      sessionUid: session.uid,
    });
    if ((await settings.expiresWithSession?.(ctx, code)) === true) code.expiresWithSession = true;
    else session.authorizationFor(clientId).persistsLogout = true;
    if (client.includeSid()) code.sid = session.sidFor(clientId);
    oidc.entity('AuthorizationCode', code);
    // Refused by the store, nothing was stored: the session or grant has ended at this very moment, and the service is told.
    const value = await orElsewhere(async () => {
      const made = await code.save();
      await session.save(sessionSeconds(ctx, session));
      return made;
    });
    if (value === undefined) return undefined;
    provider.emit('authorization.success', ctx, { code: value });
    const answered = { code: value, state: fields['state'], iss: provider.issuer };
    return redirect(html, redirectUri, answered, cookies(session));
  };
};
