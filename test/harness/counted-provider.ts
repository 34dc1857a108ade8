/** A real oidc-provider on the Postgres store, with a citizen signed in; it counts the statements. */
import { createHash, createHmac, randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type AdapterPayload, type Configuration, errors, Provider } from 'oidc-provider';
import pg from 'pg';
import { createPostgresStore } from '../../adapters/oidc-store-postgres.ts';
import { newSigningKey } from '../../keys/signing-keys.ts';
import { testDatabase } from './postgres.ts';
import { testKeys } from './postgres-store.ts';

export const CALLBACK = 'https://library.example/callback';
const SECRET = 'library-secret-library-secret-library-secret';
const basic = `Basic ${Buffer.from(`library:${SECRET}`).toString('base64')}`;

export type Tokens = { access_token: string; refresh_token: string; id_token: string; error?: string };
type Answer = { status: number; body: Tokens & Record<string, unknown> };

/** A provider with one service, one citizen with a running session and a grant, and a count of statements. */
export const openProvider = async (options: { refreshTokens?: boolean; expiresWithSession?: boolean } = {}) => {
  const { refreshTokens = true, expiresWithSession = true } = options;
  const database = await testDatabase();
  const counted = { statements: 0 };
  class CountingClient extends pg.Client {
    override query = ((...args: Parameters<pg.Client['query']>) => {
      counted.statements += 1;
      return super.query(...args);
    }) as pg.Client['query'];
  }
  const pool = new pg.Pool({ connectionString: database.url, max: 20, Client: CountingClient });
  const clock = { offset: 0 };
  const cookieKey = randomBytes(32).toString('hex');
  const accountId = randomUUID();
  await database.pool.query('CREATE TABLE test_accounts (id uuid PRIMARY KEY, name text NOT NULL)');
  await database.pool.query('INSERT INTO test_accounts VALUES ($1, $2)', [accountId, 'Anna']);
  const store = createPostgresStore({
    pool,
    keys: testKeys(),
    now: () => new Date(Date.now() + clock.offset * 1000),
    account: (column) => `SELECT json_build_object('name', a.name) FROM test_accounts a WHERE a.id = ${column}`,
  });
  const client = {
    client_id: 'library',
    client_secret: SECRET,
    redirect_uris: [CALLBACK],
    grant_types: ['authorization_code', 'refresh_token', 'client_credentials'],
    id_token_signed_response_alg: 'ES256' as const,
  };
  const adapterFor = (model: string) =>
    model === 'Client'
      ? {
          ...store.adapterFor('Interaction'),
          find: async (id: string) => (id === 'library' ? (client as AdapterPayload) : undefined),
        }
      : store.adapterFor(model);
  const { privateJwk, kid, alg } = await newSigningKey('ES256');
  const configuration: Configuration = {
    adapter: adapterFor,
    jwks: { keys: [{ ...privateJwk, kid, alg, use: 'sig' }] },
    cookies: { keys: [cookieKey] },
    features: {
      devInteractions: { enabled: false },
      introspection: { enabled: true },
      revocation: { enabled: true },
      clientCredentials: { enabled: true },
      pushedAuthorizationRequests: { enabled: true },
    },
    interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
    enabledJWA: { idTokenSigningAlgValues: ['ES256'] },
    claims: { openid: ['sub', 'name'] },
    conformIdTokenClaims: true,
    rotateRefreshToken: true,
    expiresWithSession: () => expiresWithSession,
    issueRefreshToken: () => refreshTokens,
    ttl: {
      Session: 43_200,
      Grant: 86_400,
      AccessToken: 600,
      AuthorizationCode: 60,
      RefreshToken: 86_400,
      IdToken: 600,
      Interaction: 600,
    },
    findAccount: async (_ctx, id) => {
      const text = store.accountRow(id, 'whole') as string | null | undefined;
      if (text === undefined) throw new Error('the account was not read along');
      const row = text === null ? null : (JSON.parse(text) as { name: string });
      return row === null ? undefined : { accountId: id, claims: async () => ({ sub: id, name: row.name }) };
    },
  };
  let provider: Provider;
  const events: string[] = [];
  const server = createServer((req, res) => provider.callback()(req, res));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  provider = new Provider(issuer, configuration);
  provider.use(async (ctx, next) => {
    try {
      await store.inRequest(next, () => ctx.status >= 400);
    } catch (error) {
      if (!(error instanceof errors.OIDCProviderError)) throw error;
      ctx.status = error.statusCode;
      ctx.body = { error: error.error, error_description: error.error_description };
    }
  });
  provider.on('grant.success', () => events.push('grant.success'));
  provider.on('grant.error', () => events.push('grant.error'));
  provider.on('server_error', (_ctx, error) => {
    events.push('server_error');
    console.error(error);
  });

  // The running session, as a sign-in leaves it.
  const grant = new provider.Grant({ accountId, clientId: 'library' });
  grant.addOIDCScope('openid');
  const grantId = await grant.save();
  const session = new provider.Session();
  session.loginAccount({ accountId, loginTs: Math.floor(Date.now() / 1000) });
  session.authorizations = { library: { sid: 'sid-1', grantId, ...(!expiresWithSession && { persistsLogout: true }) } };
  await session.save(43_200);
  // As the cookies package signs.
  const signature = createHmac('sha1', cookieKey).update(`_session=${session.jti}`).digest('base64url');
  const cookie = `_session=${session.jti}; _session.sig=${signature}`;

  const verifier = randomBytes(32).toString('base64url');
  const authorize = async (more: Record<string, string> = {}): Promise<{ status: number; to: URL }> => {
    const url = new URL('/auth', issuer);
    const challenge = createHash('sha256').update(verifier).digest('base64url');
    const asked = {
      client_id: 'library',
      response_type: 'code',
      redirect_uri: CALLBACK,
      scope: 'openid',
      code_challenge: challenge,
      code_challenge_method: 'S256',
    };
    url.search = new URLSearchParams({ ...asked, ...more }).toString();
    const response = await fetch(url, { headers: { cookie }, redirect: 'manual' });
    return { status: response.status, to: new URL(response.headers.get('location') ?? 'none:', issuer) };
  };
  const post = async (path: string, fields: Record<string, string>): Promise<Answer> => {
    const body = new URLSearchParams(fields);
    const response = await fetch(new URL(path, issuer), {
      method: 'POST',
      headers: { authorization: basic, accept: 'application/json' },
      body,
    });
    return { status: response.status, body: JSON.parse((await response.text()) || '{}') };
  };
  return {
    store,
    pool,
    clock,
    events,
    accountId,
    authorize,
    post,
    newCode: async (): Promise<string> => (await authorize()).to.searchParams.get('code') ?? '',
    redeem: (code: string) =>
      post('/token', { grant_type: 'authorization_code', code, redirect_uri: CALLBACK, code_verifier: verifier }),
    refresh: (token: string) => post('/token', { grant_type: 'refresh_token', refresh_token: token }),
    userinfo: async (token: string): Promise<Answer> => {
      const response = await fetch(new URL('/me', issuer), { headers: { authorization: `Bearer ${token}` } });
      return { status: response.status, body: await response.json() };
    },
    /** How many statements the work takes. */
    async statements(work: () => Promise<unknown>): Promise<number> {
      const before = counted.statements;
      await work();
      return counted.statements - before;
    },
    async close() {
      server.close();
      server.closeAllConnections();
      await pool.end();
      await database.drop();
    },
  };
};
