import { compiled } from '../ava.config.js';

/** What takes longer than `npm test` may: races, floods, fuzzing. LONG_SCALE (0 < x ≤ 1) shrinks every count. */
export default {
  extensions: ['ts'],
  files: ['test/long/*.test.ts'],
  timeout: '30m',
  concurrency: 1,
  environmentVariables: { LONG_SCALE: process.env.LONG_SCALE ?? '1', NODE_COMPILE_CACHE: compiled },
};
