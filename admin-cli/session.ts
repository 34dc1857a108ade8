import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import * as oidc from 'openid-client';
import type { Cli } from './cli.ts';
import { EXIT, Refusal } from './command.ts';
import { when } from './moments.ts';
import { plain } from './plain.ts';

/** What is kept between commands: tokens that are of no use without the key beside them. */
type Kept = {
  readonly server: string;
  readonly publicKey: JsonWebKey;
  readonly privateKey: JsonWebKey;
  readonly accessToken: string;
  /** Epoch milliseconds. */
  readonly expiresAt: number;
  readonly refreshToken?: string;
};

export const CLIENT_ID = 'verwaltung';
export const SCOPE = 'openid verwaltung';
const KEY = { name: 'ECDSA', namedCurve: 'P-256' } as const;
/** A token that is about to end is renewed before it is used. */
const MARGIN_MS = 20_000;

const folderOf = (env: Cli['env']): string =>
  env['SCHLUESSEL_DIR'] ?? join(env['XDG_CONFIG_HOME'] ?? join(homedir(), '.config'), 'stadtschluessel');
const fileOf = (env: Cli['env']): string => join(folderOf(env), 'session.json');

const keep = (env: Cli['env'], kept: Kept): void => {
  mkdirSync(folderOf(env), { recursive: true, mode: 0o700 });
  const file = fileOf(env);
  const next = `${file}.${process.pid}`;
  writeFileSync(next, `${JSON.stringify(kept)}\n`, { mode: 0o600, flush: true });
  chmodSync(next, 0o600);
  renameSync(next, file);
};

const read = (env: Cli['env']): Kept | undefined => {
  try {
    return JSON.parse(readFileSync(fileOf(env), 'utf8')) as Kept;
  } catch {
    return undefined;
  }
};

/** The server of the last sign-in. */
export const lastServer = (env: Cli['env']): string | undefined => read(env)?.server;

/** What the admin API is called in tokens. */
export const resourceOf = (server: string): string => new URL('/admin/api', server).href;

/** Reads the provider's metadata. Without TLS only on this machine, where the sandbox lives. */
export const discover = async (server: string): Promise<oidc.Configuration> => {
  const url = new URL(server);
  const local = url.protocol === 'http:' && url.hostname === 'localhost';
  return oidc.discovery(url, CLIENT_ID, undefined, oidc.None(), local ? { execute: [oidc.allowInsecureRequests] } : {});
};

const importKeys = async ({ publicKey, privateKey }: Kept): Promise<oidc.CryptoKeyPair> => ({
  publicKey: await crypto.subtle.importKey('jwk', publicKey, KEY, true, ['verify']),
  privateKey: await crypto.subtle.importKey('jwk', privateKey, KEY, true, ['sign']),
});

/** A new key for the tokens of one sign-in. */
export const newKey = (): Promise<oidc.CryptoKeyPair> => oidc.randomDPoPKeyPair('ES256', { extractable: true });

/** Keeps what a sign-in brought. */
export const begin = async (
  cli: Cli,
  server: string,
  pair: oidc.CryptoKeyPair,
  tokens: Pick<oidc.TokenEndpointResponse, 'access_token' | 'expires_in' | 'refresh_token'>,
): Promise<void> => {
  keep(cli.env, {
    server,
    publicKey: await crypto.subtle.exportKey('jwk', pair.publicKey),
    privateKey: await crypto.subtle.exportKey('jwk', pair.privateKey),
    accessToken: tokens.access_token,
    expiresAt: cli.now().getTime() + (tokens.expires_in ?? 60) * 1000,
    ...(tokens.refresh_token !== undefined && { refreshToken: tokens.refresh_token }),
  });
};

/** Ends the sign-in here and at the server. */
export const end = async (cli: Cli): Promise<void> => {
  const kept = read(cli.env);
  rmSync(fileOf(cli.env), { force: true });
  if (kept?.refreshToken === undefined) return;
  try {
    await oidc.tokenRevocation(await discover(kept.server), kept.refreshToken);
  } catch {
    // The tokens end by themselves within hours, and their key is gone from here.
  }
};

const renew = async (cli: Cli, kept: Kept, config: oidc.Configuration, pair: oidc.CryptoKeyPair): Promise<Kept> => {
  if (kept.refreshToken === undefined) throw new Refusal(EXIT.signIn, cli.t.noSession);
  try {
    const DPoP = oidc.getDPoPHandle(config, pair);
    const tokens = await oidc.refreshTokenGrant(
      config,
      kept.refreshToken,
      { resource: resourceOf(kept.server) },
      { DPoP },
    );
    const { access_token, expires_in, refresh_token = kept.refreshToken } = tokens;
    await begin(cli, kept.server, pair, {
      access_token,
      refresh_token,
      ...(expires_in !== undefined && { expires_in }),
    });
  } catch (error) {
    if (!(error instanceof oidc.ResponseBodyError)) throw error;
    throw error.status >= 500
      ? new Refusal(EXIT.unavailable, cli.t.unavailable)
      : new Refusal(EXIT.signIn, cli.t.noSession);
  }
  return read(cli.env) ?? kept;
};

/** Calls a verb of the admin API; a refusal is thrown with the words for the person. */
export const call = async (
  cli: Cli,
  verb: string,
  input: Readonly<Record<string, unknown>>,
): Promise<Record<string, unknown>> => {
  const stored = read(cli.env);
  if (stored === undefined) throw new Refusal(EXIT.signIn, cli.t.noSession);
  try {
    const config = await discover(stored.server);
    const pair = await importKeys(stored);
    const fresh = stored.expiresAt - MARGIN_MS > cli.now().getTime();
    const kept = fresh ? stored : await renew(cli, stored, config, pair);
    const url = new URL(`/admin/api/${verb.replace(' ', '/')}`, kept.server);
    const answer = await oidc.fetchProtectedResource(
      config,
      kept.accessToken,
      url,
      'POST',
      JSON.stringify(input),
      new Headers({ 'content-type': 'application/json', accept: 'application/json' }),
      { DPoP: oidc.getDPoPHandle(config, pair) },
    );
    return await read2xx(cli, verb, answer);
  } catch (error) {
    if (error instanceof Refusal) throw error;
    // openid-client reads the challenge of a 401 and throws it.
    if (error instanceof oidc.WWWAuthenticateChallengeError) throw new Refusal(EXIT.signIn, cli.t.noSession);
    if (error instanceof oidc.ClientError || error instanceof TypeError) {
      throw new Refusal(EXIT.unavailable, cli.t.unreachable(stored.server));
    }
    throw error;
  }
};

/** What was answered; undefined if it is not whole. */
const readObject = async (answer: Response): Promise<Record<string, unknown> | undefined> => {
  try {
    return (await answer.json()) as Record<string, unknown>;
  } catch {
    return undefined;
  }
};

const read2xx = async (cli: Cli, verb: string, answer: Response): Promise<Record<string, unknown>> => {
  const said = await readObject(answer);
  // The connection broke off: whether it has happened is not known here.
  if (said === undefined && answer.ok)
    throw new Refusal(EXIT.unavailable, cli.t.unreachable(new URL(answer.url).origin));
  // Names and reasons come from all sorts of people. An export goes to a file, as it is.
  const body = verb === 'audit export' ? (said ?? {}) : plain(said ?? {});
  switch (answer.status) {
    case 200:
      return body;
    case 400:
      throw new Refusal(EXIT.usage, wrongFields(cli, body['fields']));
    case 401:
      throw new Refusal(EXIT.signIn, cli.t.noSession);
    case 403:
      throw new Refusal(EXIT.notPermitted, notPermitted(cli, verb, body));
    case 409:
      throw refused(cli, body);
    case 429:
    case 503:
      throw new Refusal(EXIT.unavailable, cli.t.unavailable);
    default:
      // A proxy's word, with the server behind it gone: what became of the command is not known here.
      throw new Refusal(
        EXIT.unavailable,
        answer.status >= 500 ? cli.t.unreachable(new URL(answer.url).origin) : cli.t.unexpected(answer.status),
      );
  }
};

/** Which values were not acceptable, in the person's words where there are some. */
const wrongFields = (cli: Cli, fields: unknown): string => {
  const names = Array.isArray(fields) ? fields.map(String) : [];
  return cli.t.wrongFields(names.map((name) => cli.t.fields[name] ?? `--${name.replaceAll('_', '-')}`));
};

const notPermitted = (cli: Cli, verb: string, { error, from }: Record<string, unknown>): string => {
  if (error === 'no_staff') return cli.t.noStaff;
  return typeof from === 'string' ? cli.t.notYet(verb, when(cli, from)) : cli.t.notPermitted(verb);
};

const refused = (cli: Cli, { reason, error: _, ...detail }: Record<string, unknown>): Refusal => {
  const name = String(reason);
  const faults = Array.isArray(detail['faults']) ? detail['faults'].map((fault) => `\n  ${fault}`).join('') : '';
  const rest = Object.entries(detail)
    .filter(([key]) => key !== 'faults')
    .map(([key, value]) => (key === 'until' ? when(cli, value) : (cli.t.status[String(value)] ?? String(value))));
  const more = rest.length === 0 ? '' : ` (${rest.join(', ')})`;
  return new Refusal(name === 'wait' ? EXIT.wait : EXIT.refused, `${cli.t.reasons[name] ?? name}${more}${faults}`);
};
