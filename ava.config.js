import { fileURLToPath } from 'node:url';

/** Each test file is a process of its own: what was compiled for one need not be compiled for the next. */
export const compiled = fileURLToPath(new URL('node_modules/.cache/node', import.meta.url));

export default {
  extensions: ['ts'],
  files: ['test/*.test.ts'],
  timeout: '5m',
  concurrency: 3,
  environmentVariables: { NODE_COMPILE_CACHE: compiled },
};
