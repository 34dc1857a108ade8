import { createHash, randomUUID } from 'node:crypto';
import * as audit from './audit.ts';
import { newNumber } from './case-number.ts';
import * as clients from './clients.ts';
import { type Context, inTransaction } from './context.ts';
import type { Secret } from './secret.ts';
import type { Registration } from './town.ts';

/** A change of the services that waits for a second person. */
export type Proposal = {
  readonly id: string;
  readonly number: string;
  readonly registrations: readonly Registration[];
  /** SHA-256 of what was in force when it was proposed. */
  readonly basedOn: Buffer;
  readonly status: 'open' | 'applied' | 'replaced';
  readonly proposedBy: string;
  readonly proposedAt: Date;
  readonly approvedBy?: string;
};

export type NewSecret = { readonly client: string; readonly secret: Secret };

const COLUMNS = [
  'id',
  'number',
  'registrations',
  'based_on as basedOn',
  'status',
  'proposed_by as proposedBy',
  'proposed_at as proposedAt',
  'approved_by as approvedBy',
];

const digestOf = (registrations: readonly Registration[]): Buffer =>
  createHash('sha256')
    .update(JSON.stringify(registrations.map((one) => clients.canonical(one)).sort()))
    .digest();

const inForce = async (ctx: Context): Promise<Buffer> =>
  digestOf((await clients.all(ctx)).map(({ registration }) => registration));

const toProposal = ({ approvedBy, ...row }: Record<string, unknown>): Proposal =>
  ({ ...row, ...(approvedBy !== null && { approvedBy }) }) as Proposal;

/** The proposal that waits, if there is one. */
export const waiting = async (ctx: Context): Promise<Proposal | undefined> => {
  const [row] = await ctx.db('service_proposals').where({ status: 'open' }).select(COLUMNS);
  return row && toProposal(row);
};

/** One proposal by its number. */
export const find = async (ctx: Context, number: string): Promise<Proposal | undefined> => {
  const [row] = await ctx.db('service_proposals').where({ number }).select(COLUMNS);
  return row && toProposal(row);
};

const oneAtATime = (ctx: Context): Promise<unknown> =>
  ctx.db.raw("SELECT pg_advisory_xact_lock(hashtext('service proposals'))");

/**
 * Proposes that exactly these registrations be in force. It takes the place of one that waits; the same one by the same
 * person is there already.
 */
export const propose = (
  ctx: Context,
  by: string,
  registrations: readonly Registration[],
  changes: { added: string[]; changed: string[]; removed: string[] },
): Promise<{ number: string; again: boolean }> =>
  inTransaction(ctx, async (tx) => {
    await oneAtATime(tx);
    const basedOn = await inForce(tx);
    const before = await waiting(tx);
    const same =
      before !== undefined &&
      before.proposedBy === by &&
      before.basedOn.equals(basedOn) &&
      digestOf(before.registrations).equals(digestOf(registrations));
    if (same) return { number: before.number, again: true };
    if (before !== undefined)
      await tx.db('service_proposals').where({ id: before.id }).update({ status: 'replaced', ended_at: tx.now() });
    const number = newNumber('D');
    await tx.db('service_proposals').insert({
      id: randomUUID(),
      number,
      registrations: JSON.stringify(registrations),
      based_on: basedOn,
      status: 'open',
      proposed_by: by,
      proposed_at: tx.now(),
    });
    await audit.record(tx, 'services-proposed', { detail: { proposal: number, ...changes } });
    return { number, again: false };
  });

export type Approved =
  | { outcome: 'applied'; secrets: readonly NewSecret[]; again: boolean }
  | { outcome: 'own-proposal' | 'unknown' | 'outdated' }
  | { outcome: 'not-open'; status: Proposal['status'] };

/**
 * Puts a proposal in force, by another person than proposed it (a constraint of the database). Void once anything else
 * has come in force since it was made: nobody would have looked at what it does now.
 */
export const approve = (ctx: Context, by: string, number: string): Promise<Approved> =>
  inTransaction(ctx, async (tx): Promise<Approved> => {
    await oneAtATime(tx);
    const proposal = await find(tx, number);
    if (proposal === undefined) return { outcome: 'unknown' };
    if (proposal.status === 'applied' && proposal.approvedBy === by)
      return { outcome: 'applied', secrets: [], again: true };
    if (proposal.status !== 'open') return { outcome: 'not-open', status: proposal.status };
    if (!proposal.basedOn.equals(await inForce(tx))) return { outcome: 'outdated' };
    await tx
      .db('service_proposals')
      .where({ id: proposal.id })
      .update({ status: 'applied', approved_by: by, ended_at: tx.now() });
    await audit.record(tx, 'services-approved', { detail: { proposal: number } });
    return { outcome: 'applied', secrets: await putInForce(tx, proposal.registrations), again: false };
  }).catch((error: unknown): Approved => {
    if ((error as { constraint?: unknown }).constraint === 'service_proposals_two_people')
      return { outcome: 'own-proposal' };
    throw error;
  });

/** Puts registrations in force, with a secret for each service that needs one and has none; they are shown this once. */
export const putInForce = async (ctx: Context, registrations: readonly Registration[]): Promise<NewSecret[]> => {
  const known = new Map((await clients.all(ctx)).map((one) => [one.registration.clientId, one.secrets.length]));
  const wanted = registrations.map((registration) => {
    const due = registration.authMethod.startsWith('client_secret') && (known.get(registration.clientId) ?? 0) === 0;
    return due ? { registration, secret: clients.newClientSecret() } : { registration };
  });
  await clients.apply(ctx, wanted);
  return wanted.flatMap(({ registration, secret }) =>
    secret === undefined ? [] : [{ client: registration.clientId, secret }],
  );
};
