import { randomBytes } from 'node:crypto';

/** A sign-in under way. */
export type Pending = {
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
  readonly returnTo: string;
  readonly startedAt: number;
  /** It is for a token of the API, and the citizen stays signed in as before. */
  readonly forApi?: boolean;
};

/** What the service knows of a signed-in citizen. */
export type Citizen = {
  readonly subject: string;
  readonly sid: string | undefined;
  readonly idToken: string;
  readonly idTokenClaims: Record<string, unknown>;
  readonly claims: Record<string, unknown>;
  readonly accessToken: string;
  readonly refreshToken: string | undefined;
};

type Session = {
  readonly id: string;
  pending: Pending[];
  citizen?: Citizen;
  apiToken?: string;
  challenge?: Readonly<Record<string, string>>;
  usedAt: number;
};

const MAX_SESSIONS = 1000;
const MAX_PENDING = 5;
const PENDING_MINUTES = 30;
const COOKIE_VALUE = /^[A-Za-z0-9_-]{43}$/;

/** Sessions of one demo service, in memory; the citizen's browser holds nothing but a random name of its session. */
export class RpSessions {
  readonly #sessions = new Map<string, Session>();
  readonly #cookie: string;
  readonly #attributes: string;

  /**
   * Cookies of localhost are shared by all its ports, so each service's cookie has its own name.
   * @param base address of the service
   */
  constructor(clientId: string, base: URL) {
    this.#cookie = `demo_${clientId}`;
    this.#attributes = `; Path=${base.pathname}; HttpOnly; SameSite=Lax${base.protocol === 'https:' ? '; Secure' : ''}`;
  }

  /** The session that a request belongs to. */
  find(cookieHeader: string | undefined): Session | undefined {
    const prefix = `${this.#cookie}=`;
    const value = (cookieHeader ?? '')
      .split(';')
      .map((part) => part.trim())
      .find((part) => part.startsWith(prefix))
      ?.slice(prefix.length);
    if (value === undefined || !COOKIE_VALUE.test(value)) return undefined;
    const session = this.#sessions.get(value);
    if (session !== undefined) session.usedAt = Date.now();
    return session;
  }

  /** Notes a sign-in under way, in a new session if there is none; returns the Set-Cookie header. */
  begin(session: Session | undefined, pending: Pending): string {
    const own = session ?? this.#create();
    own.pending = [...this.#fresh(own.pending), pending].slice(-MAX_PENDING);
    return this.#setCookie(own.id);
  }

  /** The sign-in under way that an answer belongs to; it can be taken once. */
  takePending(session: Session, state: string): Pending | undefined {
    const pending = this.#fresh(session.pending).find((one) => one.state === state);
    session.pending = session.pending.filter((one) => one.state !== state);
    return pending;
  }

  /** Signs a citizen in, under a new session name (no session fixation); returns the Set-Cookie header. */
  signIn(old: Session, citizen: Citizen): string {
    this.#sessions.delete(old.id);
    const session = this.#create();
    session.citizen = citizen;
    return this.#setCookie(session.id);
  }

  /** Ends a session; returns the Set-Cookie header that removes its cookie. */
  signOut(session: Session): string {
    this.#sessions.delete(session.id);
    return `${this.#cookie}=; Max-Age=0${this.#attributes}`;
  }

  /** Ends every session that a logout token means: of one sign-in (sid), else of the subject. */
  endBy(sid: string | undefined, subject: string | undefined): number {
    const ended = [...this.#sessions.values()].filter(({ citizen }) => {
      if (citizen === undefined) return false;
      return sid === undefined ? citizen.subject === subject : citizen.sid === sid;
    });
    for (const { id } of ended) this.#sessions.delete(id);
    return ended.length;
  }

  #create(): Session {
    if (this.#sessions.size >= MAX_SESSIONS) {
      const oldest = [...this.#sessions.values()].reduce((left, right) => (left.usedAt <= right.usedAt ? left : right));
      this.#sessions.delete(oldest.id);
    }
    const session: Session = { id: randomBytes(32).toString('base64url'), pending: [], usedAt: Date.now() };
    this.#sessions.set(session.id, session);
    return session;
  }

  #fresh(pending: readonly Pending[]): Pending[] {
    return pending.filter(({ startedAt }) => startedAt > Date.now() - PENDING_MINUTES * 60_000);
  }

  #setCookie(id: string): string {
    return `${this.#cookie}=${id}${this.#attributes}`;
  }
}
