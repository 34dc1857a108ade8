import type { IncomingMessage, ServerResponse } from 'node:http';
import * as oidc from 'openid-client';
import type { Registration } from '../../../accounts/town.ts';
import { languageOf, STYLE, sendPage, sendText } from '../page.view.ts';
import { challengeOf, type DemoApiPlace } from './api.ts';
import { logoutTokenVerifier } from './logout-token.ts';
import { claimRequest, clientAuthentication, failureOf, readBody, redirect } from './requests.ts';
import { type Citizen, RpSessions } from './rp-session.ts';
import { type SecurityEvent, securityEventVerifier } from './security-event.ts';
import { apiPage, type Failure, failurePage, homePage } from './service.view.ts';

/** All that a service knows about its provider: where it is, and its own registration. */
export type DemoServiceOptions = {
  readonly registration: Registration;
  readonly organisation: Registration['name'];
  /** The service's own public address, ending in `/`. */
  readonly base: URL;
  readonly issuer: URL;
  /** The API of the same organisation that the service asks on behalf of citizens. */
  readonly api?: DemoApiPlace;
  /** Missing for public clients. */
  readonly clientSecret?: string;
  /** Another fetch for test set-ups with an own certificate authority. */
  readonly fetch?: typeof fetch;
};

type Session = NonNullable<ReturnType<RpSessions['find']>>;

const TIMEOUT_SECONDS = 10;
const MAX_TOLD = 20;

/** A relying party as any vendor could have written it with `openid-client`: it shares no code with the provider. */
export class DemoService {
  readonly #options: DemoServiceOptions;
  readonly #sessions: RpSessions;
  readonly #verifyLogoutToken: ReturnType<typeof logoutTokenVerifier>;
  readonly #verifySecurityEvent: ReturnType<typeof securityEventVerifier>;
  /** What the provider has told about citizens, the newest first. */
  #told: readonly SecurityEvent[] = [];
  #discovered: Promise<oidc.Configuration> | undefined;

  constructor(options: DemoServiceOptions) {
    const { registration, base, issuer } = options;
    this.#options = options;
    this.#sessions = new RpSessions(registration.clientId, base);
    // The identifier has no slash at its end, a URL object has.
    this.#verifyLogoutToken = logoutTokenVerifier(issuer.origin, registration.clientId, options.fetch);
    this.#verifySecurityEvent = securityEventVerifier(issuer.origin, registration.clientId, options.fetch);
  }

  /** Answers a request to an address below the service's own. */
  readonly handler = (req: IncomingMessage, res: ServerResponse): void => {
    this.#answer(req, res).catch((error: unknown) => {
      if (res.headersSent) res.destroy();
      else this.#fail(req, res, 502, failureOf(error)).catch(() => res.destroy());
    });
  };

  async #answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const { base } = this.#options;
    const url = new URL(req.url ?? '/', base.origin);
    const path = url.pathname.startsWith(base.pathname) ? url.pathname.slice(base.pathname.length) : undefined;
    const session = this.#sessions.find(req.headers.cookie);
    switch (`${req.method} ${path}`) {
      case 'GET ':
      case 'HEAD ':
        return this.#home(req, res, session);
      case 'GET style.css':
        return sendText(res, 200, 'text/css', STYLE);
      case 'POST login':
        return this.#start(res, session, this.#options.base.href, new URLSearchParams());
      case 'GET login':
        return this.#initiatedLogin(req, res, session, url);
      case 'GET callback':
        return this.#callback(req, res, session, url);
      case 'POST api':
      case 'GET api':
        return this.#askApi(req, res, session);
      case 'POST api/step-up':
        return this.#stepUp(req, res, session);
      case 'POST refresh':
        return this.#refresh(req, res, session);
      case 'POST logout':
        return this.#logout(res, session);
      case 'POST backchannel-logout':
        return this.#backchannelLogout(req, res);
      case 'POST security-events':
        return this.#securityEvents(req, res);
      default:
        return this.#fail(req, res, 404, { code: 'not_found' });
    }
  }

  async #home(req: IncomingMessage, res: ServerResponse, session: Session | undefined): Promise<void> {
    const { registration, organisation, base, issuer } = this.#options;
    const language = languageOf(req.headers['accept-language']);
    const view = homePage(language, {
      registration,
      organisation,
      base,
      issuer,
      citizen: session?.citizen,
      api: this.#options.api,
      told: this.#told,
    });
    // Sign-in and sign-out are forms that end at the provider.
    await sendPage(res, 200, view, [issuer.origin]);
  }

  /** Sends the browser to the provider with state, nonce and PKCE (RFC 9700 §2.1.1). */
  async #start(
    res: ServerResponse,
    session: Session | undefined,
    returnTo: string,
    extra: URLSearchParams,
    forApi = false,
  ): Promise<void> {
    const { registration, base } = this.#options;
    const config = await this.#configuration();
    const verifier = oidc.randomPKCECodeVerifier();
    const pending = {
      state: oidc.randomState(),
      nonce: oidc.randomNonce(),
      verifier,
      returnTo,
      startedAt: Date.now(),
      forApi,
    };
    const target = oidc.buildAuthorizationUrl(config, {
      redirect_uri: new URL('callback', base).href,
      ...claimRequest(registration),
      ...Object.fromEntries(extra),
      state: pending.state,
      nonce: pending.nonce,
      code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
    });
    redirect(res, target, this.#sessions.begin(session, pending));
  }

  /** OpenID Connect Core §4: someone else, such as the provider's list of services, starts the sign-in. */
  async #initiatedLogin(
    req: IncomingMessage,
    res: ServerResponse,
    session: Session | undefined,
    url: URL,
  ): Promise<void> {
    const { base, issuer } = this.#options;
    const named = url.searchParams.get('iss');
    // Only the provider of this service may be named, or anybody could send citizens to a false one.
    if (named === null || ![issuer.origin, issuer.href].includes(named)) {
      return this.#fail(req, res, 400, { code: 'wrong_issuer', detail: named ?? '' });
    }
    const target = url.searchParams.get('target_link_uri');
    // No open redirector: the target must be a page of this service.
    const inside = target !== null && URL.canParse(target) && new URL(target).href.startsWith(base.href);
    const hint = url.searchParams.get('login_hint');
    return this.#start(
      res,
      session,
      inside ? target : base.href,
      new URLSearchParams(hint === null ? {} : { login_hint: hint }),
    );
  }

  async #callback(req: IncomingMessage, res: ServerResponse, session: Session | undefined, url: URL): Promise<void> {
    const pending = session && this.#sessions.takePending(session, url.searchParams.get('state') ?? '');
    // An answer that this browser did not ask for is not taken (RFC 9700 §4.7).
    if (session === undefined || pending === undefined) return this.#fail(req, res, 400, { code: 'unexpected_answer' });
    const config = await this.#configuration();
    const { api } = this.#options;
    const resource = pending.forApi === true && api ? { resource: api.audience } : undefined;
    const tokens = await oidc.authorizationCodeGrant(
      config,
      url,
      {
        expectedState: pending.state,
        expectedNonce: pending.nonce,
        pkceCodeVerifier: pending.verifier,
        idTokenExpected: true,
      },
      resource,
    );
    if (resource !== undefined) {
      // Somebody else may have signed in meanwhile: the token would be theirs.
      if (tokens.claims()?.sub !== session.citizen?.subject)
        return this.#fail(req, res, 400, { code: 'unexpected_answer' });
      session.apiToken = tokens.access_token;
      return redirect(res, new URL(pending.returnTo));
    }
    redirect(res, new URL(pending.returnTo), this.#sessions.signIn(session, await this.#citizen(config, tokens)));
  }

  /** Asks the API; shows what it says, or what sign-in it wants (RFC 9470). */
  async #askApi(req: IncomingMessage, res: ServerResponse, session: Session | undefined): Promise<void> {
    const { api, base, issuer } = this.#options;
    if (api === undefined || session?.citizen === undefined) return redirect(res, base);
    if (session.apiToken === undefined) return this.#startForApi(res, session, api, new URLSearchParams());
    const ask = this.#options.fetch ?? fetch;
    const answer = await ask(api.url, { headers: { authorization: `Bearer ${session.apiToken}` } });
    const challenge = challengeOf(answer.headers.get('www-authenticate'));
    if (challenge['error'] === 'invalid_token') return this.#startForApi(res, session, api, new URLSearchParams());
    session.challenge = challenge;
    const view = apiPage(languageOf(req.headers['accept-language']), this.#options, {
      challenge: answer.headers.get('www-authenticate'),
      body: await answer.text(),
    });
    await sendPage(res, 200, view, [issuer.origin]);
  }

  /** Signs in anew as the API has asked for (RFC 9470 §4): its `acr_values` and `max_age` are passed on as they are. */
  async #stepUp(_req: IncomingMessage, res: ServerResponse, session: Session | undefined): Promise<void> {
    const { api, base } = this.#options;
    if (api === undefined || session?.challenge === undefined) return redirect(res, base);
    const { acr_values, max_age } = session.challenge;
    const extra = new URLSearchParams({ ...(acr_values && { acr_values }), ...(max_age && { max_age }) });
    return this.#startForApi(res, session, api, extra);
  }

  #startForApi(res: ServerResponse, session: Session, api: DemoApiPlace, extra: URLSearchParams): Promise<void> {
    const { base } = this.#options;
    extra.set('resource', api.audience);
    extra.set('scope', `openid ${api.scope}`);
    return this.#start(res, session, new URL('api', base).href, extra, true);
  }

  /** Fetches fresh tokens and claims without the citizen. */
  async #refresh(req: IncomingMessage, res: ServerResponse, session: Session | undefined): Promise<void> {
    const before = session?.citizen;
    if (session === undefined || before?.refreshToken === undefined)
      return this.#fail(req, res, 400, { code: 'no_refresh_token' });
    const config = await this.#configuration();
    const tokens = await oidc.refreshTokenGrant(config, before.refreshToken);
    session.citizen = await this.#citizen(config, tokens, before);
    redirect(res, this.#options.base);
  }

  async #citizen(
    config: oidc.Configuration,
    tokens: oidc.TokenEndpointResponse & oidc.TokenEndpointResponseHelpers,
    before?: Citizen,
  ): Promise<Citizen> {
    const idTokenClaims = tokens.claims() ?? before?.idTokenClaims ?? {};
    const subject = String(idTokenClaims['sub']);
    return {
      subject,
      sid: typeof idTokenClaims['sid'] === 'string' ? idTokenClaims['sid'] : before?.sid,
      idToken: tokens.id_token ?? before?.idToken ?? '',
      idTokenClaims,
      claims: await oidc.fetchUserInfo(config, tokens.access_token, subject),
      accessToken: tokens.access_token,
      refreshToken: tokens.refresh_token ?? before?.refreshToken,
    };
  }

  /** RP-Initiated Logout 1.0: here first, then at the provider, which tells the other services. */
  async #logout(res: ServerResponse, session: Session | undefined): Promise<void> {
    const { base } = this.#options;
    if (session?.citizen === undefined) return redirect(res, base);
    const { idToken } = session.citizen;
    const removal = this.#sessions.signOut(session);
    const config = await this.#configuration();
    redirect(
      res,
      oidc.buildEndSessionUrl(config, { id_token_hint: idToken, post_logout_redirect_uri: base.href }),
      removal,
    );
  }

  async #backchannelLogout(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const token = new URLSearchParams(await readBody(req)).get('logout_token') ?? '';
    const { jwks_uri: jwksUri } = (await this.#configuration()).serverMetadata();
    const order = await this.#verifyLogoutToken(token, jwksUri ?? '');
    if (order.outcome === 'refused') {
      const answer = { error: 'invalid_request', error_description: order.reason };
      return sendText(res, 400, 'application/json', JSON.stringify(answer));
    }
    this.#sessions.endBy(order.sid, order.subject);
    sendText(res, 200, 'text/plain', '');
  }

  /** RFC 8935 §2: what happened to a citizen's account ends their sessions here; a real service removes their data too. */
  async #securityEvents(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const token = await readBody(req);
    const { jwks_uri: jwksUri } = (await this.#configuration()).serverMetadata();
    const received =
      req.headers['content-type'] === 'application/secevent+jwt'
        ? await this.#verifySecurityEvent(token, jwksUri ?? '')
        : ({ outcome: 'refused', reason: 'not a Security Event Token' } as const);
    if (received.outcome === 'refused') {
      const answer = { err: 'invalid_request', description: received.reason };
      return sendText(res, 400, 'application/json', JSON.stringify(answer));
    }
    if (!received.again) {
      for (const { subject } of received.events) this.#sessions.endBy(undefined, subject);
      this.#told = [...received.events, ...this.#told].slice(0, MAX_TOLD);
    }
    res.writeHead(202).end();
  }

  /** The provider's metadata; asked for when first needed, so that services and provider start in any order. */
  #configuration(): Promise<oidc.Configuration> {
    const { issuer, registration, clientSecret } = this.#options;
    this.#discovered ??= oidc
      .discovery(issuer, registration.clientId, undefined, clientAuthentication(registration, clientSecret), {
        timeout: TIMEOUT_SECONDS,
        // Signatures of ID tokens are checked too, as a demo's way to the provider may have no TLS to vouch for them.
        execute:
          issuer.protocol === 'http:'
            ? [oidc.enableNonRepudiationChecks, oidc.allowInsecureRequests]
            : [oidc.enableNonRepudiationChecks],
        ...(this.#options.fetch && { [oidc.customFetch]: this.#options.fetch as oidc.CustomFetch }),
      })
      .catch((error: unknown) => {
        this.#discovered = undefined;
        throw error;
      });
    return this.#discovered;
  }

  async #fail(req: IncomingMessage, res: ServerResponse, status: number, failure: Failure): Promise<void> {
    const language = languageOf(req.headers['accept-language']);
    await sendPage(res, status, failurePage(language, this.#options, failure));
  }
}
