/** Independent visits of many citizens to two organisations, with everything that these get to see. */
import { randomInt } from 'node:crypto';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import * as accounts from '../../accounts/accounts.ts';
import { hashNew } from '../../accounts/passwords.ts';
import { Secret } from '../../accounts/secret.ts';
import { createHashing } from '../../adapters/hashing.ts';
import type { Received } from './linkage.ts';
import { atHome, basic, obtainCode, pkce, post, redeem } from './relying-party.ts';
import { type RunningTown, type ServiceName, TEST_TOWN } from './town.ts';
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

/** One visit from a browser of its own: sign-in, tokens, userinfo, introspection, sign-out with its logout token. */
const visit = async (town: RunningTown, name: ServiceName, identifier: string): Promise<Received> => {
  const received: Record<string, string | number> = {};
  const visitor = new Elsewhere();
  const proof = pkce();
  const state = pkce().verifier;
  const code = await obtainCode(
    town,
    visitor,
    name,
    proof,
    { email: identifier, password: PASSWORD },
    { state, nonce: state, claims: JSON.stringify({ id_token: { auth_time: null, amr: null, acr: null } }) },
  );
  received['callback.at'] = Date.now();
  received['callback.code'] = code;
  const tokens = await timed('token', received, () => redeem(town, name, code, proof.verifier));
  flat('token.headers', tokens.headers, received);
  const { id_token = '', access_token = '', ...rest } = tokens.body;
  flat('token.body', rest, received);
  received['access_token'] = access_token;
  flat('id_token.header', decodeProtectedHeader(id_token), received);
  const { nonce: _, ...claims } = decodeJwt(id_token);
  flat('id_token', claims, received);
  const answer = (place: string, { headers, text }: Answer): void => {
    flat(`${place}.headers`, headers, received);
    flat(`${place}.body`, JSON.parse(text), received);
  };
  const authorization = `Bearer ${access_token}`;
  const info = await timed('userinfo', received, () =>
    new Visitor().send(new URL('/userinfo', town.issuer), { headers: { authorization, accept: 'application/json' } }),
  );
  answer('userinfo', info);
  const introspected = await timed('introspection', received, () =>
    post(town, '/token/introspection', { token: access_token }, basic(town, name)),
  );
  flat('introspection.headers', introspected.headers, received);
  flat('introspection.body', introspected.body, received);

  const end = new URL('/session/end', town.issuer);
  end.search = new URLSearchParams({
    id_token_hint: id_token,
    post_logout_redirect_uri: `${town.services[name].origin}/`,
    state: 'weg',
  }).toString();
  const asked = await visitor.open(end, atHome(town));
  const form = forms(asked).find(({ fields }) => fields.some(([field]) => field === 'xsrf'));
  if (form === undefined) throw new Error(`no sign-out form at ${asked.url.href}:\n${asked.text}`);
  const body = new URLSearchParams([...form.fields, ['logout', 'yes']]);
  const out = await visitor.send(form.action, { method: 'POST', body, headers: { origin: form.action.origin } });
  received['signed_out.to'] = String(out.headers['location']);
  return received;
};

const logoutTokens = async (town: RunningTown, name: ServiceName, visits: readonly Received[]): Promise<Received[]> => {
  const { logouts } = town.services[name];
  for (const end = Date.now() + 60_000; logouts.length < visits.length; ) {
    if (Date.now() > end) throw new Error(`${logouts.length} of ${visits.length} logout tokens arrived`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return visits.map((received) => {
    const token = logouts.find(({ sid }) => sid === received['id_token.sid']);
    if (token === undefined) throw new Error('a logout token is missing');
    const complete: Record<string, string | number> = { ...received };
    flat('logout_token', token, complete);
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
