/** The protocol by hand, for tests that must say something a library would never say. */
import { createHash, randomBytes } from 'node:crypto';
import * as accounts from '../../accounts/accounts.ts';
import { parseEmail } from '../../accounts/email.ts';
import type { AccountId } from '../../accounts/ids.ts';
import { hashNew } from '../../accounts/passwords.ts';
import { Secret } from '../../accounts/secret.ts';
import { type RunningTown, type ServiceName, TEST_TOWN } from './town.ts';
import { type Answer, Visitor } from './visitor.ts';

export type Pkce = { readonly verifier: string; readonly challenge: string };

/** A fresh pair (RFC 7636, S256). */
export const pkce = (): Pkce => {
  const verifier = randomBytes(32).toString('base64url');
  return { verifier, challenge: createHash('sha256').update(verifier).digest('base64url') };
};

/** The address of an authorization request; `undefined` leaves a parameter out. */
export const authorizationUrl = (
  town: RunningTown,
  name: ServiceName,
  proof: Pick<Pkce, 'challenge'>,
  changes: Record<string, string | undefined> = {},
): URL => {
  const parameters: Record<string, string | undefined> = {
    client_id: name,
    response_type: 'code',
    redirect_uri: `${town.services[name].origin}/callback`,
    scope: 'openid',
    state: 'zustand',
    nonce: 'einmal',
    code_challenge: proof.challenge,
    code_challenge_method: 'S256',
    ...changes,
  };
  const url = new URL('/auth', town.issuer);
  for (const [key, value] of Object.entries(parameters)) if (value !== undefined) url.searchParams.set(key, value);
  return url;
};

/** Basic authentication of a service (RFC 6749 §2.3.1). */
export const basic = (town: RunningTown, name: string, secret = town.secretOf(name)): string =>
  `Basic ${Buffer.from(`${name}:${secret}`).toString('base64')}`;

export type Tokens = { status: number; headers: Answer['headers']; body: Record<string, string> };

const asJson = ({ status, headers, text }: Answer): Tokens => ({
  status,
  headers,
  body: (text.startsWith('{') ? JSON.parse(text) : { text }) as Record<string, string>,
});

/** Posts a form as a service and reads the JSON. */
export const post = async (
  town: RunningTown,
  path: string,
  fields: Record<string, string> | URLSearchParams,
  authorization?: string,
): Promise<Tokens> =>
  asJson(
    await new Visitor().send(new URL(path, town.issuer), {
      method: 'POST',
      body: new URLSearchParams(fields),
      headers: { accept: 'application/json', ...(authorization !== undefined && { authorization }) },
    }),
  );

/** Redeems a code. */
export const redeem = (
  town: RunningTown,
  name: ServiceName,
  code: string,
  verifier: string | undefined,
  changes: Record<string, string> = {},
): Promise<Tokens> =>
  post(
    town,
    '/token',
    {
      grant_type: 'authorization_code',
      code,
      redirect_uri: `${town.services[name].origin}/callback`,
      ...(verifier !== undefined && { code_verifier: verifier }),
      ...changes,
    },
    basic(town, name),
  );

/** What userinfo says to a token. */
export const userinfo = async (town: RunningTown, token: string): Promise<Tokens> =>
  asJson(
    await new Visitor().send(new URL('/userinfo', town.issuer), {
      headers: { authorization: `Bearer ${token}`, accept: 'application/json' },
    }),
  );

/** An account made without pages, for tests that are about something else. */
export const addCitizen = async (town: RunningTown, email: string, password: string): Promise<AccountId> => {
  const address = parseEmail(email);
  if (address === undefined) throw new Error('not an e-mail address');
  const hash = await hashNew(town.context(), town.hashing, new Secret(password));
  const registered = await accounts.register(town.context(), {
    town: TEST_TOWN,
    language: 'de',
    email: address,
    credential: { kind: 'password', hash },
  });
  if (registered.outcome !== 'registered') throw new Error(registered.outcome);
  return registered.account;
};

/** Whether a redirect stays with the provider. */
export const atHome =
  (town: Pick<RunningTown, 'issuer'>) =>
  (to: URL): boolean =>
    to.origin === town.issuer;

/** Signs a visitor in (unless a session does) and returns the code that the service's callback would get. */
export const obtainCode = async (
  town: RunningTown,
  visitor: Visitor,
  name: ServiceName,
  proof: Pkce,
  credentials?: { email: string; password: string },
  changes: Record<string, string | undefined> = {},
): Promise<string> => {
  let page = await visitor.open(authorizationUrl(town, name, proof, changes), atHome(town));
  if (credentials !== undefined) {
    page = await visitor.submit(page, { identifier: credentials.email, password: credentials.password }, atHome(town));
  }
  const { location } = page.headers;
  const code = typeof location === 'string' ? new URL(location).searchParams.get('code') : null;
  if (code === null)
    throw new Error(`no code, but ${page.status} at ${page.url.href}: ${String(location ?? page.text)}`);
  return code;
};
