const HOUR = 60 * 60;

/** Lifetimes in seconds. A session ends `SESSION_IDLE` after its last use and never lives longer than `SESSION_MAX`. */
export const SESSION_MAX_SECONDS = 12 * HOUR;
export const SESSION_IDLE_SECONDS = HOUR;
/** On a shared computer, where a session also ends with the browser. */
export const SHARED_IDLE_SECONDS = 10 * 60;
