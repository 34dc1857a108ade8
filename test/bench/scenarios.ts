/** What the load generator does: each scenario is one operation, repeated on every connection. */
import { createHash, randomBytes } from 'node:crypto';
import type { SoftPasskey } from '../harness/authenticator.ts';
import { Jar, type Reply, Wire } from './wire.ts';

export type Citizen = { email: string; cookie: string; passkey: SoftPasskey };
export type Target = {
  readonly host: string;
  readonly origin: string;
  readonly port: number;
  readonly citizens: Citizen[];
  readonly secretOf: (clientId: string) => string;
};
/** One connection of a scenario that is running: `step` is one operation. */
export type Operation = (wire: Wire, lane: number) => Promise<() => Promise<void>>;

export const PASSWORD = 'vier nasse Wörter im Regal';
export const APP_CALLBACK = 'https://app.stadt.example/callback';
export const PORTAL_CALLBACK = 'https://portal.stadt.example/callback';
export const API = 'https://api.stadt.example/';
export const SCOPES = { portal: 'openid email profile', app: 'openid' } as const;

const VERIFIER = randomBytes(32).toString('base64url');
const CHALLENGE = createHash('sha256').update(VERIFIER).digest('base64url');
const form = (fields: Record<string, string>): string => new URLSearchParams(fields).toString();

const authorization = (client: 'portal' | 'app'): string =>
  `/auth?${form({
    client_id: client,
    response_type: 'code',
    redirect_uri: client === 'app' ? APP_CALLBACK : PORTAL_CALLBACK,
    scope: SCOPES[client],
    state: 'zustand',
    nonce: 'einmal',
    code_challenge: CHALLENGE,
    code_challenge_method: 'S256',
  })}`;
const URLS = { portal: authorization('portal'), app: authorization('app') };

const wanted = (reply: Reply, status: number, what: string): Reply => {
  if (reply.status !== status) {
    throw new Error(`${what}: ${reply.status} ${reply.headers.get('location')?.[0] ?? ''} ${reply.body.slice(0, 600)}`);
  }
  return reply;
};
const codeIn = (reply: Reply): string => {
  const location = reply.headers.get('location')?.[0] ?? '';
  const code = /[?&]code=([^&]+)/.exec(location)?.[1];
  if (code === undefined) throw new Error(`no code: ${reply.status} ${location} ${reply.body.slice(0, 600)}`);
  return code;
};

const basic = (target: Target, id: string): string =>
  `Basic ${Buffer.from(`${id}:${target.secretOf(id)}`).toString('base64')}`;

const tokens = async (target: Target, wire: Wire, client: 'portal' | 'app', code: string): Promise<Tokens> => {
  const redirect = client === 'app' ? APP_CALLBACK : PORTAL_CALLBACK;
  const fields = { grant_type: 'authorization_code', code, redirect_uri: redirect, code_verifier: VERIFIER };
  const reply =
    client === 'app'
      ? await wire.send('/token', { method: 'POST', body: form({ ...fields, client_id: 'app' }) })
      : await wire.send('/token', {
          method: 'POST',
          headers: { authorization: basic(target, client) },
          body: form(fields),
        });
  return JSON.parse(wanted(reply, 200, 'token').body) as Tokens;
};
type Tokens = { access_token: string; refresh_token: string; id_token: string };

const citizenOf = (target: Target, lane: number): Citizen => {
  const citizen = target.citizens[lane % target.citizens.length];
  if (citizen === undefined) throw new Error('no citizens');
  return citizen;
};

const singleSignOn =
  (target: Target, client: 'portal' | 'app' = 'portal') =>
  async (wire: Wire, lane: number): Promise<Tokens> => {
    const { cookie } = citizenOf(target, lane);
    return tokens(target, wire, client, codeIn(await wire.send(URLS[client], { headers: { cookie } })));
  };

/** Tokens of one sign-on. */
export const scenarioTokens = (target: Target, wire: Wire, lane: number, client: 'portal' | 'app'): Promise<Tokens> =>
  singleSignOn(target, client)(wire, lane);

/** A fresh code, and one attempt to redeem it, on any connection. */
export const redeemRaw = async (
  target: Target,
  wire: Wire,
  lane: number,
): Promise<{ code: string; attempt: (on: Wire) => Promise<Reply> }> => {
  const { cookie } = citizenOf(target, lane);
  const code = codeIn(await wire.send(URLS.portal, { headers: { cookie } }));
  const body = form({
    grant_type: 'authorization_code',
    code,
    redirect_uri: PORTAL_CALLBACK,
    code_verifier: VERIFIER,
  });
  const headers = { authorization: basic(target, 'portal') };
  return { code, attempt: (on) => on.send('/token', { method: 'POST', headers, body }) };
};

/** Every visitor comes from an address of their own, or the limits would stop the bench, as they should. */
const someAddress = (): string => [10, ...randomBytes(3)].join('.');

const hidden = (page: Reply, name: string): string =>
  new RegExp(`name="${name}"[^>]* value="([^"]*)"|value="([^"]*)"[^>]* name="${name}"`).exec(page.body)?.[1] ?? '';

/** Follows the redirects of our own pages until the service's code. */
const toCode = async (wire: Wire, jar: Jar, reply: Reply, headers: Record<string, string>): Promise<Reply> => {
  let current = reply;
  for (let hop = 0; hop < 5; hop += 1) {
    jar.keep(current);
    const location = current.headers.get('location')?.[0];
    if (location === undefined) return current;
    const url = new URL(location, 'https://elsewhere.example');
    if (url.searchParams.has('code')) return current;
    current = await wire.send(url.pathname + url.search, { headers: { ...headers, cookie: jar.header() } });
  }
  return current;
};

/** Citizens come with a browser that they have signed in with before; a new one would be announced by mail each time. */
const devices = new Map<string, string>();

/** A sign-in through the pages; gives the cookies afterwards. */
export const signIn = async (
  target: Target,
  wire: Wire,
  citizen: Citizen,
  way: 'password' | 'passkey',
): Promise<Jar> => {
  const jar = new Jar(devices.get(citizen.email));
  const headers = { 'x-forwarded-for': someAddress(), 'accept-language': 'de', accept: 'text/html' };
  const page = wanted(await toCode(wire, jar, await wire.send(URLS.portal, { headers }), headers), 200, 'sign-in page');
  const uid = /\/interaction\/([^/"]+)\//.exec(page.body)?.[1] ?? '';
  const token = hidden(page, 'token');
  const post = (action: string, fields: Record<string, string>): Promise<Reply> =>
    wire.send(`/interaction/${uid}/${action}`, {
      method: 'POST',
      headers: { ...headers, cookie: jar.header(), origin: target.origin },
      body: form({ token, ...fields }),
    });
  let answer: Reply;
  if (way === 'password') answer = await post('sign-in', { identifier: citizen.email, password: PASSWORD });
  else {
    const { options, ceremony } = JSON.parse(wanted(await post('passkey-options', {}), 200, 'passkey options').body);
    const asked = { challenge: options.challenge, origin: target.origin, rpId: target.host };
    answer = await post('passkey', { ceremony, response: JSON.stringify(citizen.passkey.get(asked)) });
  }
  const done = await toCode(wire, jar, wanted(answer, 303, way), headers);
  await tokens(target, wire, 'portal', codeIn(done));
  devices.set(citizen.email, jar.device());
  return jar;
};

const post =
  (path: string, headers: Record<string, string>, body: string, expected = 200) =>
  (wire: Wire) =>
  async (): Promise<void> => {
    wanted(await wire.send(path, { method: 'POST', headers, body }), expected, path);
  };

/** The scenarios by name. */
export const scenarios = (target: Target): Record<string, Operation> => ({
  sso: async (wire, lane) => {
    const flow = singleSignOn(target);
    return async () => void (await flow(wire, lane));
  },
  password: async (wire, lane) => {
    let turn = lane;
    return async () => {
      turn += 1;
      await signIn(target, wire, citizenOf(target, turn), 'password');
    };
  },
  passkey: async (wire, lane) => {
    let turn = lane;
    return async () => {
      turn += 1;
      await signIn(target, wire, citizenOf(target, turn), 'passkey');
    };
  },
  refresh: async (wire, lane) => {
    let { refresh_token: token } = await singleSignOn(target, 'app')(wire, lane);
    return async () => {
      const body = form({ grant_type: 'refresh_token', refresh_token: token, client_id: 'app' });
      const reply = wanted(await wire.send('/token', { method: 'POST', body }), 200, 'refresh');
      token = (JSON.parse(reply.body) as Tokens).refresh_token;
    };
  },
  'client credentials, opaque': async (wire) =>
    post('/token', { authorization: basic(target, 'maschine') }, form({ grant_type: 'client_credentials' }))(wire),
  'client credentials, JWT': async (wire) =>
    post(
      '/token',
      { authorization: basic(target, 'maschine') },
      form({ grant_type: 'client_credentials', resource: API, scope: 'lesen' }),
    )(wire),
  userinfo: async (wire, lane) => {
    const { access_token: token } = await singleSignOn(target)(wire, lane);
    const headers = { authorization: `Bearer ${token}` };
    return async () => {
      const { body } = wanted(await wire.send('/userinfo', { headers }), 200, 'userinfo');
      if (!body.includes('given_name')) throw new Error(`userinfo without claims: ${body}`);
    };
  },
  introspection: async (wire, lane) => {
    const { access_token: token } = await singleSignOn(target)(wire, lane);
    return post('/token/introspection', { authorization: basic(target, 'portal') }, form({ token }))(wire);
  },
  discovery: async (wire) => async () =>
    void wanted(await wire.send('/.well-known/openid-configuration'), 200, 'discovery'),
  jwks: async (wire) => async () => void wanted(await wire.send('/jwks'), 200, 'jwks'),
});

/** Kept busy unless told otherwise. */
export const CONNECTIONS = 32;
/** How long a scenario runs, and on how many kept-alive connections, each with one request after another. */
export type Load = { readonly seconds: number; readonly connections: number };

/** Runs one scenario; the operations done in a second. */
export const drive = async (target: Target, name: string, { seconds, connections }: Load): Promise<number> => {
  const operation = scenarios(target)[name];
  if (operation === undefined) throw new Error(`no scenario ${name}`);
  const wires = Array.from({ length: connections }, () => new Wire(target.host, target.port));
  try {
    const steps = await Promise.all(wires.map((wire, lane) => operation(wire, lane)));
    const begin = performance.now();
    let done = 0;
    await Promise.all(
      steps.map(async (step) => {
        while (performance.now() - begin < seconds * 1000) {
          await step();
          done += 1;
        }
      }),
    );
    return (done * 1000) / (performance.now() - begin);
  } finally {
    for (const wire of wires) wire.close();
  }
};
