#!/usr/bin/env node
/** The mock as a program. */
import { enableCompileCache } from 'node:module';
import { performance } from 'node:perf_hooks';
import process from 'node:process';
import { HELP, readOptions } from './options.ts';

// From the second start on, half of the time that loading takes is saved.
enableCompileCache();

const run = async (): Promise<void> => {
  const options = readOptions(process.argv.slice(2));
  if (options === 'help') {
    console.log(HELP);
    return;
  }
  const requested = Promise.withResolvers<'asked'>();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => requested.resolve('asked'));
  const { startMock } = await import('./mock.ts');
  const mock = await startMock(options);
  if (options.prepare === true) return mock.stop();
  console.log(`${mock.issuer} is ready after ${(performance.now() / 1000).toFixed(1)} s. Nothing here is real.`);
  console.log(`Who can sign in, and what can be controlled: ${mock.issuer}/mock`);
  const why = await Promise.race([requested.promise, mock.ended]);
  await mock.stop();
  process.exit(why === 'asked' ? 0 : 1);
};

try {
  await run();
} catch (error) {
  // What people can put right is one line; anything else is a fault of ours and needs its stack.
  const expected = error instanceof Error && error.name === 'Obstacle';
  console.error(expected ? error.message : error);
  process.exit(1);
}
