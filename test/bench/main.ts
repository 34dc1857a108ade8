/**
 * `npm run bench [-- --only "sso;userinfo"] [--rounds 5] [--seconds 3] [--connections 32] [--redis URL] [--json FILE]`: what
 * the provider does in a second, beside oidc-provider on a plain Map, in alternation, each server on a core of its own.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { measure, median, medianSample, type Sample } from './measure.ts';
import { leaveServerCore, pinned } from './processes.ts';
import { CONNECTIONS } from './scenarios.ts';
import { openStage, type Stage } from './stage.ts';

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '3' },
    connections: { type: 'string', default: String(CONNECTIONS) },
    redis: { type: 'string' },
    json: { type: 'string' },
  },
});
const rounds = Number(values.rounds);
/** Compilers, caches and prepared statements are warm after so many of each kind, however long that takes; not counted. */
const WARM_UP_OPERATIONS = 1000;
const load = { seconds: Number(values.seconds), connections: Number(values.connections) };

/** Against what a scenario is measured, and the ratio that the project promises. */
const PLAN: Record<string, { against: 'reference' | 'bare' | 'argon2' | 'idle' | undefined; promise?: number }> = {
  sso: { against: 'reference', promise: 0.85 },
  userinfo: { against: 'reference', promise: 0.75 },
  introspection: { against: 'reference', promise: 0.65 },
  refresh: { against: 'reference', promise: 0.65 },
  'client credentials, opaque': { against: 'reference', promise: 0.85 },
  'client credentials, JWT': { against: 'reference', promise: 0.95 },
  discovery: { against: 'bare', promise: 0.6 },
  jwks: { against: 'bare', promise: 0.6 },
  password: { against: 'argon2', promise: 0.85 },
  passkey: { against: undefined },
  'JWT while hashing is saturated': { against: 'idle', promise: 0.85 },
};

type Row = {
  name: string;
  ours: Sample;
  other: Sample | undefined;
  ratio: { median: number; low: number; high: number } | undefined;
  promise: number | undefined;
};

const pair = async (stage: Stage, name: string): Promise<[Sample, Sample | undefined]> => {
  const { ours, reference, bare } = stage;
  switch (PLAN[name]?.against) {
    case 'reference':
      return [await measure(stage, ours, name, load), await measure(stage, reference, name, load)];
    case 'bare':
      return [await measure(stage, ours, name, load), await measure(stage, bare, name, load)];
    case 'argon2': {
      const { perSecond } = await ours.child.ask<{ perSecond: number }>({ do: 'ceiling', seconds: load.seconds });
      return [await measure(stage, ours, name, load), { perSecond, serverMs: 0, storeMs: 0 }];
    }
    case 'idle': {
      const idle = await measure(stage, ours, 'client credentials, JWT', load);
      await ours.child.ask({ do: 'saturate', on: true });
      const busy = await measure(stage, ours, 'client credentials, JWT', load);
      await ours.child.ask({ do: 'saturate', on: false });
      return [busy, idle];
    }
    default:
      return [await measure(stage, ours, name, load), undefined];
  }
};

const compare = async (stage: Stage, name: string): Promise<Row> => {
  const [ours, others]: [Sample[], Sample[]] = [[], []];
  for (let done = 0; done < WARM_UP_OPERATIONS; ) {
    const [{ perSecond }] = await pair(stage, name);
    done += perSecond * load.seconds;
  }
  for (let round = 0; round < rounds; round += 1) {
    const [one, other] = await pair(stage, name);
    ours.push(one);
    if (other !== undefined) others.push(other);
  }
  const ratios = others.map((other, index) => (ours[index]?.perSecond ?? 0) / other.perSecond);
  return {
    name,
    ours: medianSample(ours),
    other: others.length > 0 ? medianSample(others) : undefined,
    ratio:
      ratios.length > 0 ? { median: median(ratios), low: Math.min(...ratios), high: Math.max(...ratios) } : undefined,
    promise: PLAN[name]?.promise,
  };
};

const print = ({ name, ours, other, ratio, promise }: Row): void => {
  const cpu = `${ours.serverMs.toFixed(2)}+${ours.storeMs.toFixed(2)}`;
  const compared =
    ratio === undefined
      ? ''
      : `${other?.perSecond.toFixed(0).padStart(7)} ${other?.serverMs.toFixed(2)} ${ratio.median.toFixed(2)} (${ratio.low.toFixed(2)}–${ratio.high.toFixed(2)})`;
  const verdict =
    ratio === undefined || promise === undefined ? '' : `${ratio.median >= promise ? 'ok' : 'below'} ${promise}`;
  console.log(
    `${name.padEnd(31)} ${ours.perSecond.toFixed(0).padStart(6)} ${cpu.padStart(11)} ${compared.padEnd(26)} ${verdict}`,
  );
};

leaveServerCore();
if (!pinned) console.log('One core only, or no taskset: server, database and load share it, and ratios say little.');
const stage = await openStage(values.redis);
try {
  const names = values.only?.split(';') ?? Object.keys(PLAN);
  console.log('                                 ops/s  CPU ms/op  against   ratio (range)            promised');
  const rows: Row[] = [];
  for (const name of names) {
    const row = await compare(stage, name);
    rows.push(row);
    print(row);
  }
  if (values.json !== undefined) {
    const machine = { node: process.version, pinned, rounds, ...load, redis: values.redis !== undefined };
    writeFileSync(values.json, `${JSON.stringify({ machine, rows }, null, 2)}\n`);
  }
} finally {
  await stage.close();
}
