import type { Outcome, Visit } from '../visit.ts';

const RETRY_AFTER_SECONDS = 3;

/** Too many passwords wait to be hashed: better to say so at once than to let everybody wait. */
export const busy = (visit: Visit): Outcome => ({
  go: 'error',
  error: {
    kind: 'busy',
    status: 503,
    code: 'hashing_busy',
    retryAfterSeconds: RETRY_AFTER_SECONDS,
    again: `/interaction/${visit.uid}`,
  },
});
