/** A service of the town as its developers would write it with openid-client: it knows the provider by its issuer only. */
import { randomBytes } from 'node:crypto';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import * as client from 'openid-client';

export type ServiceOptions = {
  readonly issuer: string;
  readonly origin: string;
  readonly clientId: string;
  readonly secret: string;
  readonly title: string;
  readonly scope: string;
  /** OpenID Connect Core §5.5. */
  readonly claims?: object;
  /** Where the callback sends the browser on to; `/` of the service itself unless told. */
  readonly next?: string;
};

type Session = {
  subject?: string;
  sid?: string;
  idToken?: string;
  pending?: { state: string; nonce: string; verifier: string };
};

export type Service = ServiceOptions & {
  readonly listener: RequestListener;
  /** Subjects, ID token claims and userinfo of the sign-ins so far. */
  readonly signIns: { subject: string; idToken: Record<string, unknown>; userinfo: Record<string, unknown> }[];
  /** Logout tokens that were received and found genuine. */
  readonly logouts: Record<string, unknown>[];
  /** Issuers that somebody else named when starting a sign-in here. */
  readonly initiations: string[];
  /** What went wrong at the callback. */
  readonly faults: string[];
};

const EVENT = 'http://schemas.openid.net/event/backchannel-logout';

const body = async (req: IncomingMessage): Promise<string> => {
  let text = '';
  for await (const chunk of req) text += String(chunk);
  return text;
};

/** Builds the service; its configuration is discovered at the first request that needs it. */
export const createService = (options: ServiceOptions): Service => {
  const { issuer, origin, clientId, secret } = options;
  const sessions = new Map<string, Session>();
  const signIns: Service['signIns'] = [];
  const logouts: Service['logouts'] = [];
  const faults: string[] = [];
  const initiations: string[] = [];
  let discovered: Promise<client.Configuration> | undefined;
  const configuration = (): Promise<client.Configuration> => {
    discovered ??= client.discovery(new URL(issuer), clientId, {}, client.ClientSecretBasic(secret));
    return discovered;
  };

  const sessionOf = (req: IncomingMessage, res: ServerResponse): Session => {
    const [, known] = /(?:^|; )dienst=([0-9a-f]+)/.exec(req.headers.cookie ?? '') ?? [];
    const existing = known === undefined ? undefined : sessions.get(known);
    if (existing !== undefined) return existing;
    const id = randomBytes(16).toString('hex');
    const session: Session = {};
    sessions.set(id, session);
    res.setHeader('set-cookie', `dienst=${id}; Path=/; HttpOnly; Secure; SameSite=Lax`);
    return session;
  };

  const start = async (session: Session): Promise<string> => {
    const pending = {
      state: client.randomState(),
      nonce: client.randomNonce(),
      verifier: client.randomPKCECodeVerifier(),
    };
    session.pending = pending;
    return client.buildAuthorizationUrl(await configuration(), {
      redirect_uri: `${origin}/callback`,
      scope: options.scope,
      state: pending.state,
      nonce: pending.nonce,
      code_challenge: await client.calculatePKCECodeChallenge(pending.verifier),
      code_challenge_method: 'S256',
      ...(options.claims && { claims: JSON.stringify(options.claims) }),
    }).href;
  };

  /** OpenID Connect Core §4: whoever starts the sign-in from elsewhere names the issuer. */
  const initiated = (session: Session, url: URL): Promise<string> => {
    const named = url.searchParams.get('iss');
    if (named !== null && named !== issuer) throw new Error(`${named} is not the issuer`);
    if (named !== null) initiations.push(named);
    return start(session);
  };

  const callback = async (session: Session, url: URL): Promise<string> => {
    const { pending } = session;
    delete session.pending;
    if (pending === undefined) throw new Error('no sign-in under way');
    const config = await configuration();
    const tokens = await client.authorizationCodeGrant(config, url, {
      expectedState: pending.state,
      expectedNonce: pending.nonce,
      pkceCodeVerifier: pending.verifier,
      idTokenExpected: true,
    });
    const idToken = tokens.claims() ?? ({} as client.IDToken);
    const userinfo = await client.fetchUserInfo(config, tokens.access_token, idToken.sub);
    session.subject = idToken.sub;
    session.sid = String(idToken['sid']);
    session.idToken = tokens.id_token ?? '';
    signIns.push({ subject: idToken.sub, idToken: { ...idToken }, userinfo: { ...userinfo } });
    return options.next ?? '/';
  };

  const backchannelLogout = async (req: IncomingMessage): Promise<void> => {
    const token = new URLSearchParams(await body(req)).get('logout_token') ?? '';
    const jwks = createRemoteJWKSet(new URL((await configuration()).serverMetadata().jwks_uri ?? ''));
    const { payload } = await jwtVerify(token, jwks, { issuer, audience: clientId, typ: 'logout+jwt' });
    const events = payload['events'] as Record<string, unknown> | undefined;
    if (events?.[EVENT] === undefined || payload['nonce'] !== undefined) throw new Error('not a logout token');
    logouts.push({ ...payload });
    for (const [id, session] of sessions) {
      const same = payload['sid'] === undefined ? session.subject === payload.sub : session.sid === payload['sid'];
      if (same) sessions.delete(id);
    }
  };

  const page = (session: Session): string =>
    `<!doctype html><html lang="de"><title>${options.title}</title><h1>${options.title}</h1>${
      session.subject === undefined
        ? '<p id="status">abgemeldet</p><a href="/anmelden">Anmelden</a>'
        : `<p id="status">angemeldet</p><p id="subject">${session.subject}</p><a href="/abmelden">Abmelden</a>`
    }`;

  const answer = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const url = new URL(req.url ?? '/', origin);
    if (url.pathname === '/backchannel' && req.method === 'POST') {
      await backchannelLogout(req);
      res.writeHead(200, { 'cache-control': 'no-store' }).end();
      return;
    }
    const session = sessionOf(req, res);
    const redirect = (to: string): unknown => res.writeHead(302, { location: to }).end();
    if (url.pathname === '/') res.setHeader('content-type', 'text/html; charset=utf-8').end(page(session));
    else if (url.pathname === '/anmelden') redirect(await initiated(session, url));
    else if (url.pathname === '/callback') redirect(await callback(session, url));
    else if (url.pathname === '/abmelden') {
      const end = client.buildEndSessionUrl(await configuration(), {
        post_logout_redirect_uri: `${origin}/`,
        ...(session.idToken && { id_token_hint: session.idToken }),
      });
      redirect(end.href);
    } else res.writeHead(404).end();
  };

  return {
    ...options,
    signIns,
    logouts,
    faults,
    initiations,
    listener: (req, res) => {
      answer(req, res).catch((error: unknown) => {
        faults.push(
          `${req.url}: ${error instanceof Error ? `${error.message} ${String(error.cause ?? '')}` : String(error)}`,
        );
        if (!res.headersSent) res.writeHead(400, { 'content-type': 'text/plain' });
        res.end(`Fehler: ${String(error)}`);
      });
    },
  };
};
