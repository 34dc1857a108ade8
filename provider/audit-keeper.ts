import type { Logger } from 'pino';
import * as chain from '../accounts/audit-chain.ts';
import type { Context } from '../accounts/context.ts';
import type { CheckpointTarget } from '../adapters/checkpoints.ts';
import { ServiceUnavailable } from './availability.ts';

/** Checkpoints are never further apart than five minutes; one turn may be late. */
const CHECKPOINT_MS = 4 * 60 * 1000;
/** Reading two years of audit takes seconds; a gap is alarmed on the same day. */
const VERIFY_MS = 6 * 3600 * 1000;

/** Told of what monitoring watches. */
export type AuditWatch = {
  /** The whole chain was read. */
  auditVerified(faults: number): void;
  /** A checkpoint was kept. */
  checkpointed(at: Date): void;
};

/** Chains what is recorded and has checkpoints of it kept outside of the database. */
export class AuditKeeper {
  #last: { position: number; at: number } | undefined;
  #failing = false;
  readonly #context: () => Context;
  readonly #target: CheckpointTarget | undefined;
  readonly #log: Logger;
  readonly #watch: AuditWatch | undefined;
  readonly #since: Date;
  #verifiedAt: number;

  constructor(context: () => Context, target: CheckpointTarget | undefined, log: Logger, watch?: AuditWatch) {
    this.#context = context;
    this.#target = target;
    this.#log = log;
    this.#watch = watch;
    this.#since = context().now();
    // Not while a node is starting; and one that is restarted often has been verified by another.
    this.#verifiedAt = context().now().getTime() - VERIFY_MS + CHECKPOINT_MS;
  }

  /** The time of the last checkpoint of this process; undefined before the first. */
  get lastAt(): Date | undefined {
    return this.#last && new Date(this.#last.at);
  }

  /** Since when no checkpoint was kept: the last one, or the beginning of this process. */
  get waitsSince(): Date {
    return this.lastAt ?? this.#since;
  }

  /** One turn of the background task. */
  async turn(): Promise<void> {
    const head = await chain.advance(this.#context());
    const now = this.#context().now().getTime();
    if (this.#failing || this.#last === undefined || now - this.#last.at >= CHECKPOINT_MS) await this.#write(head);
    if (now - this.#verifiedAt < VERIFY_MS) return;
    this.#verifiedAt = now;
    await this.verify();
  }

  /** Reads the whole chain against the checkpoints that are kept, so that a gap is noticed without anybody asking. */
  async verify(): Promise<void> {
    const { links, faults } = await chain.verify(this.#context(), await this.kept());
    this.#watch?.auditVerified(faults.length);
    if (faults.length > 0)
      this.#log.error({ links, faults: faults.slice(0, 10) }, 'the audit was altered or has a gap');
  }

  /** Before an administrator's change: where the last checkpoint could not be kept, nothing is changed. */
  async ready(): Promise<void> {
    if (this.#failing) await this.acknowledge();
  }

  /** After an administrator's change: chained and checkpointed before it is acknowledged. */
  async acknowledge(): Promise<void> {
    await this.#write(await chain.advance(this.#context()));
  }

  /** The checkpoints that this target can give back. */
  async kept(): Promise<chain.Checkpoint[]> {
    const lines = (await this.#target?.read()) ?? [];
    return lines.map(chain.parseCheckpoint).filter((one) => one !== undefined);
  }

  async #write(head: chain.Head): Promise<void> {
    const ctx = this.#context();
    const checkpoint = chain.checkpoint(ctx, head);
    try {
      // Without a target the log is one: it leaves the machine's database, too.
      if (this.#target === undefined) this.#log.info({ checkpoint }, 'audit checkpoint');
      else await this.#target.write(JSON.stringify(checkpoint));
      this.#failing = false;
      this.#last = { position: head.position, at: ctx.now().getTime() };
      this.#watch?.checkpointed(ctx.now());
    } catch (error) {
      this.#failing = true;
      this.#log.error({ err: error }, 'the checkpoint of the audit cannot be kept; administrators can change nothing');
      throw new ServiceUnavailable(error);
    }
  }
}
