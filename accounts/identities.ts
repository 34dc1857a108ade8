import { randomUUID } from 'node:crypto';
import * as assurance from './assurance.ts';
import type { Attributes } from './attributes.ts';
import * as attributesOf from './attributes.ts';
import * as audit from './audit.ts';
import { startOfDay } from './coarse-time.ts';
import { type Context, inTransaction } from './context.ts';
import * as correspondence from './correspondence.ts';
import { sealOf } from './data-key.ts';
import * as deletion from './deletion.ts';
import { enrolled, raiseProofing, recordProofing } from './factors.ts';
import { contradictions } from './identity-match.ts';
import type { AccountId } from './ids.ts';

/** Where an identity comes from: the Online-Ausweis, BundID, the staff's identity provider. */
export type IdentitySource = 'eid' | 'bundid' | 'staff';
/** How well the source vouches for this very sign-in; `none` vouches for nothing but the identifier. */
export type IdentityLevel = 'none' | 'low' | 'substantial' | 'high';

/** What a source has proven; JSON-safe. The identifier means somebody only together with source and issuer. */
export type Proof = {
  readonly source: IdentitySource;
  readonly issuer: string;
  /** The card's pseudonym, bPK2 or `sub`; absent after a temporary login, which can prove attributes only. */
  readonly identifier?: string;
  readonly level: IdentityLevel;
  readonly attributes: Attributes;
};
/** A proof that can sign in and be linked. */
export type LinkableProof = Proof & { readonly identifier: string };

export type Identity = {
  readonly id: string;
  readonly source: IdentitySource;
  readonly linkedAt: Date;
  readonly lastUsedAt?: Date;
  readonly retiredAt?: Date;
};

/** The staff's provider signs in to accounts of staff, everything else to those of citizens: the two never mix. */
export const kindFor = (source: IdentitySource): 'citizen' | 'staff' => (source === 'staff' ? 'staff' : 'citizen');

/** The keyed hash under which an identity is found; never by name, date of birth or e-mail. */
const referenceOf = (ctx: Context, { source, issuer, identifier }: LinkableProof): Buffer =>
  ctx.keys.index('identity', JSON.stringify([source, issuer, identifier]));

export const isLinkable = (proof: Proof): proof is LinkableProof => proof.identifier !== undefined;

export type IdentitySignIn =
  | { outcome: 'proven'; account: AccountId }
  /** Nobody has linked it: it may open an account, or be linked to one. */
  | { outcome: 'unknown' }
  /** A newer card has taken its place. */
  | { outcome: 'retired' }
  | { outcome: 'not-active' };

/** The account that an identity signs in to, whatever its status; undefined if nobody has linked it. */
export const accountOf = async (ctx: Context, proof: LinkableProof): Promise<AccountId | undefined> => {
  const [row] = await ctx
    .db('identities')
    .where({ reference: referenceOf(ctx, proof) })
    .whereNull('retired_at')
    .select('account_id');
  return row?.account_id;
};

/** Signs in by a proof that was taken from its place; the audit row says by which source. */
export const signIn = (ctx: Context, proof: LinkableProof): Promise<IdentitySignIn> =>
  inTransaction(ctx, async (tx): Promise<IdentitySignIn> => {
    const [found] = await tx
      .db('identities')
      .join('accounts', 'accounts.id', 'identities.account_id')
      .where({ reference: referenceOf(tx, proof) })
      .select('identities.id', 'identities.account_id', 'identities.retired_at', 'accounts.status', 'accounts.kind');
    if (found === undefined) return { outcome: 'unknown' };
    const account: AccountId = found.account_id;
    const refuse = async <O extends 'retired' | 'not-active'>(outcome: O): Promise<{ outcome: O }> => {
      await audit.record(tx, 'sign-in-refused', { account, detail: { method: proof.source, reason: outcome } });
      return { outcome };
    };
    if (found.status !== 'active' || found.kind !== kindFor(proof.source)) return refuse('not-active');
    if (found.retired_at !== null) return refuse('retired');
    await tx
      .db('identities')
      .where({ id: found.id })
      .update({ last_used_at: startOfDay(tx.now()) });
    if (proof.level !== 'none') await raiseProofing(tx, account, proof.level);
    await audit.record(tx, 'sign-in-proven', { account, detail: { method: proof.source } });
    return { outcome: 'proven', account };
  });

/** Writes an identity without a transaction or audit row of its own; for `register`. Throws if it is linked already. */
export const insert = async (ctx: Context, account: AccountId, proof: LinkableProof): Promise<void> => {
  await ctx.db('identities').insert({
    id: randomUUID(),
    account_id: account,
    reference: referenceOf(ctx, proof),
    source: proof.source,
    linked_at: startOfDay(ctx.now()),
    last_used_at: startOfDay(ctx.now()),
  });
};

/** Locks the account for a change of what signs in to it; undefined unless it is active. */
const lockActive = async (
  ctx: Context,
  account: AccountId,
): Promise<{ credentialState: number; kind: 'citizen' | 'staff' } | undefined> => {
  const [row] = await ctx
    .db('accounts')
    .where({ id: account, status: 'active' })
    .forUpdate()
    .select('credential_state', 'kind');
  return row && { credentialState: row.credential_state, kind: row.kind };
};

const grow = (ctx: Context, account: AccountId): Promise<unknown> =>
  ctx.db('accounts').where({ id: account }).increment('credential_state', 1);

export type Link =
  | { outcome: 'linked'; replaced: boolean }
  | { outcome: 'linked-before' }
  /** It signs in to another account: of the two, one may be closed. */
  | { outcome: 'elsewhere'; account: AccountId }
  /** What was proofed earlier says otherwise: another person's card. */
  | { outcome: 'contradiction'; names: string[] }
  /** Its credentials changed since the sign-in that allows this. */
  | { outcome: 'stale' }
  /** A citizen's card and a member of staff's account, or the other way round. */
  | { outcome: 'wrong-kind' };

/**
 * Keeps the values that a source vouches for; without a transaction of its own. A source that vouches for nothing
 * changes nothing.
 */
export const keep = async (ctx: Context, account: AccountId, proof: Proof): Promise<void> => {
  if (proof.level === 'none') return;
  await recordProofing(ctx, account, proof.level);
  if (proof.source === 'staff') return;
  const seal = await sealOf(ctx, account);
  const { age_over: years, ...rest } = proof.attributes;
  const known = (await attributesOf.readProofed(ctx, account)).age_over ?? 0;
  const attributes = { ...rest, ...(years !== undefined && years > known && { age_over: years }) };
  const names = Object.keys(attributes);
  if (seal === undefined || names.length === 0) return;
  await attributesOf.write(ctx, account, seal, attributes, proof.source, proof.level);
  // After a recovery on paper no level counted until now.
  await ctx.db('accounts').where({ id: account }).update({ reduced_at: null });
  await audit.record(ctx, 'attributes-recorded', { account, detail: { names, source: proof.source } });
};

/** Another card of the same person retires the older one: only where the values read agree on who that is. */
const retireOlder = async (ctx: Context, account: AccountId, source: IdentitySource): Promise<boolean> => {
  const retired = await ctx
    .db('identities')
    .where({ account_id: account, source })
    .whereNull('retired_at')
    .update({ retired_at: ctx.now() });
  return retired > 0;
};

/**
 * Links an identity to an account, both proven in this very sign-in. The caller has made sure that the account was
 * proven just now by the strongest factor it has; `credentialState` is the one of that moment.
 *
 * A second card must say whose it is: if name and date of birth contradict nothing that was proofed before, it is the same
 * person's new one and takes the first one's place.
 */
export const link = (
  ctx: Context,
  account: AccountId,
  credentialState: number,
  proof: LinkableProof,
  mail: { linked: correspondence.Message; email: string | undefined },
): Promise<Link> =>
  inTransaction(ctx, async (tx): Promise<Link> => {
    const locked = await lockActive(tx, account);
    if (locked?.credentialState !== credentialState) return { outcome: 'stale' };
    if (locked.kind !== kindFor(proof.source)) return { outcome: 'wrong-kind' };
    const [known] = await tx
      .db('identities')
      .where({ reference: referenceOf(tx, proof) })
      .select('account_id', 'retired_at');
    if (known !== undefined && known.account_id !== account) return { outcome: 'elsewhere', account: known.account_id };
    if (known !== undefined && known.retired_at === null) return { outcome: 'linked-before' };
    const proofed = await attributesOf.readProofed(tx, account);
    const names = contradictions(proofed, proof.attributes);
    if (names.length > 0) return { outcome: 'contradiction', names };
    // A retired card that comes back would undo what the newer one did.
    if (known !== undefined) return { outcome: 'contradiction', names: [] };
    const [older] = await tx
      .db('identities')
      .where({ account_id: account, source: proof.source })
      .whereNull('retired_at')
      .select('id');
    if (older !== undefined && !namesPerson(proof.attributes)) return { outcome: 'contradiction', names: [] };
    // The older card never said whose it was: what it confirmed (an age, the town) might be another person's.
    if (older !== undefined && !namesPerson(proofed))
      await tx.db('attributes').where({ account_id: account, source: proof.source }).delete();
    const replaced = await retireOlder(tx, account, proof.source);
    await insert(tx, account, proof);
    await keep(tx, account, proof);
    await grow(tx, account);
    await audit.record(tx, 'identity-linked', { account, detail: { source: proof.source, replaced } });
    await correspondence.tell(tx, { id: account, email: mail.email }, mail.linked);
    return { outcome: 'linked', replaced };
  });

/** Whether a record says whose it is. */
const namesPerson = (known: Attributes): boolean =>
  (['given_name', 'family_name', 'birthdate'] as const).every((name) => known[name] !== undefined);

export type Proofing =
  | { outcome: 'recorded' }
  | { outcome: 'contradiction'; names: string[] }
  /** The card or BundID account belongs to somebody else's account, or to nobody's. */
  | { outcome: 'not-linked' }
  | { outcome: 'stale' };

/** Records what a source has proven about the citizen of an account that it is linked to. */
export const proof = (ctx: Context, account: AccountId, proven: Proof): Promise<Proofing> =>
  inTransaction(ctx, async (tx): Promise<Proofing> => {
    const locked = await lockActive(tx, account);
    if (locked === undefined || locked.kind !== kindFor(proven.source)) return { outcome: 'stale' };
    if (isLinkable(proven)) {
      const [known] = await tx
        .db('identities')
        .where({ reference: referenceOf(tx, proven), account_id: account })
        .whereNull('retired_at')
        .select('id');
      if (known === undefined) return { outcome: 'not-linked' };
    }
    const names = contradictions(await attributesOf.readProofed(tx, account), proven.attributes);
    // A temporary login names nobody: it may only confirm a person who is known.
    if (names.length > 0) return { outcome: 'contradiction', names };
    await keep(tx, account, proven);
    return { outcome: 'recorded' };
  });

/** The identities of an account, oldest first; those that were replaced included. */
export const list = async (ctx: Context, account: AccountId): Promise<Identity[]> => {
  const rows = await ctx
    .db('identities')
    .where({ account_id: account })
    .orderBy('linked_at')
    .select('id', 'source', 'linked_at', 'last_used_at', 'retired_at');
  return rows.map((row) => ({
    id: row.id,
    source: row.source,
    linkedAt: row.linked_at,
    ...(row.last_used_at !== null && { lastUsedAt: row.last_used_at }),
    ...(row.retired_at !== null && { retiredAt: row.retired_at }),
  }));
};

/** Whether an account could still be signed in to without the given identity. */
const hasAnotherWay = async (ctx: Context, account: AccountId, without: string): Promise<boolean> => {
  const { rows } = await ctx.db.raw(
    `SELECT EXISTS (SELECT FROM passwords WHERE account_id = :account)
         OR EXISTS (SELECT FROM passkeys WHERE account_id = :account)
         OR EXISTS (SELECT FROM identities WHERE account_id = :account AND retired_at IS NULL AND id <> :without) AS other`,
    { account, without },
  );
  return rows[0].other;
};

export type Unlink =
  | { outcome: 'unlinked' }
  | { outcome: 'last-way-in' }
  | { outcome: 'unknown' }
  | { outcome: 'stale' };

/** Unlinks an identity in a session fresh enough for it; never the last way into the account. */
export const unlink = (
  ctx: Context,
  account: AccountId,
  id: string,
  mail: { unlinked: correspondence.Message; email: string | undefined },
): Promise<Unlink> =>
  inTransaction(ctx, async (tx): Promise<Unlink> => {
    // The lock makes two parallel unlinkings of two last identities one after the other.
    if ((await lockActive(tx, account)) === undefined) return { outcome: 'stale' };
    if (!(await hasAnotherWay(tx, account, id))) return { outcome: 'last-way-in' };
    const [gone] = await tx.db('identities').where({ id, account_id: account }).delete().returning('source');
    if (gone === undefined) return { outcome: 'unknown' };
    await grow(tx, account);
    await audit.record(tx, 'identity-unlinked', { account, detail: { source: gone.source } });
    await correspondence.tell(tx, { id: account, email: mail.email }, mail.unlinked);
    return { outcome: 'unlinked' };
  });

export type Merge =
  | { outcome: 'closing'; due: Date }
  | { outcome: 'stale' }
  /** The account that would be closed asks for more than this identity when its citizen closes it there. */
  | { outcome: 'weaker' };

/** Whether an identity may end the account that it signs in to: by two factors, or where nothing stronger is known there. */
const mayEnd = async (ctx: Context, account: AccountId, { source, level }: LinkableProof): Promise<boolean> => {
  const now = Math.floor(ctx.now().getTime() / 1000);
  const weak = source !== 'eid' && (level === 'none' || level === 'low');
  const evidence = { proofs: [{ kind: source, at: now, weak }] };
  if (assurance.showsTwoFactors(evidence, now)) return true;
  return assurance.covers(assurance.FRESH, evidence, await enrolled(ctx, account), now);
};

/**
 * Closes one of two accounts of the same person, as its citizen would: by a request for its deletion, which can be taken
 * back for its days. Both are proven in this sign-in: `proven` signs in to one of them, a credential to the other. If the
 * one that is kept is not the one that `proven` signs in to, the identity moves there.
 * @param mails to the citizen at the account that is closed, and at the one that is kept
 * @param regretSeconds how long it can be taken back; otherwise as for any deletion
 */
export const closeOther = (
  ctx: Context,
  accounts: { keep: AccountId; close: AccountId },
  proven: LinkableProof,
  mails: {
    closing: (due: Date) => correspondence.Message;
    kept: correspondence.Message;
    emails: { closed: string | undefined; kept: string | undefined };
  },
  regretSeconds?: number,
): Promise<Merge> =>
  inTransaction(ctx, async (tx): Promise<Merge> => {
    if (accounts.keep === accounts.close) return { outcome: 'stale' };
    // Always in the same order, whichever of the two is kept.
    for (const id of [accounts.keep, accounts.close].toSorted()) {
      if ((await lockActive(tx, id))?.kind !== 'citizen') return { outcome: 'stale' };
    }
    const [linked] = await tx
      .db('identities')
      .where({ reference: referenceOf(tx, proven) })
      .whereNull('retired_at')
      .whereIn('account_id', [accounts.keep, accounts.close])
      .select('id', 'account_id');
    if (linked === undefined) return { outcome: 'stale' };
    if (linked.account_id === accounts.close && !(await mayEnd(tx, accounts.close, proven)))
      return { outcome: 'weaker' };
    const kept = await attributesOf.readProofed(tx, accounts.keep);
    for (const other of [await attributesOf.readProofed(tx, accounts.close), proven.attributes])
      if (contradictions(kept, other).length > 0) return { outcome: 'stale' };
    if (linked.account_id !== accounts.keep) {
      await tx
        .db('identities')
        .where({ id: linked.id })
        .update({ account_id: accounts.keep, linked_at: startOfDay(tx.now()) });
      await grow(tx, accounts.keep);
      await grow(tx, accounts.close);
      const detail = { source: proven.source };
      await audit.record(tx, 'identity-unlinked', { account: accounts.close, detail });
      await audit.record(tx, 'identity-linked', { account: accounts.keep, detail: { ...detail, replaced: false } });
    }
    await keep(tx, accounts.keep, proven);
    const requested = await deletion.request(tx, accounts.close, () => undefined, regretSeconds);
    if (requested.outcome === 'unknown') throw new Error('an account under lock is gone');
    const { due } = requested;
    await correspondence.tell(tx, { id: accounts.close, email: mails.emails.closed }, mails.closing(due));
    await correspondence.tell(tx, { id: accounts.keep, email: mails.emails.kept }, mails.kept);
    return { outcome: 'closing', due };
  });
