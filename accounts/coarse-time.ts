/**
 * Times that may stand beside an account in a row. A service knows the minute of each visit; a finer time here would
 * lead whoever has a dump and the services' logs from one service's pseudonym to another's.
 */

/** The civil day of UTC in which a moment lies, as its first moment. */
export const startOfDay = (at: Date): Date => new Date(`${at.toISOString().slice(0, 10)}T00:00:00Z`);

/** The first day of the month, YYYY-MM-DD. */
export const monthOf = (at: Date): string => `${at.toISOString().slice(0, 7)}-01`;
