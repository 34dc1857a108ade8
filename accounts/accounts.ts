import { randomBytes } from 'node:crypto';
import * as attributes from './attributes.ts';
import * as audit from './audit.ts';
import * as backupCodes from './backup-codes.ts';
import { monthOf, startOfDay } from './coarse-time.ts';
import { type Context, inTransaction } from './context.ts';
import { type AccountSeal, accountSeal, sealOf } from './data-key.ts';
import { type EmailAddress, emailIndex } from './email.ts';
import { identifierIndex } from './identifier.ts';
import type { LinkableProof } from './identities.ts';
import * as identities from './identities.ts';
import { type AccountId, newAccountId } from './ids.ts';
import * as kennung from './kennung.ts';
import type { NewPasskey } from './passkeys.ts';
import * as passkeys from './passkeys.ts';
import type { HashedPassword } from './passwords.ts';
import { prepared } from './statement.ts';
import type { Town } from './town.ts';

export type NewAccount = {
  readonly town: Pick<Town, 'id'>;
  readonly language: string;
  /** Proven by a code (email-codes.ts) before. */
  readonly email?: EmailAddress;
  readonly credential:
    | { readonly kind: 'password'; readonly hash: HashedPassword }
    /** `handle` is the WebAuthn user id that the passkey was created with. */
    | { readonly kind: 'passkey'; readonly passkey: NewPasskey; readonly handle: Buffer }
    /** The identity alone signs in; a passkey is offered afterwards. */
    | { readonly kind: 'identity'; readonly proof: LinkableProof };
  readonly address?: attributes.PostalAddress;
};

export type Registered =
  /** Backup codes come with a password; they are shown once and stored nowhere. */
  | { outcome: 'registered'; account: AccountId; kennung: kennung.Kennung; backupCodes?: string[] }
  | { outcome: 'email-taken' }
  /** The same passkey or handle was registered before: a form sent twice. */
  | { outcome: 'passkey-taken' }
  /** It signs in to an account by now: another tab was faster. */
  | { outcome: 'identity-taken' };

export type AccountKind = 'citizen' | 'staff';

export type Account = {
  readonly id: AccountId;
  readonly status: 'active' | 'locked' | 'closed';
  /** Staff have accounts of their own; neither kind is good where the other is asked for. */
  readonly kind: AccountKind;
  readonly language: string;
  readonly email?: EmailAddress;
  readonly kennung: kennung.Kennung;
  /** The day. */
  readonly createdAt: Date;
  /** Grows with every change of a credential. */
  readonly credentialState: number;
  /** The WebAuthn user id of the account's passkeys. */
  readonly passkeyHandle: Buffer;
};

const PASSKEY_HANDLE_BYTES = 32;
const KENNUNG_TRIES = 5;
const UNIQUE_VIOLATION = '23505';

/** A new WebAuthn user id: random, as it is readable on the authenticator (WebAuthn L3 §14.6.1). */
export const newPasskeyHandle = (): Buffer => randomBytes(PASSKEY_HANDLE_BYTES);

/** Writes an account that has no credential yet, without a transaction or audit row of its own. */
export const insert = async (
  ctx: Context,
  id: AccountId,
  wanted: Pick<NewAccount, 'town' | 'language' | 'email'> & { handle?: Buffer; kind?: AccountKind },
): Promise<{ seal: AccountSeal; kennung: kennung.Kennung }> => {
  const { wrapped, version } = ctx.keys.newDataKey(id);
  const seal = accountSeal(ctx.keys, id, ctx.keys.openDataKey(id, wrapped, version));
  for (let tries = 0; tries < KENNUNG_TRIES; tries += 1) {
    const candidate = kennung.generate(wanted.town);
    const inserted = await ctx
      .db('accounts')
      .insert({
        id,
        status: 'active',
        kind: wanted.kind ?? 'citizen',
        language: wanted.language,
        data_key: wrapped,
        data_key_version: version,
        kennung_index: kennung.kennungIndex(ctx.keys, candidate),
        kennung_sealed: seal.seal('accounts.kennung', candidate),
        email_index: wanted.email === undefined ? null : emailIndex(ctx.keys, wanted.email),
        email_sealed: wanted.email === undefined ? null : seal.seal('accounts.email', wanted.email),
        passkey_handle: wanted.handle ?? newPasskeyHandle(),
        created_at: startOfDay(ctx.now()),
        used_month: monthOf(ctx.now()),
      })
      .onConflict('kennung_index')
      .ignore()
      .returning('id');
    if (inserted.length === 1) return { seal, kennung: candidate };
  }
  throw new Error('no free Kennung found');
};

/** Writes the first or, after a recovery, the only credential; a password brings backup codes, which are returned. */
export const insertCredential = async (
  ctx: Context,
  account: AccountId,
  credential: NewAccount['credential'],
): Promise<string[] | undefined> => {
  if (credential.kind === 'passkey') {
    await passkeys.insert(ctx, account, credential.passkey);
    return undefined;
  }
  if (credential.kind === 'identity') {
    await identities.insert(ctx, account, credential.proof);
    return undefined;
  }
  const { hash, pepperVersion } = credential.hash;
  const row = { account_id: account, hash, pepper_version: pepperVersion, changed_at: ctx.now() };
  await ctx.db('passwords').insert(row);
  return backupCodes.insertNew(ctx, account);
};

/** What a violated UNIQUE says about the person's wish; anything else is a bug and thrown on. */
const takenBy = (error: unknown): Registered => {
  const { code, constraint } = error as { code?: unknown; constraint?: unknown };
  if (code === UNIQUE_VIOLATION && constraint === 'accounts_email_index_key') return { outcome: 'email-taken' };
  if (code === UNIQUE_VIOLATION && constraint === 'accounts_passkey_handle_key') return { outcome: 'passkey-taken' };
  if (code === UNIQUE_VIOLATION && constraint === 'passkeys_credential_id_key') return { outcome: 'passkey-taken' };
  if (code === UNIQUE_VIOLATION && constraint === 'identities_reference_key') return { outcome: 'identity-taken' };
  throw error;
};

/** Opens an account: account, e-mail, credential, address, backup codes and audit row in one transaction. */
export const register = (ctx: Context, wanted: NewAccount): Promise<Registered> =>
  inTransaction(ctx, async (tx): Promise<Registered> => {
    const account = newAccountId();
    const { credential } = wanted;
    // An account of staff has no roles: those come with an invitation to the administration.
    const kind = credential.kind === 'identity' ? identities.kindFor(credential.proof.source) : 'citizen';
    const { seal, kennung: assigned } = await insert(tx, account, {
      ...wanted,
      kind,
      ...(credential.kind === 'passkey' && { handle: credential.handle }),
    });
    const codes = await insertCredential(tx, account, credential);
    if (wanted.address !== undefined) await attributes.write(tx, account, seal, { address: wanted.address }, 'self');
    if (wanted.credential.kind === 'identity') await identities.keep(tx, account, wanted.credential.proof);
    await audit.record(tx, 'account-registered', {
      account,
      detail: {
        credential: credential.kind,
        email: wanted.email !== undefined,
        address: wanted.address !== undefined,
      },
    });
    return {
      outcome: 'registered',
      account,
      kennung: assigned,
      ...(codes === undefined ? {} : { backupCodes: codes }),
    };
  }).catch(takenBy);

/** Finds an account, whatever its status, by e-mail address or Kennung; with `kind`, one of that kind alone. */
export const findByIdentifier = async (
  ctx: Context,
  identifier: string,
  kind?: Account['kind'],
): Promise<AccountId | undefined> => {
  const wanted = identifierIndex(ctx, identifier);
  if (wanted === undefined) return undefined;
  const [row] = await ctx
    .db('accounts')
    .where({ [wanted.column]: wanted.index, ...(kind && { kind }) })
    .select('id');
  return row?.id;
};

/** The columns of `accounts a` that an account is opened from. */
export const ACCOUNT_COLUMNS = `a.status, a.kind, a.language, a.data_key, a.data_key_version, a.kennung_sealed,
  a.email_sealed, a.created_at, a.credential_state, a.passkey_handle`;

export type StoredAccount = {
  status: Account['status'];
  kind: AccountKind;
  language: string;
  data_key: Buffer | null;
  data_key_version: number;
  kennung_sealed: Buffer;
  email_sealed: Buffer | null;
  created_at: Date;
  credential_state: number;
  passkey_handle: Buffer;
};

/** Opens what `ACCOUNT_COLUMNS` give; undefined if there is no such account or its data key has been destroyed. */
export const openAccount = (ctx: Context, id: AccountId, row: StoredAccount | undefined): Account | undefined => {
  if (!row?.data_key) return undefined;
  const seal = accountSeal(ctx.keys, id, ctx.keys.openDataKey(id, row.data_key, row.data_key_version));
  return {
    id,
    status: row.status,
    kind: row.kind,
    language: row.language,
    ...(row.email_sealed === null ? {} : { email: seal.open('accounts.email', row.email_sealed) as EmailAddress }),
    kennung: seal.open('accounts.kennung', row.kennung_sealed) as kennung.Kennung,
    createdAt: row.created_at,
    credentialState: row.credential_state,
    passkeyHandle: row.passkey_handle,
  };
};

const accountOf = prepared<StoredAccount>('account', `SELECT ${ACCOUNT_COLUMNS} FROM accounts a WHERE a.id = $1`);

/** An account, opened; undefined if there is none or its data key has been destroyed. */
export const load = async (ctx: Context, id: AccountId): Promise<Account | undefined> => {
  const [row] = await accountOf(ctx, id);
  return openAccount(ctx, id, row);
};

/** Whether an account may sign in and be named in a token now. */
export const isActive = async (ctx: Context, id: AccountId): Promise<boolean> => {
  const [row] = await ctx.db('accounts').where({ id, status: 'active' }).select('id');
  return row !== undefined;
};

/** Gives an account another e-mail address, which the citizen has proven to read (email-codes.ts). */
export const changeEmail = (
  ctx: Context,
  id: AccountId,
  email: EmailAddress,
): Promise<{ outcome: 'changed' } | { outcome: 'email-taken' }> =>
  inTransaction(ctx, async (tx) => {
    const seal = await sealOf(tx, id);
    if (seal === undefined) throw new Error('the e-mail address of an account that does not exist');
    const [before] = await tx.db('accounts').where({ id }).forUpdate().select('email_index');
    await tx
      .db('accounts')
      .where({ id })
      .update({ email_index: emailIndex(tx.keys, email), email_sealed: seal.seal('accounts.email', email) });
    await tx.db('accounts').where({ id }).increment('credential_state', 1);
    await audit.record(tx, 'email-changed', { account: id, detail: { had: before?.email_index != null } });
    return { outcome: 'changed' } as const;
  }).catch((error) => {
    const { code, constraint } = error as { code?: unknown; constraint?: unknown };
    if (code === UNIQUE_VIOLATION && constraint === 'accounts_email_index_key') return { outcome: 'email-taken' };
    throw error;
  });

/** Sets the language in which the citizen is written to. */
export const setLanguage = (ctx: Context, id: AccountId, language: string): Promise<void> =>
  inTransaction(ctx, async (tx) => {
    await tx.db('accounts').where({ id }).update({ language });
    await audit.record(tx, 'language-changed', { account: id, detail: {} });
  });
