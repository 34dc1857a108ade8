import { type Reply, Wire } from '../bench/wire.ts';

/**
 * A caller whose every request goes to the next of several nodes. The list may change while it calls. After `stay`, it
 * keeps to one of them until it is called again.
 */
export class Alternating extends Wire {
  readonly #host: string;
  readonly #ports: readonly number[];
  readonly #wires = new Map<number, Wire>();
  #turn = 0;
  #kept: number | undefined;

  constructor(host: string, ports: readonly number[]) {
    super(host, 0);
    this.#host = host;
    this.#ports = ports;
  }

  #next(): number {
    this.#turn += 1;
    const port = this.#ports[this.#turn % this.#ports.length];
    if (port === undefined) throw new Error('no node to ask');
    return port;
  }

  stay(): void {
    this.#kept = this.#next();
  }

  override send(...args: Parameters<Wire['send']>): Promise<Reply> {
    const port = this.#kept ?? this.#next();
    const wire = this.#wires.get(port) ?? new Wire(this.#host, port);
    this.#wires.set(port, wire);
    return wire.send(...args);
  }

  override close(): void {
    for (const wire of this.#wires.values()) wire.close();
  }
}
