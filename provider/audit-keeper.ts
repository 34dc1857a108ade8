import type { Logger } from 'pino';
import * as chain from '../accounts/audit-chain.ts';
import type { Context } from '../accounts/context.ts';
import type { CheckpointTarget } from '../adapters/checkpoints.ts';
import { ServiceUnavailable } from './availability.ts';

/** Checkpoints are never further apart than five minutes; one turn may be late. */
const CHECKPOINT_MS = 4 * 60 * 1000;

/** Chains what is recorded and has checkpoints of it kept outside of the database. */
export class AuditKeeper {
  #last: { position: number; at: number } | undefined;
  #failing = false;
  readonly #context: () => Context;
  readonly #target: CheckpointTarget | undefined;
  readonly #log: Logger;

  constructor(context: () => Context, target: CheckpointTarget | undefined, log: Logger) {
    this.#context = context;
    this.#target = target;
    this.#log = log;
  }

  /** The time of the last checkpoint of this process; undefined before the first. */
  get lastAt(): Date | undefined {
    return this.#last && new Date(this.#last.at);
  }

  /** One turn of the background task. */
  async turn(): Promise<void> {
    const head = await chain.advance(this.#context());
    const now = this.#context().now().getTime();
    if (this.#failing || this.#last === undefined || now - this.#last.at >= CHECKPOINT_MS) await this.#write(head);
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
    } catch (error) {
      this.#failing = true;
      this.#log.error({ err: error }, 'the checkpoint of the audit cannot be kept; administrators can change nothing');
      throw new ServiceUnavailable(error);
    }
  }
}
