import type { FindAccount } from 'oidc-provider';
import { type AccountRow, type AccountStatus, readAccountRow } from '../accounts/account-row.ts';
import * as claims from '../accounts/claims.ts';
import * as consents from '../accounts/consents.ts';
import type { Context } from '../accounts/context.ts';
import { type AccountId, parseAccountId, parseClientId } from '../accounts/ids.ts';
import type { Town } from '../accounts/town.ts';
import { Recent } from '../keys/recent.ts';
import { available } from './availability.ts';
import type { Registrations } from './registrations.ts';

/** The account's row: as this request has read it along with a session or token, or else by a statement of its own. */
export type ReadAccount = {
  whole(id: AccountId): Promise<AccountRow | null>;
  status(id: AccountId): Promise<AccountStatus | null>;
};

const ROWS_KEPT = 4096;
const ROWS_KEPT_MS = 60_000;

/** `readAlong` is the store's `accountRow`, `note` its `noteAccountRow`. */
export const accountReader = (
  context: () => Context,
  readAlong: (id: string, part: 'whole' | 'status') => unknown,
  note: (id: string, row: AccountRow | null) => void,
): ReadAccount => {
  // A row that says what it said a moment ago is the same object, of which much has been opened by then.
  const rows = new Recent<{ text: string; row: AccountRow }>(ROWS_KEPT, ROWS_KEPT_MS);
  const rowOf = (id: AccountId, part: string, text: string): AccountRow => {
    const known = rows.get(part + id);
    if (known?.text === text) return known.row;
    const row = JSON.parse(text) as AccountRow;
    rows.set(part + id, { text, row });
    return row;
  };
  const read =
    (part: 'whole' | 'status') =>
    async (id: AccountId): Promise<AccountRow | null> => {
      const along = readAlong(id, part) as string | AccountRow | null | undefined;
      if (along !== undefined) return typeof along === 'string' ? rowOf(id, part, along) : along;
      const found = await available(() => readAccountRow(context(), id));
      note(id, found);
      return found;
    };
  return { whole: read('whole'), status: read('status') };
};

/** Whether a token's account is there and active. */
export const isActive = async (read: ReadAccount, account: unknown): Promise<boolean> => {
  const id = parseAccountId(account);
  return id !== undefined && (await read.status(id))?.status === 'active';
};

/**
 * Takes `auth_time` out of an ID token's claims unless it is due (OpenID Connect Core §2: `max_age`, or essential). Services
 * that are used in one session would all get the same second, and so a common mark.
 */
const withoutIdleTime = (asked: Record<string, unknown>): void => {
  const wish = asked['auth_time'] as { essential?: unknown } | null | undefined;
  if (wish?.essential !== true) delete asked['auth_time'];
};

/**
 * How oidc-provider finds a citizen: undefined unless the account is active, so that every grant, token and session of a
 * locked or closed account fails at once. Claims are those that the registration names and the citizen allowed. They are
 * at userinfo alone: an ID token travels through the browser when somebody signs out, and no service of the town finds
 * any there. A test suite may ask for them there by name (OpenID Connect Core §5.5; claims are voluntary), and gets all
 * where it leaves itself no userinfo to ask (§5.4).
 */
export const findAccount =
  (context: () => Context, registrations: Registrations, town: Town, read: ReadAccount): FindAccount =>
  async (ctx, subject) => {
    const id = parseAccountId(subject);
    const row = id === undefined ? null : await read.status(id);
    if (id === undefined || row?.status !== 'active') return undefined;
    // Staff and citizens never mix: to the one's client the other's account does not exist.
    const { client } = ctx.oidc;
    const kind = registrations.find(client?.clientId ?? '')?.staff === true ? 'staff' : 'citizen';
    if (client !== undefined && row.kind !== kind) return undefined;
    return {
      accountId: id,
      async claims(use, _scope, asked) {
        const registration = registrations.find(ctx.oidc.client?.clientId ?? '');
        const clientId = parseClientId(registration?.clientId);
        if (registration === undefined || clientId === undefined) return { sub: id };
        if (use === 'id_token' && registration.trial !== true) {
          withoutIdleTime(asked);
          return { sub: id };
        }
        const byName = use === 'id_token' && ctx.oidc.params?.['response_type'] !== 'id_token';
        const names = registration.claims
          .map(({ claim }) => claim)
          .filter((claim) => !byName || Object.hasOwn(asked, claim));
        if (names.length === 0) return { sub: id };
        const whole = await read.whole(id);
        if (whole === null) return { sub: id };
        const consent = consents.findIn(context(), id, clientId, whole);
        const given = new Set(consent?.given);
        const allowed = names.filter((claim) => given.has(claim));
        if (allowed.length === 0) return { sub: id };
        return { ...claims.releasedFrom(context(), id, registration, allowed, town, whole), sub: id };
      },
    };
  };
