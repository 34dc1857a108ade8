import { randomBytes } from 'node:crypto';
import * as attempts from './attempts.ts';
import * as audit from './audit.ts';
import { type Context, inTransaction } from './context.ts';
import { accountSeal } from './data-key.ts';
import * as devices from './devices.ts';
import { accountIndex, type Column } from './identifier.ts';
import type { AccountId } from './ids.ts';
import { Secret } from './secret.ts';
import type { SignIn } from './sign-in.ts';
import { prepared } from './statement.ts';

/** Slow hashing (argon2id), done outside of the server's own process. Both reject with `HashingBusy` if too much waits. */
export type PasswordHashing = {
  /** A PHC string, `$argon2id$v=19$…`. */
  hash(password: Secret, pepper: Buffer): Promise<string>;
  verify(phc: string, password: Secret, pepper: Buffer): Promise<boolean>;
};

const BUSY = 'HASHING_BUSY';

/** The queue of the hashing processes is full; the person is asked to try again soon (503). */
export class HashingBusy extends Error {
  readonly code = BUSY;

  constructor() {
    super('too many passwords are waiting to be hashed');
    this.name = 'HashingBusy';
  }

  /** By code: adapters import only types from here, so that the error they throw cannot be of this very class. */
  static override [Symbol.hasInstance](error: unknown): boolean {
    return error instanceof Error && 'code' in error && error.code === BUSY;
  }
}

/** A password as it is stored; JSON-safe, so that a registration under way can carry it. */
export type HashedPassword = { readonly hash: string; readonly pepperVersion: number };

/** NIST SP 800-63B-4 §3.1.1.2: the same password however a keyboard composes it. */
const normalised = (password: Secret): Secret => new Secret(password.reveal().normalize('NFKC'));

/** Hashes a new password with the current pepper. */
export const hashNew = async (ctx: Context, hashing: PasswordHashing, password: Secret): Promise<HashedPassword> => {
  const { version, secret } = ctx.keys.pepper();
  return { hash: await hashing.hash(normalised(password), secret), pepperVersion: version };
};

const WINDOW_SECONDS = 15 * 60;
const ACCOUNT_LIMIT = 10;
/** A library or a mobile network puts many citizens behind one address. */
const ADDRESS_LIMIT = 100;
/** About what two cores can hash in the window; above it, everybody would wait anyway. */
const OVERALL_LIMIT = 20_000;

type Owner = { kind: 'account' | 'identifier' | 'device'; key: string };
type From = { address: string; device?: string | undefined; patience?: number | undefined };

/**
 * Whose guesses count together. A browser in which this citizen has signed in before counts by itself: whatever others
 * do to the account, to the address or to all of us, its owner gets in.
 */
const buckets = (owner: Owner, from: From): [attempts.Bucket, ...attempts.Bucket[]] => {
  const own = { ...owner, limit: ACCOUNT_LIMIT * (from.patience ?? 1), windowSeconds: WINDOW_SECONDS };
  return owner.kind === 'device' ? [own] : [own, ...sharedBuckets(from)];
};

const sharedBuckets = ({ address, patience = 1 }: From): attempts.Bucket[] => [
  {
    kind: 'address',
    key: attempts.addressPrefix(address),
    limit: ADDRESS_LIMIT * patience,
    windowSeconds: WINDOW_SECONDS,
  },
  { kind: 'all', key: 'password', limit: OVERALL_LIMIT, windowSeconds: WINDOW_SECONDS },
];

type StoredPassword = {
  id: AccountId;
  status: string;
  hash: string | null;
  pepper_version: number | null;
  weak: boolean | null;
  data_key: Buffer | null;
  data_key_version: number;
  /** Those that the citizen has signed in with; empty unless they were asked for. */
  devices: Buffer[];
};

/** Stands for a citizen who does not exist, so that the same is done for them. */
const NOBODY = '00000000-0000-0000-0000-000000000000' as AccountId;

const passwordBy = (column: Column['column']) =>
  prepared<StoredPassword>(
    `password_by_${column}`,
    `SELECT a.id, a.status, a.data_key, a.data_key_version, p.hash, p.pepper_version,
       (p.weak AND NOT coalesce(a.proofed_at >= p.changed_at, false)) AS weak,
       CASE WHEN $2::boolean THEN ARRAY(SELECT d.device FROM known_devices d WHERE d.account_id = a.id)
         ELSE '{}' END AS devices
     FROM accounts a LEFT JOIN passwords p ON p.account_id = a.id WHERE a.${column} = $1`,
  );
const PASSWORD_BY = { email_index: passwordBy('email_index'), kennung_index: passwordBy('kennung_index') };

/** One query of the same shape for known, unknown and malformed identifiers. */
const findPassword = async (ctx: Context, { column, index }: Column, withDevices: boolean) =>
  (await PASSWORD_BY[column](ctx, index, withDevices))[0];

const decoys = new WeakMap<PasswordHashing, Promise<string>>();

/** A hash that no password matches, with the cost of a real one. Made before anyone is looked up, known or not. */
const decoyFor = (ctx: Context, hashing: PasswordHashing): Promise<string> => {
  const known = decoys.get(hashing);
  if (known !== undefined) return known;
  const made = hashing.hash(new Secret(randomBytes(32).toString('base64url')), ctx.keys.pepper().secret);
  decoys.set(hashing, made);
  made.catch(() => decoys.delete(hashing));
  return made;
};

/** Algorithm, version and cost of a PHC string. */
const costOf = (phc: string): string => phc.split('$').slice(0, 4).join('$');

/** Brings a hash to the current pepper and cost while the password is at hand. */
const renew = async (
  ctx: Context,
  hashing: PasswordHashing,
  stored: StoredPassword,
  password: Secret,
): Promise<void> => {
  try {
    const { hash, pepperVersion } = await hashNew(ctx, hashing, password);
    // The condition keeps a password that was changed meanwhile.
    await ctx
      .db('passwords')
      .where({ account_id: stored.id, hash: stored.hash })
      .update({ hash, pepper_version: pepperVersion });
  } catch (error) {
    // The old hash is still good; the next sign-in tries again.
    if (!(error instanceof HashingBusy)) throw error;
  }
};

/**
 * Signs in by e-mail address or Kennung and password. The attempt is reserved before anything is evaluated; hashing runs
 * outside of any transaction and costs the same for citizens who do not exist, have no password or are locked.
 * Rejects with `HashingBusy` (the attempt is then given back).
 * @param from network address; the browser's id if it has one (devices.ts); `patience` multiplies the limits of account
 *   and address (the sandbox, for test suites)
 */
export const verify = async (
  ctx: Context,
  hashing: PasswordHashing,
  identifier: string,
  password: Secret,
  from: From,
): Promise<SignIn> => {
  const decoy = await decoyFor(ctx, hashing);
  const { device } = from;
  const wanted = accountIndex(ctx, identifier);
  const stored = await findPassword(ctx, wanted, device !== undefined);
  // By account where there is one: e-mail address and Kennung together must not give twice the guesses.
  let owner: Owner = stored
    ? { kind: 'account', key: stored.id }
    : { kind: 'identifier', key: wanted.index.toString('base64url') };
  if (device !== undefined && devices.isAmong(ctx, stored?.id ?? NOBODY, device, stored?.devices ?? [])) {
    owner = { kind: 'device', key: `${owner.key} ${device}` };
  }
  const reserved = buckets(owner, from);
  const reservedAt = ctx.now();
  // A wrong password is told once it is noted, and the note waits for the disk; a right one empties the counter.
  const reservation = await attempts.reserve(ctx, reserved, false);
  if (reservation.outcome === 'wait') return reservation;

  const active = stored?.status === 'active' && stored.hash !== null ? stored : undefined;
  const pepper = ctx.keys.pepper(active?.pepper_version ?? undefined);
  let matches: boolean;
  try {
    matches = await hashing.verify(active?.hash ?? decoy, normalised(password), pepper.secret);
  } catch (error) {
    await attempts.release(ctx, reserved, reservedAt);
    throw error;
  }
  if (active === undefined || !matches) {
    await audit.record(ctx, 'sign-in-refused', {
      ...(stored === undefined ? {} : { account: stored.id }),
      detail: { method: 'password', reason: stored === undefined || active !== undefined ? 'wrong' : 'not-active' },
    });
    return { outcome: 'wrong' };
  }
  const outdated = costOf(active.hash ?? '') !== costOf(decoy) || active.pepper_version !== ctx.keys.pepper().version;
  if (outdated) await renew(ctx, hashing, active, password);
  const { id, data_key: wrapped } = active;
  if (wrapped === null) throw new Error('an active account without a data key');
  const seal = accountSeal(ctx.keys, id, ctx.keys.openDataKey(id, wrapped, active.data_key_version));
  await audit.recordSignIn(ctx, id, seal, { method: 'password' }, async (line) => {
    await attempts.settle(ctx, reserved, reservedAt, line);
    return true;
  });
  return { outcome: 'proven', account: id, ...(active.weak === true && { weak: true }) };
};

/**
 * Sets a new password for an account that has proven itself.
 * @param as `short`: fewer than 15 characters; refused unless there is an authenticator app. `weak`: fewer than two
 *   factors were shown before it
 */
export const change = (
  ctx: Context,
  account: AccountId,
  hashed: HashedPassword,
  as: {
    readonly short: boolean;
    readonly weak: boolean;
    readonly way: 'konto' | 'forgotten';
    /** The account's credential state when the citizen proved it; nothing may have changed since. */
    readonly state: number;
  },
): Promise<{ outcome: 'changed' } | { outcome: 'too-short' } | { outcome: 'stale' }> =>
  inTransaction(ctx, async (tx) => {
    // Locked first: the app must not be removed at this very moment.
    const unchanged = await tx
      .db('accounts')
      .where({ id: account, credential_state: as.state, status: 'active' })
      .increment('credential_state', 1);
    if (unchanged === 0) return { outcome: 'stale' } as const;
    const [totp] = await tx.db('totps').where({ account_id: account }).select('account_id');
    if (as.short && totp === undefined) return { outcome: 'too-short' } as const;
    const row = { account_id: account, hash: hashed.hash, pepper_version: hashed.pepperVersion, changed_at: tx.now() };
    await tx
      .db('passwords')
      .insert({ ...row, short: as.short, weak: as.weak })
      .onConflict('account_id')
      .merge();
    await audit.record(tx, 'password-changed', { account, detail: { way: as.way } });
    return { outcome: 'changed' } as const;
  });
