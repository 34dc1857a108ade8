import { createHash } from 'node:crypto';
import { type AccountRow, readAccountRow, rowSeal } from './account-row.ts';
import * as audit from './audit.ts';
import { dayOf } from './claims.ts';
import { type Context, inTransaction } from './context.ts';
import { sealOf } from './data-key.ts';
import type { AccountId, ClientId } from './ids.ts';
import type { Registration } from './town.ts';

/** What a citizen has decided about a service. */
export type Consent = {
  /** Digest of the registration that was shown. */
  readonly digest: string;
  readonly given: readonly string[];
  readonly refused: readonly string[];
  /** The day of the decision, YYYY-MM-DD. */
  readonly since: string;
};

/** Account and service in one keyed hash, so that a dump of the table names no service. */
const referenceOf = (ctx: Context, account: AccountId, clientId: string): Buffer =>
  ctx.keys.index('consent', `${account} ${clientId}`);

const column = (clientId: string): string => `consents.sealed ${clientId}`;

/**
 * Digest of what the consent page shows of a registration: service, organisation, each claim with its purpose and legal
 * basis. A changed redirect URI or contact does not ask the citizens again.
 */
export const registrationDigest = (registration: Registration): string => {
  const text = (value: Readonly<Record<string, string>>): [string, string][] =>
    Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1));
  const shown = [
    registration.clientId,
    registration.organisation,
    text(registration.name),
    registration.claims.map((use) => [use.claim, text(use.purpose), text(use.legalBasis), use.required]),
  ];
  return createHash('sha256').update(JSON.stringify(shown)).digest('base64url');
};

/** The citizen's decision about a service as it stands in an account's row. */
export const findIn = (ctx: Context, account: AccountId, clientId: ClientId, row: AccountRow): Consent | undefined => {
  const sealed = row.consents?.[referenceOf(ctx, account, clientId).toString('base64')];
  const seal = sealed === undefined ? undefined : rowSeal(ctx, account, row);
  if (sealed === undefined || seal === undefined) return undefined;
  const { digest, given, refused, since } = JSON.parse(seal.open(column(clientId), Buffer.from(sealed, 'base64')));
  return { digest, given, refused, since };
};

/** The citizen's decision about a service, undefined if there is none. */
export const find = async (ctx: Context, account: AccountId, clientId: ClientId): Promise<Consent | undefined> => {
  const row = await readAccountRow(ctx, account);
  return row === null ? undefined : findIn(ctx, account, clientId, row);
};

/**
 * Records the citizen's decision about a service as it is registered now, in place of an earlier one. Throws if a claim
 * is given that the registration does not name.
 */
export const record = (
  ctx: Context,
  account: AccountId,
  registration: Registration,
  decision: { given: readonly string[]; refused: readonly string[] },
): Promise<void> =>
  inTransaction(ctx, async (tx) => {
    const registered = new Set(registration.claims.map(({ claim }) => claim));
    if (![...decision.given, ...decision.refused].every((claim) => registered.has(claim))) {
      throw new Error('a consent to a claim that is not registered');
    }
    const seal = await sealOf(tx, account);
    if (seal === undefined) throw new Error('consent of an account that does not exist');
    const { clientId } = registration;
    const content = {
      clientId,
      digest: registrationDigest(registration),
      given: decision.given,
      refused: decision.refused,
      since: dayOf(tx.now()),
    };
    await tx
      .db('consents')
      .insert({
        reference: referenceOf(tx, account, clientId),
        account_id: account,
        sealed: seal.seal(column(clientId), JSON.stringify(content)),
      })
      .onConflict('reference')
      .merge();
    await audit.record(tx, 'consent-recorded', { account, detail: {} });
  });

/**
 * Whether the citizen has to be asked: never for a request without claims; otherwise if there is no decision, if the
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
