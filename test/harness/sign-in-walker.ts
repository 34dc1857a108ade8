/** Walks in a process of its own: `node sign-in-walker.ts <ways as JSON>`; prints what must never be, a line each. */
import { type Verdict, walkAlong } from './sign-in-walk.ts';

const tell = (message: string | undefined): void => void process.stdout.write(`${message}\n`);
const verdict = {
  true: (actual: unknown, message?: string) => {
    if (actual !== true) tell(message);
    return true;
  },
  is: (actual: unknown, expected: unknown, message?: string) => {
    if (!Object.is(actual, expected)) tell(message);
    return true;
  },
  fail: (message?: string) => {
    tell(message);
    return false;
  },
};

for (const way of JSON.parse(process.argv[2] ?? '[]')) await walkAlong(verdict as unknown as Verdict, way);
tell('walked');
process.exit(0);
