import { quantile } from '../../infra/cluster/load.ts';

export type Minute = {
  readonly operations: number;
  readonly failed: number;
  readonly late: number;
  readonly p50: number;
  readonly p99: number;
  /** After a garbage collection. */
  readonly heapMb: number;
  readonly residentMb: number;
};

/** Code is compiled and caches fill at first. */
const WARM_UP_MINUTES = 5;
/** Over the whole run, however long it is: noise of single minutes is that large. */
const HEAP_GROWTH_MB = 3;
const LATENCY_GROWTH = 1.5;
const LATENCY_NOISE_MS = 3;

/** Least squares: how much is added from one value to the next. */
export const slope = (values: readonly number[]): number => {
  const middle = (values.length - 1) / 2;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  let [above, below] = [0, 0];
  for (const [index, value] of values.entries()) {
    above += (index - middle) * (value - mean);
    below += (index - middle) ** 2;
  }
  return below === 0 ? 0 : above / below;
};

/** Whether anything grows: the heap after collection, tables of what has ended, latencies; and whether anything failed. */
export const judge = (
  minutes: readonly Minute[],
  overdue: Readonly<Record<string, number>>,
): { good: boolean; lines: string[] } => {
  const warm = minutes.length > 2 * WARM_UP_MINUTES ? minutes.slice(WARM_UP_MINUTES) : minutes;
  const heap = slope(warm.map(({ heapMb }) => heapMb));
  const growth = heap * (warm.length - 1);
  const third = Math.max(1, Math.floor(warm.length / 3));
  const middle = (part: readonly Minute[]): number =>
    quantile(
      part.map(({ p50 }) => p50),
      0.5,
    );
  const [before, after] = [middle(warm.slice(0, third)), middle(warm.slice(-third))];
  const failed = minutes.reduce((sum, one) => sum + one.failed, 0);
  const late = minutes.reduce((sum, one) => sum + one.late, 0);
  const left = Object.entries(overdue).filter(([, rows]) => rows > 0);
  const checks: [good: boolean, line: string][] = [
    [
      growth <= HEAP_GROWTH_MB,
      `heap: ${heap.toFixed(3)} MB a minute, ${growth.toFixed(1)} MB over ${warm.length} minutes (allowed ${HEAP_GROWTH_MB})`,
    ],
    [
      after <= before * LATENCY_GROWTH + LATENCY_NOISE_MS,
      `latency: p50 ${before.toFixed(1)} ms in the first third, ${after.toFixed(1)} ms in the last`,
    ],
    [
      left.length === 0,
      `tables: ${left.length === 0 ? 'what has ended is purged' : left.map(([name, rows]) => `${name} ${rows}`).join(', ')}`,
    ],
    [failed === 0, `failed: ${failed} (and ${late} not begun, as every lane was busy)`],
  ];
  return {
    good: checks.every(([good]) => good),
    lines: checks.map(([good, line]) => `${good ? 'ok  ' : 'FAIL'} ${line}`),
  };
};
