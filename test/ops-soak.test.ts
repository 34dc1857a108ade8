import test from 'ava';
import { judge, type Minute, slope } from './bench/soak-verdict.ts';

const minutes = (count: number, change: (minute: number) => Partial<Minute> = () => ({})): Minute[] =>
  Array.from({ length: count }, (_, minute) => ({
    operations: 1000,
    failed: 0,
    late: 0,
    p50: 10 + (minute % 3),
    p99: 40,
    heapMb: 60 + (minute % 4) * 0.5,
    residentMb: 200,
    ...change(minute),
  }));

test('a soak is good when nothing grows and nothing fails', (t) => {
  const { good, lines } = judge(minutes(20), { oidc_lasting: 0 });
  t.true(good, lines.join('\n'));
  // While code is compiled and caches fill the heap grows.
  t.true(
    judge(
      minutes(20, (minute) => (minute < 4 ? { heapMb: 30 + minute * 8 } : {})),
      {},
    ).good,
  );
});

test('a leak, growing latency, tables that are not purged and failures are each found', (t) => {
  const faulty: [string, Minute[], Record<string, number>][] = [
    ['heap', minutes(20, (minute) => ({ heapMb: 60 + minute * 0.4 })), {}],
    ['heap', minutes(1440, (minute) => ({ heapMb: 60 + minute * 0.01 })), {}],
    ['latency', minutes(20, (minute) => ({ p50: 10 + 2 * minute })), {}],
    ['tables', minutes(20), { oidc_lasting: 7 }],
    ['failed', minutes(20, (minute) => ({ failed: minute === 3 ? 1 : 0 })), {}],
  ];
  for (const [what, run, overdue] of faulty) {
    const { good, lines } = judge(run, overdue);
    t.false(good, what);
    t.deepEqual(
      lines.filter((line) => line.startsWith('FAIL')).map((line) => line.slice(5).split(':')[0]),
      [what],
    );
  }
  t.is(slope([1, 3, 5, 7]), 2);
});
