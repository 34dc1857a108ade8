import { createHash, randomBytes } from 'node:crypto';
import type { FleetingStore } from '../../adapters/oidc-store.ts';
import type { Exchange, PlaygroundRun } from './playground.view.ts';

type Attempt = {
  readonly verifier: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly registration: Exchange;
  readonly authorization: string;
};

const KIND = 'playground';
const ATTEMPT_SECONDS = 1800;
const TIMEOUT_MS = 10_000;
const PROMPTS = new Set(['login', 'consent', 'none']);

const random = (): string => randomBytes(24).toString('base64url');
const pretty = (text: string): string => {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
};
const segment = (part: string | undefined): string => pretty(Buffer.from(part ?? '', 'base64url').toString());

/** A request as a service would send it, over the network, and both sides as text. */
const exchange = async (
  url: URL,
  init: { method: string; headers: Record<string, string>; body?: string },
): Promise<Exchange & { body: Record<string, unknown> }> => {
  const answer = await fetch(url, { ...init, redirect: 'error', signal: AbortSignal.timeout(TIMEOUT_MS) });
  const text = await answer.text();
  const lines = Object.entries(init.headers).map(([name, value]) => `${name}: ${value}`);
  const body = init.body === undefined ? [] : ['', init.body.startsWith('{') ? pretty(init.body) : init.body];
  return {
    request: [`${init.method} ${url.href}`, ...lines, ...body].join('\n'),
    response: `HTTP ${answer.status}\n\n${pretty(text)}`,
    body: text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : {},
  };
};

/**
 * A relying party that shows its hand: it registers itself, sends the browser to sign in, redeems the code and asks
 * userinfo, as any service would. Only where clients may register themselves and citizens are fictitious.
 */
export const createPlayground = (issuer: URL, fleeting: FleetingStore, path: string) => {
  const redirectUri = new URL(`${path}/zurueck`, issuer).href;
  return {
    /** Registers a client; the address to which the browser goes. */
    async begin(scope: string, prompt: string): Promise<string> {
      const { body, ...registration } = await exchange(new URL('/reg', issuer), {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ client_name: 'Spielwiese', redirect_uris: [redirectUri] }),
      });
      const [state, verifier] = [random(), random() + random()];
      const to = new URL('/auth', issuer);
      to.search = new URLSearchParams({
        client_id: String(body['client_id']),
        response_type: 'code',
        redirect_uri: redirectUri,
        scope,
        state,
        nonce: random(),
        code_challenge: createHash('sha256').update(verifier).digest('base64url'),
        code_challenge_method: 'S256',
        ...(PROMPTS.has(prompt) && { prompt }),
      }).toString();
      const attempt: Attempt = {
        verifier,
        clientId: String(body['client_id']),
        clientSecret: String(body['client_secret']),
        registration,
        authorization: `GET ${to.href.replaceAll(/[?&]/g, '\n  $&')}`,
      };
      await fleeting.put(KIND, state, attempt, ATTEMPT_SECONDS);
      return to.href;
    },

    /** What came of an attempt; undefined if it is unknown or was looked at already. */
    async finish(answer: URLSearchParams): Promise<PlaygroundRun | undefined> {
      const attempt = await fleeting.take<Attempt>(KIND, answer.get('state') ?? '');
      if (attempt === undefined) return undefined;
      const { registration, authorization } = attempt;
      const callback = [...answer].map(([name, value]) => `${name}=${value}`).join('\n');
      const run = { registration, authorization, callback };
      const code = answer.get('code');
      if (code === null) return run;
      const { body, ...token } = await exchange(new URL('/token', issuer), {
        method: 'POST',
        headers: {
          'content-type': 'application/x-www-form-urlencoded',
          authorization: `Basic ${Buffer.from(`${attempt.clientId}:${attempt.clientSecret}`).toString('base64')}`,
        },
        body: new URLSearchParams({
          grant_type: 'authorization_code',
          code,
          redirect_uri: redirectUri,
          code_verifier: attempt.verifier,
        }).toString(),
      });
      const { id_token: idToken, access_token: accessToken } = body;
      if (typeof idToken !== 'string' || typeof accessToken !== 'string') return { ...run, token };
      const [header, payload] = idToken.split('.');
      const { body: _claims, ...userinfo } = await exchange(new URL('/userinfo', issuer), {
        method: 'GET',
        headers: { authorization: `Bearer ${accessToken}` },
      });
      return { ...run, token, idToken: `${segment(header)}\n${segment(payload)}`, userinfo };
    },
  };
};
