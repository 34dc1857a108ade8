import { randomUUID } from 'node:crypto';
import {
  type AuthenticationResponseJSON,
  generateAuthenticationOptions,
  generateRegistrationOptions,
  type PublicKeyCredentialCreationOptionsJSON,
  type PublicKeyCredentialRequestOptionsJSON,
  type RegistrationResponseJSON,
  verifyAuthenticationResponse,
  verifyRegistrationResponse,
} from '@simplewebauthn/server';
import { cose, decodeCredentialPublicKey } from '@simplewebauthn/server/helpers';
import * as audit from './audit.ts';
import { startOfDay } from './coarse-time.ts';
import { type Context, inTransaction } from './context.ts';
import { accountSeal, sealOf } from './data-key.ts';
import { accountIndex } from './identifier.ts';
import type { AccountId } from './ids.ts';
import { decoysFor, isDecoy, standInKey } from './passkey-decoys.ts';
import type { SignIn } from './sign-in.ts';
import { isDerSignature } from './signature-encoding.ts';
import { prepared } from './statement.ts';

/** The provider as a WebAuthn relying party: `id` is its host name, `origin` its exact origin. */
export type RelyingParty = { readonly id: string; readonly origin: string; readonly name: string };

/** A passkey as it comes from its creation; JSON-safe. Ids and the COSE key are base64url. */
export type NewPasskey = {
  readonly credentialId: string;
  readonly publicKey: string;
  readonly counter: number;
  readonly transports: readonly string[];
  readonly aaguid: string;
  readonly backedUp: boolean;
};

/** A passkey as the citizen's own pages list it. */
export type Passkey = {
  readonly id: string;
  readonly credentialId: string;
  readonly transports: readonly string[];
  readonly aaguid: string;
  readonly backedUp: boolean;
  /** The citizen's own name for it. */
  readonly label?: string;
  readonly createdAt: Date;
  readonly lastUsedAt?: Date;
};

export type Creation = { outcome: 'ok'; passkey: NewPasskey } | { outcome: 'wrong'; reason: string };

/** COSE algorithms in order of preference: ES256, EdDSA, and RS256 for Windows Hello with older TPMs. */
const ALGORITHMS = [-7, -8, -257];
const CEREMONY_TIMEOUT_MS = 5 * 60 * 1000;
const TRANSPORTS = new Set(['ble', 'cable', 'hybrid', 'internal', 'nfc', 'smart-card', 'usb']);
const MAX_CREDENTIAL_ID_BYTES = 1023;

/**
 * Options for `navigator.credentials.create()`. The challenge is to be kept on the server and taken from there exactly
 * once. `handle` is the WebAuthn user id, `exclude` lists what the account already has.
 */
export const creationOptions = async (
  _ctx: Context,
  rp: RelyingParty,
  who: {
    handle: Buffer;
    name: string;
    displayName: string;
    exclude: readonly Pick<Passkey, 'credentialId' | 'transports'>[];
  },
): Promise<{ options: PublicKeyCredentialCreationOptionsJSON; challenge: string }> => {
  const options = await generateRegistrationOptions({
    rpName: rp.name,
    rpID: rp.id,
    userID: new Uint8Array(who.handle),
    userName: who.name,
    userDisplayName: who.displayName,
    timeout: CEREMONY_TIMEOUT_MS,
    attestationType: 'none',
    excludeCredentials: who.exclude.map(({ credentialId, transports }) => ({
      id: credentialId,
      transports: [...transports],
    })),
    // 'preferred': security keys without room for a discoverable credential work too, after the identifier.
    authenticatorSelection: { residentKey: 'preferred', userVerification: 'required' },
    supportedAlgorithmIDs: ALGORITHMS,
  });
  return { options, challenge: options.challenge };
};

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The outer shape, as the library trusts its types; what is inside it checks itself. */
const isCredential = (value: unknown): value is { id: string; rawId: string; response: Record<string, unknown> } =>
  isObject(value) &&
  typeof value['id'] === 'string' &&
  value['id'] === value['rawId'] &&
  value['id'].length <= Math.ceil((MAX_CREDENTIAL_ID_BYTES * 4) / 3) &&
  value['type'] === 'public-key' &&
  isObject(value['response']) &&
  Object.values(value['response']).every(
    (part) => typeof part === 'string' || typeof part !== 'object' || part === null || Array.isArray(part),
  ) &&
  isObject(value['clientExtensionResults']);

/**
 * Checks the answer to `creationOptions`. `challenge` is the one that was kept; it must not be offered twice.
 * @param automatic made by the browser right after a sign-in by password (WebAuthn L3, conditional create): nobody
 *   touched anything. A sign-in with the passkey needs presence and verification all the same.
 */
export const verifyCreation = async (
  rp: RelyingParty,
  challenge: string,
  response: unknown,
  { automatic = false }: { readonly automatic?: boolean } = {},
): Promise<Creation> => {
  if (!isCredential(response)) return { outcome: 'wrong', reason: 'not a public-key credential' };
  try {
    const { verified, registrationInfo } = await verifyRegistrationResponse({
      response: response as unknown as RegistrationResponseJSON,
      expectedChallenge: challenge,
      expectedOrigin: rp.origin,
      expectedRPID: rp.id,
      requireUserVerification: !automatic,
      requireUserPresence: !automatic,
      supportedAlgorithmIDs: ALGORITHMS,
    });
    if (!verified) return { outcome: 'wrong', reason: 'attestation not verified' };
    const { credential, aaguid, credentialBackedUp } = registrationInfo;
    return {
      outcome: 'ok',
      passkey: {
        credentialId: credential.id,
        publicKey: Buffer.from(credential.publicKey).toString('base64url'),
        counter: credential.counter,
        transports: (credential.transports ?? []).filter((transport) => TRANSPORTS.has(transport)),
        aaguid,
        backedUp: credentialBackedUp,
      },
    };
  } catch (error) {
    // The library throws for every fault in what the browser sent, and touches nothing else that could fail.
    return { outcome: 'wrong', reason: error instanceof Error ? error.message : 'malformed' };
  }
};

/**
 * Options for `navigator.credentials.get()`: with any passkey of this provider (autofill or button), or with those in
 * `allow`, for security keys that have no room for discoverable ones.
 */
export const requestOptions = async (
  rp: RelyingParty,
  allow: readonly Allowed[] = [],
): Promise<{ options: PublicKeyCredentialRequestOptionsJSON; challenge: string }> => {
  const options = await generateAuthenticationOptions({
    rpID: rp.id,
    timeout: CEREMONY_TIMEOUT_MS,
    userVerification: 'required',
    ...(allow.length > 0 && {
      allowCredentials: allow.map(({ credentialId, transports }) => ({
        id: credentialId,
        transports: [...transports],
      })),
    }),
  });
  return { options, challenge: options.challenge };
};

type Allowed = Pick<Passkey, 'credentialId' | 'transports'>;

/** The passkeys that may be used for an identifier; made-up ones where there are none, by the same single query. */
export const allowedFor = async (ctx: Context, identifier: string): Promise<Allowed[]> => {
  const wanted = accountIndex(ctx, identifier);
  const rows = await ctx
    .db('passkeys')
    .join('accounts', 'accounts.id', 'passkeys.account_id')
    .where(`accounts.${wanted.column}`, wanted.index)
    .where('accounts.status', 'active')
    .orderBy('passkeys.created_at')
    .select('passkeys.credential_id', 'passkeys.transports');
  const made = decoysFor(ctx, wanted.index.toString('base64url'));
  if (rows.length === 0) return made;
  return rows.map((row) => ({ credentialId: row.credential_id.toString('base64url'), transports: row.transports }));
};

type StoredPasskey = {
  account_id: AccountId;
  public_key: Buffer;
  counter: string;
  transports: string[];
  status: string;
  passkey_handle: Buffer;
  weak: boolean;
  data_key: Buffer | null;
  data_key_version: number;
};

const byCredential = prepared<StoredPasskey>(
  'passkey_by_credential',
  `SELECT k.account_id, k.public_key, k.counter, k.transports, a.status, a.passkey_handle, a.data_key, a.data_key_version,
     (k.weak AND NOT coalesce(a.proofed_at >= k.created_at, false)) AS weak
   FROM passkeys k JOIN accounts a ON a.id = k.account_id WHERE k.credential_id = $1`,
);

// WebAuthn L3 §6.1.1: authenticators that count must count up; a lower value tells of a copy. Synced ones stay at 0.
const use = prepared<{ used: boolean }>(
  'passkey_use',
  `WITH used AS (
     UPDATE passkeys SET counter = $2::bigint, last_used_at = $3
     WHERE credential_id = $1 AND (counter < $2::bigint OR (counter = 0 AND $2::bigint = 0)) RETURNING id
   ), noted AS (
     INSERT INTO activities (reference, sealed, expires_on) SELECT $4::bytea, $5::bytea, $6::date FROM used
   )
   SELECT EXISTS (SELECT FROM used) AS used`,
);

const isEcKey = (publicKey: Buffer): boolean =>
  cose.isCOSEPublicKeyEC2(decodeCredentialPublicKey(new Uint8Array(publicKey)));

/** The counter that a valid assertion carries, undefined if any check fails. */
const assertedCounter = async (
  rp: RelyingParty,
  challenge: string,
  response: AuthenticationResponseJSON,
  stored: Pick<StoredPasskey, 'public_key' | 'passkey_handle'>,
): Promise<number | undefined> => {
  // WebAuthn L3 §7.2 step 6: a discoverable credential names its user, and it must be the one it was made for.
  const { userHandle } = response.response;
  if (userHandle !== undefined && !stored.passkey_handle.equals(Buffer.from(userHandle, 'base64url'))) return undefined;
  try {
    const { verified, authenticationInfo } = await verifyAuthenticationResponse({
      response,
      expectedChallenge: challenge,
      expectedOrigin: rp.origin,
      expectedRPID: rp.id,
      requireUserVerification: true,
      // The counter is compared in SQL below, where parallel assertions cannot pass each other.
      credential: { id: response.id, publicKey: new Uint8Array(stored.public_key), counter: 0 },
    });
    const signature = Buffer.from(response.response.signature, 'base64url');
    if (isEcKey(stored.public_key) && !isDerSignature(signature)) return undefined;
    return verified && authenticationInfo.userVerified ? authenticationInfo.newCounter : undefined;
  } catch {
    return undefined;
  }
};

const nobodys = (): Pick<StoredPasskey, 'public_key' | 'passkey_handle'> => ({
  public_key: standInKey(),
  passkey_handle: Buffer.alloc(0),
});

export type PasskeySignIn =
  | (Extract<SignIn, { outcome: 'proven' }> & { userVerified: true })
  /** `unknown`: the id of a passkey that there is none of (any more), so that the browser may be told. */
  | (Extract<SignIn, { outcome: 'wrong' }> & { unknown?: string })
  | Extract<SignIn, { outcome: 'wait' }>;

/**
 * Signs in with a passkey; user verification (PIN, fingerprint) is always part of it. `challenge` is the one that was
 * kept for this ceremony and has been taken from its place: it must not be offered twice.
 */
export const verify = async (
  ctx: Context,
  rp: RelyingParty,
  challenge: string,
  response: unknown,
): Promise<PasskeySignIn> => {
  if (!isCredential(response)) return { outcome: 'wrong' };
  const assertion = response as unknown as AuthenticationResponseJSON;
  const credential = Buffer.from(assertion.id, 'base64url');
  const [stored] = await byCredential(ctx, credential);
  // For an unknown passkey the same is done: by the time it takes, nobody tells a made-up id from somebody's own.
  const counter = await assertedCounter(rp, challenge, assertion, stored ?? nobodys());
  const refuse = async (reason: 'wrong' | 'not-active' | 'counter'): Promise<{ outcome: 'wrong' }> => {
    const about = stored === undefined ? {} : { account: stored.account_id };
    await audit.record(ctx, 'sign-in-refused', { ...about, detail: { method: 'passkey', reason } });
    return { outcome: 'wrong' };
  };
  if (stored === undefined) {
    const refused = await refuse('wrong');
    return isDecoy(ctx, assertion.id) ? refused : { ...refused, unknown: assertion.id };
  }
  const { account_id: account, data_key: wrapped } = stored;
  if (counter === undefined) return refuse('wrong');
  if (stored.status !== 'active' || wrapped === null) return refuse('not-active');
  const seal = accountSeal(ctx.keys, account, ctx.keys.openDataKey(account, wrapped, stored.data_key_version));
  const used = await audit.recordSignIn(ctx, account, seal, { method: 'passkey' }, async (line) => {
    const { reference, sealed, expiresOn } = line;
    const [row] = await use(ctx, credential, counter, startOfDay(ctx.now()), reference, sealed, expiresOn);
    return row?.used === true;
  });
  if (!used) return refuse('counter');
  return { outcome: 'proven', account, userVerified: true, ...(stored.weak && { weak: true }) };
};

/** Writes a passkey without a transaction or audit row of its own; for `register`. Throws if its id is known already. */
export const insert = async (ctx: Context, account: AccountId, passkey: NewPasskey, weak = false): Promise<void> => {
  await ctx.db('passkeys').insert({
    id: randomUUID(),
    account_id: account,
    credential_id: Buffer.from(passkey.credentialId, 'base64url'),
    public_key: Buffer.from(passkey.publicKey, 'base64url'),
    counter: passkey.counter,
    transports: passkey.transports,
    aaguid: passkey.aaguid,
    backed_up: passkey.backedUp,
    weak,
    created_at: ctx.now(),
  });
};

/**
 * Adds a passkey to an account that has proven itself with a credential it already has.
 * @param weak fewer than two factors were shown before it
 */
export const add = async (
  ctx: Context,
  account: AccountId,
  passkey: NewPasskey,
  weak = false,
): Promise<{ outcome: 'added' } | { outcome: 'passkey-taken' }> => {
  try {
    return await inTransaction(ctx, async (tx) => {
      await insert(tx, account, passkey, weak);
      await tx.db('accounts').where({ id: account }).increment('credential_state', 1);
      await audit.record(tx, 'passkey-added', { account, detail: {} });
      return { outcome: 'added' } as const;
    });
  } catch (error) {
    if ((error as { constraint?: unknown }).constraint === 'passkeys_credential_id_key')
      return { outcome: 'passkey-taken' };
    throw error;
  }
};

const LABEL = 'passkeys.label';
const MAX_LABEL = 60;

/** The passkeys of an account, oldest first. */
export const list = async (ctx: Context, account: AccountId): Promise<Passkey[]> => {
  const rows = await ctx
    .db('passkeys')
    .where({ account_id: account })
    .orderBy('created_at')
    .select('id', 'credential_id', 'transports', 'aaguid', 'backed_up', 'label_sealed', 'created_at', 'last_used_at');
  const seal = rows.some((row) => row.label_sealed !== null) ? await sealOf(ctx, account) : undefined;
  return rows.map((row) => ({
    id: row.id,
    credentialId: row.credential_id.toString('base64url'),
    transports: row.transports,
    aaguid: row.aaguid,
    backedUp: row.backed_up,
    ...(row.label_sealed !== null && seal !== undefined && { label: seal.open(LABEL, row.label_sealed) }),
    createdAt: row.created_at,
    ...(row.last_used_at === null ? {} : { lastUsedAt: row.last_used_at }),
  }));
};

/** Gives a passkey the citizen's own name; an empty one takes it away. */
export const rename = (
  ctx: Context,
  account: AccountId,
  id: string,
  label: string,
): Promise<{ outcome: 'renamed' } | { outcome: 'unknown' }> =>
  inTransaction(ctx, async (tx) => {
    const seal = await sealOf(tx, account);
    const text = [
      ...label
        .normalize('NFC')
        .replace(/\p{Cc}/gu, '')
        .trim(),
    ]
      .slice(0, MAX_LABEL)
      .join('');
    const sealed = text === '' ? null : (seal?.seal(LABEL, text) ?? null);
    const changed = await tx
      .db('passkeys')
      .where({ account_id: account })
      // As text: what is no id is nobody's.
      .whereRaw('id::text = ?', [id])
      .update({ label_sealed: sealed });
    if (changed === 0) return { outcome: 'unknown' } as const;
    await audit.record(tx, 'passkey-renamed', { account, detail: {} });
    return { outcome: 'renamed' } as const;
  });

/** Removes a passkey, unless nothing to sign in with would be left. */
export const remove = (
  ctx: Context,
  account: AccountId,
  id: string,
): Promise<{ outcome: 'removed' } | { outcome: 'unknown' } | { outcome: 'last' }> =>
  inTransaction(ctx, async (tx) => {
    // Locked first: of two removals at once one must see the other.
    await tx.db('accounts').where({ id: account }).increment('credential_state', 1);
    const passkeys = await tx.db('passkeys').where({ account_id: account }).select('id');
    if (!passkeys.some((row) => row.id === id)) return { outcome: 'unknown' } as const;
    const [password] = await tx.db('passwords').where({ account_id: account }).select('account_id');
    const [identity] = await tx.db('identities').where({ account_id: account }).whereNull('retired_at').select('id');
    if (password === undefined && identity === undefined && passkeys.length === 1) return { outcome: 'last' } as const;
    await tx.db('passkeys').where({ id, account_id: account }).delete();
    await audit.record(tx, 'passkey-removed', { account, detail: {} });
    return { outcome: 'removed' } as const;
  });

/** A citizen who did not want a passkey is not asked again for so long. */
const OFFER_AGAIN_DAYS = 90;

/** Whether the citizen has turned a passkey down not long ago. */
export const declined = async (ctx: Context, account: AccountId): Promise<boolean> => {
  const since = new Date(ctx.now().getTime() - OFFER_AGAIN_DAYS * 24 * 3600 * 1000);
  const [row] = await ctx.db('accounts').where({ id: account }).where('passkey_declined_at', '>', since).select('id');
  return row !== undefined;
};

/** Notes that the citizen does not want a passkey now. */
export const decline = async (ctx: Context, account: AccountId): Promise<void> => {
  await ctx.db('accounts').where({ id: account }).update({ passkey_declined_at: ctx.now() });
};
