/** Independent visits of many citizens to two organisations, with everything that these get to see. */
import { randomInt } from 'node:crypto';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import * as accounts from '../../accounts/accounts.ts';
import { hashNew } from '../../accounts/passwords.ts';
import { Secret } from '../../accounts/secret.ts';
import type { Registration } from '../../accounts/town.ts';
import { createHashing } from '../../adapters/hashing.ts';
import type { Received } from './linkage.ts';
import { serviceWith } from './registration.ts';
import { atHome, authorizationUrl, basic, pkce, post, redeem, type Tokens, userinfo } from './relying-party.ts';
import { type RunningTown, type ServiceName, startTown, TEST_TOWN } from './town.ts';
import { type Answer, forms, type Send, Visitor } from './visitor.ts';

const PASSWORD = 'viele Leute gehen in die Stadt';
const AT_ONCE = 4;

/** Citizens with a Bürgerkennung and a password; the identifiers to sign in by. */
export const addCitizens = async (town: RunningTown, count: number): Promise<string[]> => {
  const hashing = createHashing({ processes: 1, queue: 1, memoryKiB: 19_456, passes: 2 });
  const hash = await hashNew(town.context(), hashing, new Secret(PASSWORD));
  await hashing.close();
  const identifiers: string[] = [];
  for (let n = 0; n < count; n += 1) {
    const credential = { kind: 'password', hash } as const;
    const registered = await accounts.register(town.context(), { town: TEST_TOWN, language: 'de', credential });
    if (registered.outcome !== 'registered') throw new Error(registered.outcome);
    identifiers.push(registered.kennung);
  }
  return identifiers;
};

const flat = (place: string, value: unknown, into: Record<string, string | number>): void => {
  if (typeof value === 'string' || typeof value === 'number') into[place] = value;
  else if (typeof value === 'object' && value !== null) {
    for (const [name, inner] of Object.entries(value)) flat(`${place}.${name}`, inner, into);
  } else if (value !== undefined) into[place] = String(value);
};

const timed = async <T>(place: string, into: Record<string, string | number>, work: () => Promise<T>): Promise<T> => {
  const begun = performance.now();
  const result = await work();
  into[`${place}.took`] = performance.now() - begun;
  return result;
};

/** A browser at a network address of its own: the limits on each address are another test's business. */
class Elsewhere extends Visitor {
  readonly #address = [10, randomInt(256), randomInt(256), randomInt(256)].join('.');

  override send(to: string | URL, what: Send = {}): Promise<Answer> {
    return super.send(to, { ...what, headers: { ...what.headers, 'x-forwarded-for': this.#address } });
  }
}

type Values = Record<string, string | number>;

const CLAIMS = JSON.stringify({ id_token: { auth_time: { essential: true }, amr: null, acr: null, sid: null } });

/** The APIs of the two organisations, which check tokens by themselves or ask about them. */
const apisOf = (organisation: string): Registration[] =>
  (['jwt', 'opaque'] as const).map((tokens) =>
    serviceWith(`${tokens}${organisation}`, {
      organisation,
      kind: 'api',
      resource: { identifier: `https://${tokens}.${organisation}.example/`, scopes: ['lesen'], tokens },
    }),
  );

/** A town whose services stay connected and have APIs of their own, so that every kind of token is given out. */
export const startLinkageTown = (): Promise<RunningTown> =>
  startTown({
    registered: (registration) => ({ ...registration, refreshTokens: true }),
    registrations: ['stadt', 'buecherei'].flatMap(apisOf),
  });

const signOut = async (town: RunningTown, visitor: Visitor, name: ServiceName, idToken: string): Promise<string> => {
  const end = new URL('/session/end', town.issuer);
  end.search = new URLSearchParams({
    id_token_hint: idToken,
    post_logout_redirect_uri: `${town.services[name].origin}/`,
    state: 'weg',
  }).toString();
  const asked = await visitor.open(end, atHome(town));
  const form = forms(asked).find(({ fields }) => fields.some(([field]) => field === 'xsrf'));
  if (form === undefined) throw new Error(`no sign-out form at ${asked.url.href}:\n${asked.text}`);
  const body = new URLSearchParams([...form.fields, ['logout', 'yes']]);
  const out = await visitor.send(form.action, { method: 'POST', body, headers: { origin: form.action.origin } });
  return String(out.headers['location']);
};

/** Sends the browser to the provider and back; everything that the service's callback gets. */
const authorize = async (
  town: RunningTown,
  visitor: Visitor,
  name: ServiceName,
  place: string,
  changes: Record<string, string>,
  received: Values,
  identifier?: string,
): Promise<{ code: string; verifier: string }> => {
  const proof = pkce();
  const state = pkce().verifier;
  const apis = ['jwt', 'opaque'].map((tokens) => `https://${tokens}.${organisationOf(town, name)}.example/`);
  const request = { state, nonce: state, claims: CLAIMS, scope: 'openid lesen', ...changes };
  const url = authorizationUrl(town, name, proof, request);
  for (const api of apis) url.searchParams.append('resource', api);
  received[`${place}.sent`] = Date.now();
  let page = await visitor.open(url, atHome(town));
  if (identifier !== undefined) page = await visitor.submit(page, { identifier, password: PASSWORD }, atHome(town));
  received[`${place}.at`] = Date.now();
  const callback = new URL(String(page.headers['location']));
  // State is the service's own word come back.
  for (const [field, value] of callback.searchParams) if (field !== 'state') received[`${place}.${field}`] = value;
  return { code: callback.searchParams.get('code') ?? '', verifier: proof.verifier };
};

const organisationOf = (town: RunningTown, name: ServiceName): string =>
  town.registrations.find(({ clientId }) => clientId === name)?.organisation ?? '';

/** Takes a token response apart. */
const tokensOf = (place: string, { headers, body }: Tokens, received: Values): Tokens['body'] => {
  const { id_token: idToken, access_token: accessToken = '', ...rest } = body;
  flat(`${place}.headers`, headers, received);
  flat(`${place}.body`, rest, received);
  const kinds: [string, string | undefined][] = [
    ['id_token', idToken],
    ['access_token', accessToken.includes('.') ? accessToken : undefined],
  ];
  for (const [kind, token] of kinds) {
    if (token === undefined) continue;
    const { nonce: _, ...claims } = decodeJwt(token);
    flat(`${place}.${kind}.header`, decodeProtectedHeader(token), received);
    flat(`${place}.${kind}`, claims, received);
    received[`${place}.${kind}.length`] = token.length;
  }
  if (!accessToken.includes('.')) received[`${place}.access_token`] = accessToken;
  return body;
};

/**
 * One visit from a browser of its own: sign-in, tokens of every kind, userinfo, introspection by the service and by its
 * API, renewal, a second sign-on without a question, sign-out with its logout token.
 */
const visit = async (town: RunningTown, name: ServiceName, identifier: string): Promise<Received> => {
  const received: Values = {};
  const visitor = new Elsewhere();
  const { code, verifier } = await authorize(town, visitor, name, 'callback', {}, received, identifier);
  const first = await timed('token', received, () => redeem(town, name, code, verifier));
  const { id_token = '', access_token = '', refresh_token = '' } = tokensOf('token', first, received);
  const note = (place: string, { headers, body }: { headers: Answer['headers']; body: unknown }): void => {
    flat(`${place}.headers`, headers, received);
    flat(`${place}.body`, body, received);
  };
  const info = await timed('userinfo', received, () => userinfo(town, access_token));
  note('userinfo', info);
  const ask = (place: string, token: string, as: string) =>
    timed(place, received, () => post(town, '/token/introspection', { token }, basic(town, as)));
  note('introspection', await ask('introspection', access_token, name));

  const organisation = organisationOf(town, name);
  let refresh = refresh_token;
  const renew = async (place: string, more: Record<string, string>): Promise<string> => {
    const fields = { grant_type: 'refresh_token', refresh_token: refresh, ...more };
    const renewed = await timed(place, received, () => post(town, '/token', fields, basic(town, name)));
    refresh = renewed.body['refresh_token'] ?? refresh;
    return tokensOf(place, renewed, received)['access_token'] ?? '';
  };
  await renew('refresh', {});
  await renew('jwt', { resource: `https://jwt.${organisation}.example/` });
  const opaque = await renew('opaque', { resource: `https://opaque.${organisation}.example/` });
  note('api', await ask('api', opaque, `opaque${organisation}`));

  const again = await authorize(town, visitor, name, 'again', { prompt: 'none' }, received);
  tokensOf('second', await redeem(town, name, again.code, again.verifier), received);
  await authorize(town, visitor, name, 'error', { prompt: 'none', max_age: '0' }, received);
  received['signed_out.to'] = await signOut(town, visitor, name, id_token);
  return received;
};

const logoutTokens = async (town: RunningTown, name: ServiceName, visits: readonly Received[]): Promise<Received[]> => {
  const { logouts } = town.services[name];
  // One that was answered too late comes twice: what counts is that each has come.
  const of = (visit: Received) => logouts.find(({ sid }) => sid === visit['token.id_token.sid']);
  for (const end = Date.now() + 120_000; !visits.every(of); ) {
    if (Date.now() > end) throw new Error(`${visits.filter(of).length} of ${visits.length} logout tokens arrived`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return visits.map((received) => {
    const complete: Values = { ...received };
    flat('logout_token', of(received), complete);
    return complete;
  });
};

const shuffled = <T>(items: readonly T[]): T[] =>
  items
    .map((item) => ({ item, place: Math.random() }))
    .sort((one, other) => one.place - other.place)
    .map(({ item }) => item);

/** Lets every citizen visit both services once, all visits in an order of their own; received data by citizen. */
export const visitBoth = async (
  town: RunningTown,
  services: readonly [ServiceName, ServiceName],
  identifiers: readonly string[],
): Promise<[Received[], Received[]]> => {
  const received: [Received[], Received[]] = [[], []];
  const waiting = shuffled(identifiers.flatMap((identifier, at) => [0, 1].map((side) => ({ identifier, at, side }))));
  const worker = async (): Promise<void> => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const { identifier, at, side } = next;
      const list = received[side as 0 | 1];
      list[at] = await visit(town, services[side as 0 | 1], identifier);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return [await logoutTokens(town, services[0], received[0]), await logoutTokens(town, services[1], received[1])];
};
