/** Loaded before the provider (`--import`): a machine whose clock is TEST_CLOCK_SECONDS wrong. */
import process from 'node:process';

const shift = Number(process.env['TEST_CLOCK_SECONDS'] ?? '0') * 1000;
const Right = Date;

class Shifted extends Right {
  // biome-ignore lint/suspicious/noExplicitAny: the overloads of `Date` cannot be restated, arguments pass unchanged
  constructor(...args: any[]) {
    super(...((args.length === 0 ? [Right.now() + shift] : args) as [number]));
  }

  static override now(): number {
    return Right.now() + shift;
  }
}

globalThis.Date = Shifted as DateConstructor;
