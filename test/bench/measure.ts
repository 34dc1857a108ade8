/** One measurement: operations per second, and CPU milliseconds of server and store for each. */
import path from 'node:path';
import { cpuOf } from './processes.ts';
import { drive, type Load } from './scenarios.ts';
import type { Stage } from './stage.ts';

export type Sample = { perSecond: number; serverMs: number; storeMs: number };

export const median = (numbers: number[]): number => {
  const sorted = numbers.toSorted((one, two) => one - two);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
};
export const medianSample = (samples: Sample[]): Sample => ({
  perSecond: median(samples.map(({ perSecond }) => perSecond)),
  serverMs: median(samples.map(({ serverMs }) => serverMs)),
  storeMs: median(samples.map(({ storeMs }) => storeMs)),
});

/** BENCH_PROFILE=FOLDER: the provider under test writes a CPU profile there of each scenario, as measured last. */
const folder = process.env['BENCH_PROFILE'];

/** Runs a scenario and reads what it cost. */
export const measure = async (stage: Stage, target: Stage['ours'], name: string, load: Load): Promise<Sample> => {
  const profiled = folder !== undefined && target === stage.ours;
  if (profiled) await target.child.ask({ do: 'profile' });
  const before = [cpuOf(target.child.pid), cpuOf(stage.databasePid)] as const;
  const begin = performance.now();
  const perSecond = await drive(target, name, load);
  const operations = (perSecond * (performance.now() - begin)) / 1000;
  if (profiled) await target.child.ask({ do: 'profile', file: path.join(folder, `${name}.cpuprofile`) });
  const [server, store] = [cpuOf(target.child.pid) - before[0], cpuOf(stage.databasePid) - before[1]];
  return { perSecond, serverMs: server / operations, storeMs: target === stage.ours ? store / operations : 0 };
};
