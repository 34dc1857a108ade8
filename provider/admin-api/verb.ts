import type { Provider } from 'oidc-provider';
import type { Context } from '../../accounts/context.ts';
import type { AccountId } from '../../accounts/ids.ts';
import type { WaitHours } from '../../accounts/recoveries.ts';
import type { ServiceSession } from '../../accounts/sessions.ts';
import type { Member } from '../../accounts/staff.ts';
import type { Town } from '../../accounts/town.ts';
import type { AuditKeeper } from '../audit-keeper.ts';
import { type Field, readInput } from './input.ts';

/** What the verbs need beside the transaction. */
export type AdminDeps = {
  readonly issuer: URL;
  readonly town: Town;
  readonly provider: () => Provider;
  /** Outside of the verb's transaction. */
  readonly context: () => Context;
  readonly keeper: AuditKeeper;
  readonly servicesOf: (account: AccountId) => Promise<readonly ServiceSession[]>;
  readonly recoveryWaits: WaitHours;
  /** Tries the mail server; rejects if it does not answer. */
  readonly tryMail: () => Promise<void>;
  /** Writes what this process has noted of services' failures, so that a look right after one finds it. */
  readonly noteFailures: () => Promise<void>;
  /** What `doctor` looks at beside the database. */
  readonly operation: {
    /** Rejects when Redis does not answer; undefined where there is none. */
    readonly redis: (() => Promise<string>) | undefined;
    readonly backupMeasures: (() => string) | undefined;
    /** Checkpoints of the audit are kept outside of the log. */
    readonly outside: boolean;
    /** No sandbox: backups, checkpoints and people are expected as in production. */
    readonly real: boolean;
  };
  /** A change of the services takes a second person: everywhere but in the sandbox. */
  readonly twoForServices: boolean;
  /** Hours until a new role acts. */
  readonly staffWaitHours: number;
  /** Clients with certificates can be served (`MTLS_ORIGIN`). */
  readonly mutualTls: boolean;
  /** Addresses of services on this machine are acceptable: in the sandbox. */
  readonly localhost: boolean;
};

/** What came of it. A refusal is the domain's word, not an error. */
export type Answer =
  | { readonly ok: true; readonly result: Readonly<Record<string, unknown>> }
  | { readonly ok: false; readonly reason: string; readonly detail?: Readonly<Record<string, unknown>> };

export type Call<Input> = {
  readonly ctx: Context;
  /** What is done in this one stays, whatever becomes of the verb: throttling, and that somebody searched. */
  readonly kept: Context;
  readonly by: Member;
  readonly deps: AdminDeps;
  readonly input: Input;
  /** False for a dry run: the same code runs and is rolled back, and what is shown once is not shown. */
  readonly commit: boolean;
};

type Fields = Readonly<Record<string, Field<unknown>>>;

export type Verb = {
  readonly changes: boolean;
  /** Takes long: it runs outside of the transaction in which the role was looked at. */
  readonly long: boolean;
  /** A reading verb that leaves its mark in the audit, so that its transaction is kept. */
  readonly run: (call: Call<unknown>) => Promise<Answer>;
  readonly parse: (body: unknown) => { input: unknown } | { faults: string[] };
};

type InputOf<F extends Fields> = Extract<ReturnType<typeof readInput<F>>, { input: unknown }>['input'];

const make = <F extends Fields>(
  kind: { changes: boolean; long: boolean },
  fields: F,
  run: (call: Call<InputOf<F>>) => Promise<Answer>,
): Verb => ({
  ...kind,
  run: run as Verb['run'],
  parse: (body) => readInput(fields, body),
});

/** A verb that only reads. */
export const reads = <F extends Fields>(fields: F, run: (call: Call<InputOf<F>>) => Promise<Answer>): Verb =>
  make({ changes: false, long: false }, fields, run);

/** A verb that only reads, and takes long. */
export const readsLong = <F extends Fields>(fields: F, run: (call: Call<InputOf<F>>) => Promise<Answer>): Verb =>
  make({ changes: false, long: true }, fields, run);

/** A verb that changes something: a dry run until it is committed. */
export const changes = <F extends Fields>(fields: F, run: (call: Call<InputOf<F>>) => Promise<Answer>): Verb =>
  make({ changes: true, long: false }, fields, run);

export const ok = (result: Readonly<Record<string, unknown>> = {}): Answer => ({ ok: true, result });

export const refuse = (reason: string, detail?: Readonly<Record<string, unknown>>): Answer => ({
  ok: false,
  reason,
  ...(detail !== undefined && { detail }),
});
