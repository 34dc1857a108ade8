/** A count of the full size, shrunk by LONG_SCALE, but never below `least`. */
export const scaled = (full: number, least: number): number =>
  Math.max(least, Math.round(full * Number(process.env['LONG_SCALE'] ?? '1')));
