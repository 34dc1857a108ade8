/**
 * `npm run soak [-- --minutes 20] [--share 0.2] [--json FILE]`: a share of what the machine can do, for as long as told.
 * Prints the heap after garbage collection, what tables hold, latencies by minute, and whether any of them grows.
 */
import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { quantile } from '../../infra/cluster/load.ts';
import { leaveServerCore } from './processes.ts';
import { type Operation, scenarios, signIn } from './scenarios.ts';
import { judge, type Minute } from './soak-verdict.ts';
import { openStage, type Stage } from './stage.ts';
import { Wire } from './wire.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '20' },
    share: { type: 'string', default: '0.2' },
    redis: { type: 'string' },
    json: { type: 'string' },
  },
});
const minutes = Number(values.minutes);

/** A day of a town, of 20 operations. */
const MIX = { password: 2, sso: 4, refresh: 4, userinfo: 4, introspection: 2, 'client credentials, opaque': 2 };
const TURN = [...Object.entries(MIX).flatMap(([name, count]) => Array<string>(count).fill(name)), 'discovery', 'jwks'];
const LANES = 24;
const CALIBRATION_SECONDS = 20;
/** Tokens and sessions of the load are renewed before they end. */
const RENEW_MINUTES = 3;

type Lane = { readonly wire: Wire; readonly steps: ReadonlyMap<string, () => Promise<void>>; busy: boolean };

const openLanes = async (stage: Stage, count: number): Promise<Lane[]> => {
  const operations = Object.entries(scenarios(stage.ours)).filter(([name]) => TURN.includes(name));
  return Promise.all(
    Array.from({ length: count }, async (_, lane) => {
      const wire = new Wire(stage.ours.host, stage.ours.port);
      const steps = new Map<string, () => Promise<void>>();
      for (const [name, operation] of operations as [string, Operation][]) steps.set(name, await operation(wire, lane));
      return { wire, steps, busy: false };
    }),
  );
};

/** Operations a second when nobody waits between them. */
const capacityOf = async (lanes: readonly Lane[]): Promise<number> => {
  const begin = performance.now();
  let done = 0;
  await Promise.all(
    lanes.slice(0, 8).map(async ({ steps }, lane) => {
      for (let turn = lane * 3; performance.now() - begin < CALIBRATION_SECONDS * 1000; turn += 1) {
        await steps.get(TURN[turn % TURN.length] ?? '')?.();
        done += 1;
      }
    }),
  );
  return (done * 1000) / (performance.now() - begin);
};

/** One minute at that rate, whatever the answers; times from the moment at which an operation was due. */
const runMinute = async (lanes: readonly Lane[], perSecond: number, turns: { next: number }) => {
  const times: number[] = [];
  const failures: string[] = [];
  const pending = new Set<Promise<void>>();
  let [done, late] = [0, 0];
  const begin = performance.now();
  while (performance.now() - begin < 60_000) {
    const due = Math.floor(((performance.now() - begin) / 1000) * perSecond);
    for (; done < due; done += 1) {
      const name = TURN[turns.next % TURN.length] ?? '';
      turns.next += 1;
      const lane = lanes.find(({ busy }) => !busy);
      if (lane === undefined) {
        late += 1;
        continue;
      }
      lane.busy = true;
      const dueAt = begin + (done / perSecond) * 1000;
      const work = (lane.steps.get(name)?.() ?? Promise.resolve())
        .then(
          () => void times.push(performance.now() - dueAt),
          (error: Error) => void failures.push(`${name}: ${error.message.slice(0, 200)}`),
        )
        .finally(() => {
          lane.busy = false;
          pending.delete(work);
        });
      pending.add(work);
    }
    await sleep(5);
  }
  await Promise.all(pending);
  return { times, failures, late };
};

/** Purging has its turn each minute; what is over for so long and still there was forgotten. */
const OVERDUE = "expires_at < now() - interval '5 minutes'";
/** What was spent is recognised for ten minutes more, so that a second use is told from a forgery. */
const SPENT = "consumed_at IS NULL OR expires_at < now() - interval '15 minutes'";

/** Rows by table, and those whose time has been over for minutes and which nobody has purged. */
const look = async (client: pg.Client): Promise<{ rows: Record<string, number>; overdue: Record<string, number> }> => {
  const { rows: tables } = await client.query<{ name: string; columns: string[] }>(
    `SELECT table_name AS name, array_agg(column_name::text) AS columns FROM information_schema.columns
      WHERE table_schema = 'public' GROUP BY 1 ORDER BY 1`,
  );
  const found = { rows: {} as Record<string, number>, overdue: {} as Record<string, number> };
  for (const { name, columns } of tables) {
    const spent = columns.includes('consumed_at') ? ` AND (${SPENT})` : '';
    const overdue = columns.includes('expires_at') ? `count(*) FILTER (WHERE ${OVERDUE}${spent})` : '0';
    const { rows } = await client.query<{ all: string; overdue: string }>(
      `SELECT count(*) AS all, ${overdue} AS overdue FROM ${name}`,
    );
    found.rows[name] = Number(rows[0]?.all);
    found.overdue[name] = Number(rows[0]?.overdue);
  }
  return found;
};

const renew = async (stage: Stage): Promise<void> => {
  const wire = new Wire(stage.ours.host, stage.ours.port);
  for (const citizen of stage.ours.citizens)
    citizen.cookie = (await signIn(stage.ours, wire, citizen, 'password')).session();
  wire.close();
};

leaveServerCore();
const stage = await openStage(values.redis);
const client = new pg.Client({ connectionString: stage.databaseUrl });
await client.connect();
try {
  let lanes = await openLanes(stage, LANES);
  const capacity = await capacityOf(lanes);
  const rate = capacity * Number(values.share);
  console.log(`${capacity.toFixed(0)} operations/s at full load; ${rate.toFixed(1)}/s for ${minutes} minutes`);
  console.log('minute  operations  failed  late   p50 ms   p99 ms   heap MB   resident MB');
  const measured: Minute[] = [];
  const turns = { next: 0 };
  for (let minute = 1; minute <= minutes; minute += 1) {
    if (minute % RENEW_MINUTES === 0) {
      await renew(stage);
      for (const { wire } of lanes) wire.close();
      lanes = await openLanes(stage, LANES);
    }
    const { times, failures, late } = await runMinute(lanes, rate, turns);
    const memory = await stage.ours.child.ask<{ heapUsed: number; rss: number }>({ do: 'memory' });
    const one: Minute = {
      operations: times.length,
      failed: failures.length,
      late,
      p50: quantile(times, 0.5),
      p99: quantile(times, 0.99),
      heapMb: memory.heapUsed / 1e6,
      residentMb: memory.rss / 1e6,
    };
    measured.push(one);
    const columns = [
      String(minute).padStart(6),
      String(one.operations).padStart(11),
      String(one.failed).padStart(7),
      String(late).padStart(5),
      one.p50.toFixed(1).padStart(8),
      one.p99.toFixed(1).padStart(8),
      one.heapMb.toFixed(1).padStart(9),
      one.residentMb.toFixed(0).padStart(13),
    ];
    console.log(columns.join(' '));
    for (const failure of failures.slice(0, 3)) console.log(`        ${failure}`);
  }
  const tables = await look(client);
  console.log('\nrows at the end (and overdue, not purged):');
  for (const [name, rows] of Object.entries(tables.rows))
    if (rows > 0) console.log(`  ${name.padEnd(24)} ${String(rows).padStart(8)}  ${tables.overdue[name]}`);
  const verdict = judge(measured, tables.overdue);
  console.log(`\n${verdict.lines.join('\n')}`);
  if (values.json !== undefined)
    writeFileSync(values.json, `${JSON.stringify({ capacity, rate, measured, tables, verdict }, null, 2)}\n`);
  process.exitCode = verdict.good ? 0 : 1;
} finally {
  await client.end();
  await stage.close();
}
