import type { Knex } from 'knex';
import type { Keys } from '../keys/keys.ts';
import type { Limits } from './attempts.ts';
import type { AccountId } from './ids.ts';
import type { ProofDays } from './proof-age.ts';

/** Who acts; written into every audit row. */
export type Actor =
  | { kind: 'citizen'; account?: AccountId }
  | { kind: 'staff'; staff: string }
  | { kind: 'system'; part: string };

/** What a domain function may use; nothing in accounts/ opens a connection or reads the clock by itself. */
export type Context = {
  readonly db: Knex;
  readonly now: () => Date;
  readonly actor: Actor;
  readonly keys: Keys;
  /** Counts attempts that need not be remembered for ever; without it, all are counted in the database. */
  readonly limits?: Limits;
  /** How long proofs of identity are believed in this town. */
  readonly proofDays?: ProofDays | undefined;
  /** Told of what is written only where nobody but the citizen can read it, so that monitoring can count it. */
  readonly count?: (event: string, detail: Readonly<Record<string, unknown>>) => void;
};

/** Runs one use case in one transaction; every statement and the audit row must go through the inner context. */
export const inTransaction = <T>(ctx: Context, work: (ctx: Context) => Promise<T>): Promise<T> =>
  ctx.db.transaction((db) => work({ ...ctx, db }));
