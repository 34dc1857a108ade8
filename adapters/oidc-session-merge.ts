import type { AdapterPayload } from 'oidc-provider';

type Authorizations = NonNullable<AdapterPayload['authorizations']>;

/** What is sealed in a session's row. */
export type StoredSession = {
  readonly payload: AdapterPayload;
  /** Grants that parallel sign-ins of one service made beside the one in `authorizations`; their tokens are good too. */
  readonly others: Readonly<Record<string, readonly string[]>>;
};

const OTHERS_PER_CLIENT = 8;
/** Who is signed in, and how; these belong together. */
const PRINCIPAL = ['accountId', 'loginTs', 'amr', 'acr', 'transient'] as const;

const same = (one: unknown, two: unknown): boolean => JSON.stringify(one) === JSON.stringify(two);
const principal = (session: AdapterPayload | undefined): unknown[] => PRINCIPAL.map((name) => session?.[name] ?? null);

/** Equal for sessions that differ in nothing but their expiry and the id in the cookie. */
export const sessionFingerprint = (payload: AdapterPayload): string =>
  JSON.stringify({ ...payload, exp: undefined, jti: undefined });

/** The client ids and grant ids of a session. */
export const grantsOf = ({ payload, others }: StoredSession): string[] => {
  const current = Object.values(payload.authorizations ?? {}).flatMap(({ grantId }) => grantId ?? []);
  return [...new Set([...current, ...Object.values(others).flat()])];
};

/** What a session keeps beside its payload: a service that was signed out of comes back with nothing of before. */
export const othersOf = (
  others: StoredSession['others'],
  { authorizations = {} }: AdapterPayload,
): StoredSession['others'] =>
  Object.fromEntries(Object.entries(others).filter(([client]) => authorizations[client] !== undefined));

const whose = (
  base: AdapterPayload | undefined,
  ours: AdapterPayload,
  theirs: AdapterPayload,
): AdapterPayload | undefined => {
  let winner: AdapterPayload;
  if (same(principal(ours), principal(base)) || same(principal(ours), principal(theirs))) winner = theirs;
  else if (base !== undefined && same(principal(theirs), principal(base))) winner = ours;
  else if (ours.accountId !== theirs.accountId) return undefined;
  else winner = (ours.loginTs ?? 0) >= (theirs.loginTs ?? 0) ? ours : theirs;
  // What a request did in the name of one account never becomes another's.
  if (winner !== ours && ours.accountId !== undefined && ours.accountId !== winner.accountId) return undefined;
  return winner;
};

/**
 * Joins what two parallel requests made of one session: `base` is what ours had read, `theirs` is stored now. Undefined
 * if they belong to different accounts: then ours must not be kept at all. `rotated`: ours comes with a new id.
 */
export const mergeSessions = (
  base: StoredSession | undefined,
  ours: StoredSession,
  theirs: StoredSession,
  rotated: boolean,
): StoredSession | undefined => {
  const winner = whose(base?.payload, ours.payload, theirs.payload);
  if (winner === undefined) return undefined;

  const before = new Map(Object.entries(base?.payload.authorizations ?? {}));
  const mine = new Map(Object.entries(ours.payload.authorizations ?? {}));
  const yours = new Map(Object.entries(theirs.payload.authorizations ?? {}));
  const merged = new Map<string, Authorizations[string]>();
  const others = new Map(Object.entries(theirs.others).map(([client, grants]) => [client, [...grants]]));
  for (const client of new Set([...mine.keys(), ...yours.keys()])) {
    const changedByUs = !same(mine.get(client), before.get(client));
    const kept = changedByUs ? mine.get(client) : yours.get(client);
    if (kept === undefined) continue;
    merged.set(client, kept);
    const lost = changedByUs ? yours.get(client)?.grantId : undefined;
    if (lost !== undefined && lost !== kept.grantId && !others.get(client)?.includes(lost)) {
      others.set(client, [...(others.get(client) ?? []), lost].slice(-OTHERS_PER_CLIENT));
    }
  }

  const state = same(ours.payload.state, base?.payload.state) ? theirs.payload.state : ours.payload.state;
  const payload: AdapterPayload = {
    ...theirs.payload,
    ...Object.fromEntries(PRINCIPAL.map((name) => [name, winner[name]])),
    // An id that was given up meanwhile must not come back.
    jti: rotated ? ours.payload.jti : theirs.payload.jti,
    exp: Math.max(ours.payload.exp ?? 0, theirs.payload.exp ?? 0),
    state,
    authorizations: Object.fromEntries(merged),
  };
  return { payload, others: othersOf(Object.fromEntries(others), payload) };
};

/**
 * The session as a token made by a parallel sign-in of the same service must see it: with that token's own grant.
 * oidc-provider keeps one grant for each service and takes tokens of any other for orphans.
 */
export const withGrantOf = (session: StoredSession, token: AdapterPayload): AdapterPayload => {
  const { clientId, grantId } = token;
  const authorization = session.payload.authorizations?.[clientId ?? ''];
  if (clientId === undefined || grantId === undefined || authorization === undefined) return session.payload;
  if (!session.others[clientId]?.includes(grantId)) return session.payload;
  const authorizations = { ...session.payload.authorizations, [clientId]: { ...authorization, grantId } };
  return { ...session.payload, authorizations };
};
