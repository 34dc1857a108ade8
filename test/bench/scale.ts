/**
 * `npm run bench:scale [-- --accounts 1000000] [--only "sso;userinfo"] [--rounds 11] [--seconds 1]`: what an operation costs with 1,000 accounts in the database, and with a
 * million, each with a consent, a grant and a running session. It may not grow by more than 10 %. Both databases stand
 * side by side and are measured in turn, so that whatever else the machine does falls on both.
 */
import { parseArgs } from 'node:util';
import { fillAccounts } from './fill.ts';
import { measure, median } from './measure.ts';
import { leaveServerCore } from './processes.ts';
import { CONNECTIONS } from './scenarios.ts';
import { openStage, type Stage } from './stage.ts';

const { values } = parseArgs({
  options: {
    accounts: { type: 'string', default: '1000000' },
    only: { type: 'string' },
    // Many short rounds rather than a few long ones: what else the machine does passes by some of them.
    rounds: { type: 'string', default: '11' },
    seconds: { type: 'string', default: '1' },
  },
});
const SMALL = 1_000;
const ALLOWED_GROWTH = 1.1;
const SCENARIOS = ['sso', 'userinfo', 'introspection', 'refresh', 'client credentials, opaque', 'password'];

const fill = async (stage: Stage, count: number): Promise<void> => {
  const begin = performance.now();
  await fillAccounts(stage.databaseUrl, count);
  console.log(`${count} accounts in ${((performance.now() - begin) / 1000).toFixed(0)} s`);
};
/** CPU milliseconds of server and store for one operation. */
const cost = async (stage: Stage, name: string): Promise<number> => {
  const { serverMs, storeMs } = await measure(stage, stage.ours, name, {
    seconds: Number(values.seconds),
    connections: CONNECTIONS,
  });
  return serverMs + storeMs;
};

leaveServerCore();
await using opened = new AsyncDisposableStack();
const small = opened.adopt(await openStage(), (stage) => stage.close());
const large = opened.adopt(await openStage(), (stage) => stage.close());
await fill(small, SMALL);
await fill(large, Number(values.accounts));
console.log(
  `                              ${SMALL}  ${values.accounts}  growth, median (range)    CPU ms for one operation`,
);
for (const name of values.only?.split(';') ?? SCENARIOS) {
  const samples: { few: number; many: number }[] = [];
  for (let round = 0; round <= Number(values.rounds); round += 1) {
    // Each goes first as often as the other: a machine that grows slower or faster meanwhile favours neither.
    const before = round % 2 === 0 ? await cost(small, name) : undefined;
    const many = await cost(large, name);
    const sample = { few: before ?? (await cost(small, name)), many };
    if (round > 0) samples.push(sample);
  }
  const growths = samples.map(({ few, many }) => many / few).sort((one, two) => one - two);
  const growth = median(growths);
  const [few, many] = [median(samples.map((one) => one.few)), median(samples.map((one) => one.many))];
  const range = `${growths[0]?.toFixed(2)}–${growths.at(-1)?.toFixed(2)}`;
  const verdict = growth <= ALLOWED_GROWTH ? 'ok' : 'grows by more than 10 %';
  console.log(`${name.padEnd(28)} ${few.toFixed(2)}  ${many.toFixed(2)}  ${growth.toFixed(2)} (${range}) ${verdict}`);
}
