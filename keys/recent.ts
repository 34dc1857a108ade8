/**
 * Remembers what was worked out lately: at most `size` entries twice over, none for longer than two periods. Two
 * generations instead of a queue: a look-up costs one or two reads of a Map, and forgetting costs nothing.
 */
export class Recent<V> {
  #young = new Map<string, V>();
  #old = new Map<string, V>();
  #turnsAt = 0;
  readonly #size: number;
  readonly #periodMs: number;

  constructor(size: number, periodMs: number) {
    this.#size = size;
    this.#periodMs = periodMs;
  }

  #turn(): void {
    const now = Date.now();
    if (this.#young.size < this.#size && now < this.#turnsAt) return;
    this.#old = now < this.#turnsAt + this.#periodMs ? this.#young : new Map();
    this.#young = new Map();
    this.#turnsAt = now + this.#periodMs;
  }

  get(key: string): V | undefined {
    this.#turn();
    return this.#young.get(key) ?? this.#old.get(key);
  }

  set(key: string, value: V): void {
    this.#turn();
    this.#young.set(key, value);
  }
}
