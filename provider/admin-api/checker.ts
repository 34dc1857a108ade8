import { createHmac, randomBytes, randomUUID } from 'node:crypto';
import { importJWK, SignJWT } from 'jose';
import * as clientFailures from '../../accounts/client-failures.ts';
import type { Context } from '../../accounts/context.ts';
import * as exemptions from '../../accounts/exemptions.ts';
import { parseClientId } from '../../accounts/ids.ts';
import * as signingKeys from '../../accounts/signing-keys.ts';
import type { Registration } from '../../accounts/town.ts';
import { type Answered, type Visited, visit } from '../../adapters/neighbour.ts';
import { needsMutualTls } from '../mtls.ts';

/** One thing that was looked at. `code` is a text of the command line, which says what to do. */
export type CheckFinding = {
  readonly check: string;
  readonly state: 'good' | 'warning' | 'bad';
  readonly code: string;
  readonly value?: string;
};

type Parts = { readonly issuer: URL; readonly allowPrivate: boolean; readonly mutualTls: boolean };
type Look = {
  readonly ctx: Context;
  readonly registration: Registration;
  readonly secrets: number;
  readonly parts: Parts;
};

const DAY_MS = 24 * 3_600_000;
const CERTIFICATE_DAYS = 21;
const EXEMPTION_DAYS = 60;
const CLOCK_SECONDS = 10;
const MOST_ADDRESSES = 20;
const LOGOUT_EVENT = 'http://schemas.openid.net/event/backchannel-logout';
const TOKEN_SECONDS = 120;

const good = (check: string, code: string, value?: string): CheckFinding => ({
  check,
  state: 'good',
  code,
  ...(value !== undefined && { value }),
});
const warning = (check: string, code: string, value?: string): CheckFinding => ({
  check,
  state: 'warning',
  code,
  ...(value !== undefined && { value }),
});
const bad = (check: string, code: string, value?: string): CheckFinding => ({
  check,
  state: 'bad',
  code,
  ...(value !== undefined && { value }),
});

const isWeb = (address: string): boolean => /^https?:/.test(address);
const daysUntil = (at: Date, now: Date): number => Math.floor((at.getTime() - now.getTime()) / DAY_MS);

/** The addresses that the registration names, by what they are for. */
const addressesOf = (registration: Registration): (readonly [check: string, address: string])[] => {
  const { redirectUris, postLogoutRedirectUris, homepage, initiateLoginUri } = registration;
  const named: (readonly [string, string | undefined])[] = [
    ...redirectUris.map((address) => ['redirect_uri', address] as const),
    ...postLogoutRedirectUris.map((address) => ['post_logout_redirect_uri', address] as const),
    ['client_uri', homepage],
    ['initiate_login_uri', initiateLoginUri],
  ];
  return named
    .flatMap(([check, address]) => (address !== undefined && isWeb(address) ? [[check, address] as const] : []))
    .slice(0, MOST_ADDRESSES);
};

const judge = (check: string, address: string, visited: Visited): CheckFinding => {
  if (visited.outcome === 'failed') return bad(check, 'unreachable', `${address} ${visited.code}`);
  const { status, headers } = visited;
  const value = `${address} ${status}`;
  if (status >= 500) return bad(check, 'answers-5xx', value);
  if (status === 404 || status === 410) return warning(check, 'answers-404', value);
  const { location } = headers;
  const away = typeof location === 'string' && URL.canParse(location, address) ? new URL(location, address) : undefined;
  // Asked without a code, a service leads on to wherever it likes; to another scheme it leads where it knows its own wrongly.
  if (check !== 'initiate_login_uri' && away !== undefined && away.protocol !== new URL(address).protocol)
    return warning(check, 'changes-scheme', `${address} → ${away.origin}`);
  return good(check, 'reachable', value);
};

/** TLS and clock of each host, as the visits showed them. */
const judgeHosts = (visits: readonly (readonly [string, Visited])[], now: Date): CheckFinding[] => {
  const hosts = new Map<string, Answered>();
  for (const [address, visited] of visits) {
    if (visited.outcome === 'answered') hosts.set(new URL(address).host, visited);
  }
  return [...hosts].flatMap(([host, { tls, headers }]): CheckFinding[] => {
    const findings: CheckFinding[] = [];
    if (tls !== undefined) {
      const days = daysUntil(tls.validTo, now);
      findings.push(
        days < CERTIFICATE_DAYS
          ? warning('tls', 'certificate-ends-soon', `${host} ${days} d`)
          : good('tls', 'tls-good', `${host} ${tls.protocol}, ${days} d`),
      );
      if (!/^TLSv1\.[23]$/.test(tls.protocol)) findings.push(bad('tls', 'tls-old', `${host} ${tls.protocol}`));
    }
    const date = Date.parse(String(headers['date'] ?? ''));
    if (Number.isNaN(date)) return findings;
    const seconds = Math.round((date - now.getTime()) / 1000);
    findings.push(
      Math.abs(seconds) > CLOCK_SECONDS
        ? warning('clock', 'service-clock', `${host} ${seconds} s`)
        : good('clock', 'clock-agrees', `${host} ${seconds} s`),
    );
    return findings;
  });
};

const checkKeys = async ({ registration, parts }: Look): Promise<CheckFinding[]> => {
  const { jwksUri } = registration;
  if (jwksUri === undefined) return [];
  const visited = await visit(new URL(jwksUri), parts);
  if (visited.outcome === 'failed') return [bad('jwks_uri', 'unreachable', `${jwksUri} ${visited.code}`)];
  try {
    const { keys } = JSON.parse(visited.text) as { keys: { d?: unknown; kid?: unknown }[] };
    if (keys.some(({ d }) => d !== undefined)) return [bad('jwks_uri', 'keys-private', jwksUri)];
    if (keys.length === 0) return [bad('jwks_uri', 'keys-none-there', jwksUri)];
    const nameless = keys.length > 1 && keys.some(({ kid }) => typeof kid !== 'string');
    return [
      nameless ? warning('jwks_uri', 'keys-without-kid', jwksUri) : good('jwks_uri', 'keys-there', `${keys.length}`),
    ];
  } catch {
    return [bad('jwks_uri', 'keys-unreadable', jwksUri)];
  }
};

type LogoutToken = (changes: { claims?: Record<string, unknown>; forge?: boolean }) => Promise<string>;

/** Logout tokens (OpenID Connect Back-Channel Logout 1.0 §2.4) about a subject and a session that nobody has. */
const logoutTokens = async ({ ctx, registration, parts }: Look): Promise<LogoutToken> => {
  const algorithm = registration.rs256 === undefined ? 'ES256' : 'RS256';
  const key = (await signingKeys.load(ctx)).find(({ alg, state }) => alg === algorithm && state === 'current');
  if (key === undefined) throw new Error('there is no key to sign with');
  const signer = await importJWK(key.privateJwk, algorithm);
  return async ({ claims = {}, forge = false }) => {
    const now = Math.floor(ctx.now().getTime() / 1000);
    const token = await new SignJWT({
      iss: parts.issuer.origin,
      aud: registration.clientId,
      sub: createHmac('sha256', randomBytes(32)).update('nobody').digest('base64url'),
      sid: randomUUID(),
      jti: randomUUID(),
      iat: now,
      exp: now + TOKEN_SECONDS,
      events: { [LOGOUT_EVENT]: {} },
      ...claims,
    })
      .setProtectedHeader({ alg: algorithm, kid: key.kid, typ: 'logout+jwt' })
      .sign(signer);
    if (!forge) return token;
    const [header, payload, signature = ''] = token.split('.');
    return [header, payload, Buffer.from(signature, 'base64url').reverse().toString('base64url')].join('.');
  };
};

/** Sends a logout token that must be taken, and three that must not (§2.6, §2.8). */
const checkLogout = async (look: Look): Promise<CheckFinding[]> => {
  const { registration, parts, ctx } = look;
  const address = registration.backchannelLogoutUri;
  if (address === undefined) return [warning('backchannel_logout', 'no-backchannel')];
  const make = await logoutTokens(look);
  const now = Math.floor(ctx.now().getTime() / 1000);
  const send = async (changes: Parameters<LogoutToken>[0]): Promise<Visited> =>
    visit(new URL(address), { ...parts, form: { logout_token: await make(changes) } });
  const right = await send({});
  if (right.outcome === 'failed') return [bad('backchannel_logout', 'unreachable', `${address} ${right.code}`)];
  const taken = right.status === 200 || right.status === 204;
  const findings = [
    taken
      ? good('backchannel_logout', 'logout-taken', `${right.status}`)
      : bad('backchannel_logout', 'logout-refused', `${right.status}`),
  ];
  const wrong: Readonly<Record<string, Parameters<LogoutToken>[0]>> = {
    signature: { forge: true },
    expired: { claims: { iat: now - 7200, exp: now - 7000 } },
    audience: { claims: { aud: `${registration.clientId}2` } },
  };
  for (const [what, changes] of Object.entries(wrong)) {
    const answered = await send(changes);
    const refused = answered.outcome === 'answered' && answered.status >= 400 && answered.status < 500;
    const status = answered.outcome === 'answered' ? `${answered.status}` : answered.code;
    findings.push(
      refused
        ? good('backchannel_logout', `logout-${what}-refused`, status)
        : bad('backchannel_logout', `logout-${what}-taken`, status),
    );
  }
  return findings;
};

/** How its sign-ins came lately, and what was refused. */
const checkRequests = async ({ ctx, registration }: Look): Promise<CheckFinding[]> => {
  const clientId = parseClientId(registration.clientId);
  if (clientId === undefined) return [];
  const [shapes, failures] = await Promise.all([
    clientFailures.shapes(ctx, clientId),
    clientFailures.list(ctx, clientId),
  ]);
  const [latest] = shapes;
  const findings: CheckFinding[] = [];
  if (latest === undefined) findings.push(warning('requests', 'never-seen'));
  else {
    // On its last day the service may have sent several kinds; each part counts that one of them lacks.
    const today = shapes.filter(({ seenOn }) => seenOn === latest.seenOn);
    const lacks = (part: string): boolean => today.some(({ parts }) => !parts.includes(part));
    for (const part of ['pkce', 'state', 'nonce'])
      findings.push(
        lacks(part)
          ? warning('requests', `without-${part}`, latest.seenOn)
          : good('requests', `with-${part}`, latest.seenOn),
      );
  }
  const count = failures.reduce((sum, one) => sum + one.count, 0);
  findings.push(count > 0 ? warning('requests', 'refused-lately', `${count}`) : good('requests', 'none-refused'));
  return findings;
};

/** What the registration itself says. */
const checkRegistration = ({ ctx, registration, secrets, parts }: Look): CheckFinding[] => {
  const findings: CheckFinding[] = [];
  const { authMethod, contacts } = registration;
  for (const [rule, { until }] of exemptions.of(registration)) {
    const ends = daysUntil(new Date(until), ctx.now()) < EXEMPTION_DAYS;
    const code = ends ? `${rule}-exemption-ends` : `${rule}-exemption`;
    findings.push((ends ? warning : good)('registration', code, until));
  }
  if (secrets > 1) findings.push(warning('registration', 'two-secrets'));
  if (authMethod.startsWith('client_secret') && secrets === 0) findings.push(bad('registration', 'no-secret'));
  if (contacts.length === 0) findings.push(warning('registration', 'no-contacts'));
  if (needsMutualTls(registration) && !parts.mutualTls) findings.push(bad('registration', 'no-mutual-tls'));
  return findings;
};

/** Looks at a service as its neighbour does: what it says of itself, what it answers, how it asks. */
export const check = async (look: Look): Promise<CheckFinding[]> => {
  const { registration, parts, ctx } = look;
  const visits = await Promise.all(
    addressesOf(registration).map(
      async ([name, address]) => [name, address, await visit(new URL(address), parts)] as const,
    ),
  );
  const [keys, logout, requests] = await Promise.all([checkKeys(look), checkLogout(look), checkRequests(look)]);
  return [
    ...checkRegistration(look),
    ...visits.map(([name, address, visited]) => judge(name, address, visited)),
    ...judgeHosts(
      visits.map(([, address, visited]) => [address, visited] as const),
      ctx.now(),
    ),
    ...keys,
    ...logout,
    ...requests,
  ];
};
