import { createHash } from 'node:crypto';
import { type AccountRow, openInRow, readAccountRow, rowSeal } from './account-row.ts';
import * as audit from './audit.ts';
import { dayOf } from './claims.ts';
import { type Context, inTransaction } from './context.ts';
import { sealOf } from './data-key.ts';
import { type AccountId, type ClientId, parseClientId } from './ids.ts';
import * as securityEvents from './security-events.ts';
import type { Registration } from './town.ts';

/** What a citizen has decided about a service. */
export type Consent = {
  /** Digest of the registration that was shown. */
  readonly digest: string;
  readonly given: readonly string[];
  readonly refused: readonly string[];
  /** The first day on which the service was given anything, the pseudonym alone included; YYYY-MM-DD. */
  readonly since: string;
  /** The last day on which it was. */
  readonly last?: string;
};

/** Account and service in one keyed hash, so that a dump of the table names no service. */
const referenceOf = (ctx: Context, account: AccountId, clientId: string): Buffer =>
  ctx.keys.index('consent', `${account} ${clientId}`);

const column = (reference: Buffer): string => `consents.sealed ${reference.toString('base64')}`;

/** Registrations are never changed in place, and every sign-on asks for the digest of one. */
const digests = new WeakMap<Registration, string>();

/**
 * Digest of what the consent page shows of a registration: service, organisation, each claim and each API of another
 * organisation with its purpose and legal basis. A changed redirect URI or contact does not ask the citizens again.
 */
export const registrationDigest = (registration: Registration): string => {
  const known = digests.get(registration);
  if (known !== undefined) return known;
  const text = (value: Readonly<Record<string, string>>): [string, string][] =>
    Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1));
  const shown = [
    registration.clientId,
    registration.organisation,
    text(registration.name),
    registration.claims.map((use) => [use.claim, text(use.purpose), text(use.legalBasis), use.required]),
    ...(registration.apis ?? []).map((use) => [use.resource, use.scopes, text(use.purpose), text(use.legalBasis)]),
  ];
  const digest = createHash('sha256').update(JSON.stringify(shown)).digest('base64url');
  digests.set(registration, digest);
  return digest;
};

const opened = (plain: string): Consent & { clientId: string } => JSON.parse(plain);

/** The citizen's decision about a service as it stands in an account's row. */
export const findIn = (ctx: Context, account: AccountId, clientId: ClientId, row: AccountRow): Consent | undefined => {
  const known = found.get(row) ?? new Map<ClientId, Consent | undefined>();
  found.set(row, known);
  if (!known.has(clientId)) known.set(clientId, lookUp(ctx, account, clientId, row));
  return known.get(clientId);
};

/** What was found in a row: rows are never changed in place. */
const found = new WeakMap<AccountRow, Map<ClientId, Consent | undefined>>();

const lookUp = (ctx: Context, account: AccountId, clientId: ClientId, row: AccountRow): Consent | undefined => {
  const reference = referenceOf(ctx, account, clientId);
  const sealed = row.consents?.[reference.toString('base64')];
  const plain = sealed === undefined ? undefined : openInRow(ctx, account, row, column(reference), sealed);
  if (plain === undefined) return undefined;
  const { clientId: _, ...consent } = opened(plain);
  return consent;
};

/** The citizen's decision about a service, undefined if there is none. */
export const find = async (ctx: Context, account: AccountId, clientId: ClientId): Promise<Consent | undefined> => {
  const row = await readAccountRow(ctx, account);
  return row === null ? undefined : findIn(ctx, account, clientId, row);
};

const decided = (
  registration: Registration,
  decision: { given: readonly string[]; refused: readonly string[] },
  since: string,
): Consent & { clientId: string } => ({
  clientId: registration.clientId,
  digest: registrationDigest(registration),
  given: decision.given,
  refused: decision.refused,
  since,
});

/**
 * Records the citizen's decision about a service as it is registered now, in place of an earlier one: claims and APIs by
 * their names. Throws if one is given that the registration does not name.
 */
export const record = (
  ctx: Context,
  account: AccountId,
  registration: Registration,
  decision: { given: readonly string[]; refused: readonly string[] },
): Promise<void> =>
  inTransaction(ctx, async (tx) => {
    const registered = new Set([
      ...registration.claims.map(({ claim }) => claim),
      ...(registration.apis ?? []).map(({ resource }) => resource),
    ]);
    if (![...decision.given, ...decision.refused].every((claim) => registered.has(claim))) {
      throw new Error('a consent to a claim that is not registered');
    }
    const seal = await sealOf(tx, account);
    if (seal === undefined) throw new Error('consent of an account that does not exist');
    const { clientId } = registration;
    const reference = referenceOf(tx, account, clientId);
    const [before] = await tx.db('consents').where({ reference }).forUpdate().select('sealed');
    const earlier = before && opened(seal.open(column(reference), before.sealed));
    const content = {
      ...decided(registration, decision, earlier?.since ?? dayOf(tx.now())),
      ...(earlier?.last !== undefined && { last: earlier.last }),
    };
    await tx
      .db('consents')
      .insert({ reference, account_id: account, sealed: seal.seal(column(reference), JSON.stringify(content)) })
      .onConflict('reference')
      .merge();
    await audit.record(tx, 'consent-recorded', { account, detail: {} });
  });

/**
 * Whether the citizen has to be asked: never for a request without claims and APIs; otherwise if there is no decision, if the
 * registration has changed since, if a claim has not been decided on, or if a required one was refused.
 */
export const isDue = (
  consent: Consent | undefined,
  registration: Registration,
  requested: readonly string[],
): boolean => {
  if (requested.length === 0) return false;
  if (consent === undefined || consent.digest !== registrationDigest(registration)) return true;
  const required = new Set(registration.claims.filter((use) => use.required).map(({ claim }) => claim));
  return !requested.every(
    (claim) => consent.given.includes(claim) || (consent.refused.includes(claim) && !required.has(claim)),
  );
};

/**
 * Notes that a service is given something today, the pseudonym alone included, so that the citizen sees every service
 * that knows them. Writes at most once a day; never brings back a consent that is withdrawn at the same moment.
 */
export const noteGiven = async (
  ctx: Context,
  account: AccountId,
  registration: Registration,
  row: AccountRow,
): Promise<void> => {
  const today = dayOf(ctx.now());
  const clientId = parseClientId(registration.clientId);
  if (clientId !== undefined && findIn(ctx, account, clientId, row)?.last === today) return;
  const reference = referenceOf(ctx, account, registration.clientId);
  const before = row.consents?.[reference.toString('base64')];
  const seal = rowSeal(ctx, account, row);
  if (seal === undefined) return;
  if (before === undefined) {
    const content = { ...decided(registration, { given: [], refused: [] }, today), last: today };
    const sealed = seal.seal(column(reference), JSON.stringify(content));
    await ctx.db('consents').insert({ reference, account_id: account, sealed }).onConflict('reference').ignore();
    return;
  }
  const sealed = Buffer.from(before, 'base64');
  const consent = opened(seal.open(column(reference), sealed));
  const content = JSON.stringify({ ...consent, last: today });
  await ctx
    .db('consents')
    .where({ reference, sealed })
    .update({ sealed: seal.seal(column(reference), content) });
};

/** All services that know the citizen, with the decision about each. */
export const list = async (ctx: Context, account: AccountId): Promise<(Consent & { clientId: ClientId })[]> => {
  const seal = await sealOf(ctx, account);
  if (seal === undefined) return [];
  const rows = await ctx.db('consents').where({ account_id: account }).select('reference', 'sealed');
  return rows
    .map(({ reference, sealed }) => opened(seal.open(column(reference), sealed)))
    .flatMap(({ clientId, ...consent }) => {
      const parsed = parseClientId(clientId);
      return parsed === undefined ? [] : [{ ...consent, clientId: parsed }];
    });
};

/**
 * Withdraws what a service was allowed: it gets nothing any more until the citizen signs in to it again and is asked.
 * A service that takes security events is told.
 * @param parts `end` ends the service's tokens for this citizen. It is called before the withdrawal is in force, so that
 *   a crash leaves a consent that can be withdrawn again, and after it, for a token that came into being meanwhile.
 *   `tell` queues what else the service is to learn.
 */
export const withdraw = async (
  ctx: Context,
  account: AccountId,
  service: Pick<Registration, 'organisation' | 'securityEventsUri'> & { readonly clientId: ClientId },
  { end, tell }: { readonly end: () => Promise<void>; readonly tell: (tx: Context) => Promise<void> },
): Promise<{ outcome: 'withdrawn' } | { outcome: 'unknown' }> => {
  const withdrawn = await inTransaction(ctx, async (tx) => {
    const reference = referenceOf(tx, account, service.clientId);
    const removed = await tx.db('consents').where({ reference, account_id: account }).delete();
    if (removed === 0) return false;
    await securityEvents.enqueue(tx, account, service, 'tokens-revoked', { spreadSeconds: 0 });
    await audit.record(tx, 'consent-withdrawn', { account, detail: {} });
    await tell(tx);
    await end();
    return true;
  });
  if (!withdrawn) return { outcome: 'unknown' };
  await end();
  return { outcome: 'withdrawn' };
};
