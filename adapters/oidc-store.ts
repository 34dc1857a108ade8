import { type Adapter, type AdapterPayload, errors } from 'oidc-provider';

export type { AdapterPayload } from 'oidc-provider';

/** Where a model lives: tokens outlast a crash, fleeting artifacts cost a retry, a mark only says "seen". */
export type Kind = 'lasting' | 'fleeting' | 'grant' | 'session' | 'mark';

const KINDS: ReadonlyMap<string, Kind> = new Map([
  ['AccessToken', 'lasting'],
  ['ClientCredentials', 'lasting'],
  ['RefreshToken', 'lasting'],
  ['InitialAccessToken', 'lasting'],
  ['RegistrationAccessToken', 'lasting'],
  ['AuthorizationCode', 'fleeting'],
  ['BackchannelAuthenticationRequest', 'fleeting'],
  ['DeviceCode', 'fleeting'],
  ['Interaction', 'fleeting'],
  ['PreAuthorizedCode', 'fleeting'],
  ['PushedAuthorizationRequest', 'fleeting'],
  ['Grant', 'grant'],
  ['Session', 'session'],
  ['ReplayDetection', 'mark'],
]);

/** The kind of one of oidc-provider's models. Throws for `Client`, which is not the store's, and for unknown ones. */
export const kindOf = (model: string): Kind => {
  const kind = KINDS.get(model);
  if (kind === undefined) throw new TypeError(`the store does not keep ${model}`);
  return kind;
};

/** The models that are revoked with their grant; `grantId` in other models (Interaction) is only a note. */
export const HAS_GRANT: ReadonlySet<string> = new Set([
  'AccessToken',
  'AuthorizationCode',
  'BackchannelAuthenticationRequest',
  'DeviceCode',
  'PreAuthorizedCode',
  'RefreshToken',
]);

/**
 * How long a second use of a refresh token or device code counts as an honest double click: refused, but not taken for
 * a theft. After it, oidc-provider sees the artifact as consumed and revokes the whole family (RFC 9700 §4.14.2).
 */
export const REUSE_GRACE_SECONDS = 5;

/** Where an app that was cut off asks again. A code is sent once, by a server: its second use is a theft (RFC 6749 §4.1.2). */
const ASKED_AGAIN: ReadonlySet<string> = new Set(['RefreshToken', 'DeviceCode', 'BackchannelAuthenticationRequest']);

/** The grace of a model's artifacts, in seconds. */
export const graceOf = (model: string): number => (ASKED_AGAIN.has(model) ? REUSE_GRACE_SECONDS : 0);

/** An unchanged session is written again at most this often; its expiry lags behind by no more than this. */
export const SESSION_SAVE_SECONDS = 300;

/**
 * Every replay mark lives at least this long. A DPoP proof may be dated 300 s into the future and then stays fresh for
 * 600 s, but oidc-provider asks to remember it for 300 s only.
 */
export const MARK_SECONDS = 900;

/** Nodes' clocks differ: rows are removed only some time after they have expired. */
export const PURGE_MARGIN_SECONDS = 60;

/** What a losing or late use of a one-time artifact is told; always one of the protocol's own errors. */
export const spent = (model: string): Error => {
  switch (model) {
    case 'PushedAuthorizationRequest':
      return new errors.InvalidRequestUri('request_uri is invalid, expired, or was already used');
    case 'RefreshToken':
      return new errors.InvalidGrant('refresh token already used');
    case 'AuthorizationCode':
      return new errors.InvalidGrant('authorization code already consumed');
    case 'DeviceCode':
      return new errors.InvalidGrant('device code already consumed');
    default:
      return new errors.InvalidGrant(`${model} already used`);
  }
};

/** Another request has ended the sign-in under way, or gone on with it. */
export const interactionGone = (): Error => new errors.SessionNotFound('interaction session not found');

/** The grant was revoked while its artifact was being made. */
export const grantGone = (): Error => new errors.InvalidGrant('grant not found');

/** The session was ended, or became another person's, while this request was using it. */
export const sessionGone = (): Error => new errors.LoginRequired('the session has ended');

/** Two parallel requests changed the same artifact; the later one is refused. */
export const changedMeanwhile = (): Error => new errors.InvalidRequest('the request was changed meanwhile');

/** Short-lived notes of a sign-in. `take` has exactly one taker; `replace` succeeds for one writer of a version. */
export type FleetingStore = {
  put(kind: string, id: string, value: unknown, ttlSeconds: number): Promise<void>;
  get<T>(kind: string, id: string): Promise<{ value: T; version: number } | undefined>;
  replace(kind: string, id: string, value: unknown, version: number, ttlSeconds: number): Promise<boolean>;
  take<T>(kind: string, id: string): Promise<T | undefined>;
};

/** A token or code that ends with a session, as it names its session. */
export type BoundToken = {
  readonly sessionUid?: string | undefined;
  readonly accountId?: string | undefined;
  readonly clientId?: string | undefined;
  readonly grantId?: string | undefined;
};

/** What the store keeps for oidc-provider, on whatever database. */
export type OidcStore = {
  /** oidc-provider's `adapter` factory. Throws a TypeError for `Client`. */
  adapterFor(model: string): Adapter;
  /**
   * Runs one HTTP request. Inside, reads are joined and remembered, and a request's writes go out as one statement,
   * at the latest when `work` is done: only then may the response be sent. Rejects with one of oidc-provider's errors
   * if a write was refused (spent artifact, revoked grant, ended session). If `work` throws or `failed()` says so,
   * nothing new is kept, but one-time artifacts stay spent (refresh tokens excepted: their client may try again).
   * `account` says how much of the account this request is going to need; all of it unless told otherwise.
   */
  inRequest<T>(work: () => Promise<T>, failed?: () => boolean, account?: AccountPart): Promise<T>;
  /**
   * Whether the session of that uid is there, is that account's, and has that grant for that service: what a token that
   * ends with its session needs.
   */
  sessionHolds(token: BoundToken): Promise<boolean>;
  /** Sends this request's waiting writes now, so that a refusal surfaces here. Does nothing outside of a request. */
  flush(): Promise<void>;
  /**
   * That part of the account's row as read along in this request (see `AccountReader`), as JSON, or as noted: null if there
   * is no such account, undefined if it was not read.
   */
  accountRow(account: string, part: AccountPart): unknown;
  /** Remembers the whole row of an account, read by a statement of its own, for the rest of this request. */
  noteAccountRow(account: string, row: unknown): void;
  /**
   * Says when a proof in this request (DPoP, client assertion) was issued, in seconds; undefined where it does not say.
   * A store that has lost its replay marks refuses proofs from before the loss.
   */
  noteProof(issuedAt: number | undefined): void;
  /** Keeps up what must be kept up all the time; to be called about once a second. */
  tend(): Promise<void>;
  /** The running sessions of an account. */
  sessionsOf(account: string): Promise<AdapterPayload[]>;
  /** Ends the sessions of an account, but for the one with the uid `except`; what was granted offline lives on. */
  endSessions(account: string, except?: string): Promise<void>;
  /** Ends the account's grants, but for those named, and every token of them: those of apps as well. Sessions go on. */
  endGrants(account: string, except: readonly string[]): Promise<void>;
  /** Ends what a service was granted for an account, and every token of it; sessions go on. */
  revokeService(account: string, clientId: string): Promise<void>;
  /** Ends all sessions and grants of an account, and every token with them; afterwards none can come into being. */
  revokeAccount(account: string): Promise<void>;
  readonly fleeting: FleetingStore;
  /** Removes at most `limit` expired rows of each table; the number removed. */
  purgeExpired(limit: number): Promise<number>;
};

/** What of an account is read along: all that claims are made from, or only whether and by whom it may be used. */
export type AccountPart = 'whole' | 'status';

/**
 * SQL that reads an account together with its session or grant: a scalar sub-select of type json for the account whose
 * id (uuid) is in `column`, for example `SELECT json_build_object('status', a.status) FROM accounts a WHERE a.id = ${column}`.
 */
export type AccountReader = (column: string, part: AccountPart) => string;
