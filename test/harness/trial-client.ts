/** A client that registers itself, spoken by hand: it says on the wire exactly what a test wants it to. */
import { createRemoteJWKSet, type JWTPayload, jwtVerify } from 'jose';
import { atHome, type Tokens } from './relying-party.ts';
import type { RunningTown } from './town.ts';
import { type Answer, forms, Visitor } from './visitor.ts';

export type Credentials = { readonly email: string; readonly password: string };

export type TrialClient = {
  readonly clientId: string;
  readonly redirectUri: string;
  readonly metadata: Record<string, unknown>;
};

const json = ({ status, headers, text }: Answer): Tokens => ({
  status,
  headers,
  body: (text.startsWith('{') ? JSON.parse(text) : { text }) as Record<string, string>,
});

/** Sends JSON, or nothing, to an address of the provider. */
export const sendJson = async (
  url: string | URL,
  method: string,
  body?: object,
  token?: string,
): Promise<{ status: number; body: Record<string, unknown> }> => {
  const answer = await new Visitor().send(url, {
    method,
    ...(body !== undefined && { body: JSON.stringify(body) }),
    headers: {
      accept: 'application/json',
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    },
  });
  return { status: answer.status, body: answer.text.startsWith('{') ? JSON.parse(answer.text) : { text: answer.text } };
};

/** Registers a client (OpenID Connect Dynamic Client Registration §3.1). */
export const registerTrial = async (
  town: Pick<RunningTown, 'issuer'>,
  metadata: Record<string, unknown> = {},
): Promise<TrialClient> => {
  const answer = await sendJson(new URL('/reg', town.issuer), 'POST', {
    redirect_uris: ['https://suite.example/callback'],
    ...metadata,
  });
  if (answer.status !== 201) throw new Error(`registration refused: ${JSON.stringify(answer.body)}`);
  const [redirectUri = ''] = answer.body['redirect_uris'] as string[];
  return { clientId: String(answer.body['client_id']), redirectUri, metadata: answer.body };
};

/** The address of an authorization request; `undefined` leaves a parameter out. */
export const requestUrl = (
  town: Pick<RunningTown, 'issuer'>,
  client: TrialClient,
  changes: Record<string, string | undefined> = {},
): URL => {
  const url = new URL('/auth', town.issuer);
  const parameters = {
    client_id: client.clientId,
    response_type: 'code',
    redirect_uri: client.redirectUri,
    scope: 'openid',
    state: 'zustand',
    nonce: 'einmal',
    ...changes,
  };
  for (const [name, value] of Object.entries(parameters)) if (value !== undefined) url.searchParams.set(name, value);
  return url;
};

const MAX_PAGES = 5;

/** Answers the pages of a sign-in by their plain forms until one leads away from the provider. */
export const answerPages = async (
  town: Pick<RunningTown, 'issuer'>,
  visitor: Visitor,
  first: Answer,
  { email, password }: Credentials,
): Promise<Answer> => {
  const home = atHome(town);
  let page = first;
  for (let count = 0; count < MAX_PAGES; count += 1) {
    if (page.status !== 200) return page;
    if (page.text.includes('name="identifier"'))
      page = await visitor.submit(page, { identifier: email, password }, home);
    else if (page.text.includes('/consent"')) {
      const boxes = [...page.text.matchAll(/name="(claim\.[^"]+)"/g)].map(([, name = '']) => [name, 'yes']);
      page = await visitor.submitTo(page, 'consent', Object.fromEntries(boxes), home);
    } else return page;
  }
  throw new Error(`too many pages, last ${page.url.href}:\n${page.text}`);
};

/** What came back to the service: the parameters of its redirect URI, or of the form that is posted to it. */
export const returned = (answer: Answer): URLSearchParams => {
  const { location } = answer.headers;
  if (typeof location === 'string') {
    const { search, hash } = new URL(location);
    return new URLSearchParams(search || hash.slice(1));
  }
  const [form] = forms(answer);
  return new URLSearchParams(form?.fields ?? []);
};

/** A whole authorization request: what the service gets back. */
export const authorize = async (
  town: Pick<RunningTown, 'issuer'>,
  visitor: Visitor,
  client: TrialClient,
  credentials: Credentials,
  changes: Record<string, string | undefined> = {},
): Promise<URLSearchParams> => {
  const first = await visitor.open(requestUrl(town, client, changes), atHome(town));
  return returned(await answerPages(town, visitor, first, credentials));
};

const basicOf = ({ clientId, metadata }: TrialClient): string =>
  `Basic ${Buffer.from(`${clientId}:${String(metadata['client_secret'])}`).toString('base64')}`;

/** A request to the token endpoint or one like it, authenticated by `client_secret_basic`. */
export const tokenRequest = async (
  town: Pick<RunningTown, 'issuer'>,
  client: TrialClient,
  fields: Record<string, string>,
  path = '/token',
): Promise<Tokens> =>
  json(
    await new Visitor().send(new URL(path, town.issuer), {
      method: 'POST',
      body: new URLSearchParams(fields),
      headers: { accept: 'application/json', authorization: basicOf(client) },
    }),
  );

/** Redeems a code, without PKCE. */
export const redeemTrial = (
  town: Pick<RunningTown, 'issuer'>,
  client: TrialClient,
  code: string | null,
  changes: Record<string, string> = {},
): Promise<Tokens> =>
  tokenRequest(town, client, {
    grant_type: 'authorization_code',
    code: code ?? '',
    redirect_uri: client.redirectUri,
    ...changes,
  });

/** What userinfo says; `how` the token is presented (RFC 6750 §2). */
export const askUserinfo = async (
  town: Pick<RunningTown, 'issuer'>,
  token: string,
  how: 'get' | 'post-header' | 'post-body' = 'get',
): Promise<Tokens> =>
  json(
    await new Visitor().send(new URL('/userinfo', town.issuer), {
      method: how === 'get' ? 'GET' : 'POST',
      ...(how === 'post-body' && { body: new URLSearchParams({ access_token: token }) }),
      headers: { accept: 'application/json', ...(how !== 'post-body' && { authorization: `Bearer ${token}` }) },
    }),
  );

/** The claims of an ID token, its signature checked against the published keys. */
export const readIdToken = async (
  town: Pick<RunningTown, 'issuer'>,
  client: TrialClient,
  token: string,
): Promise<{ header: { alg?: string; kid?: string }; payload: JWTPayload }> => {
  const keys = createRemoteJWKSet(new URL('/jwks', town.issuer));
  const { protectedHeader, payload } = await jwtVerify(token, keys, {
    issuer: town.issuer,
    audience: client.clientId,
  });
  return { header: protectedHeader, payload };
};
