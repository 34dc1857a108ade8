import test from 'ava';
import { addCitizen, atHome, authorizationUrl, pkce } from '../harness/relying-party.ts';
import { type RunningTown, startTown } from '../harness/town.ts';
import { type Answer, formWith, Visitor } from '../harness/visitor.ts';
import { scaled } from './scale.ts';

const PAIRS = scaled(1000, 30);
/** Guesses at one account before the town's clock moves on to the next window of attempts. */
const BATCH = 5;
const WINDOW_MS = 16 * 60_000;
/** |t| below it: no difference to be seen (the bound of leakage tests, ISO/IEC 17825). */
const BOUND = 4.5;

let town: RunningTown;
let aheadMs = 0;

test.before(async () => {
  town = await startTown({ now: () => new Date(Date.now() + aheadMs) });
  await addCitizen(town, 'bekannt@buerger.example', 'ein bekanntes langes Passwort');
});

test.after.always(() => town?.close());

/** Welch's t of two samples. */
const welch = (one: readonly number[], other: readonly number[]): number => {
  const describe = (sample: readonly number[]) => {
    const mean = sample.reduce((sum, value) => sum + value, 0) / sample.length;
    const variance = sample.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (sample.length - 1);
    return { mean, error: variance / sample.length };
  };
  const [a, b] = [describe(one), describe(other)];
  return (a.mean - b.mean) / Math.sqrt(a.error + b.error);
};

/** Without the slowest tenth: pauses of the machine, which hit both alike. */
const steady = (sample: readonly number[]): number[] =>
  [...sample].sort((a, b) => a - b).slice(0, Math.ceil(sample.length * 0.9));

/** What an answer shows, without what is random in each. */
const shown = ({ status, headers, text, url }: Answer, identifier: string): unknown => ({
  status,
  headers: Object.keys(headers).sort(),
  cookies: (headers['set-cookie'] as string[] | undefined)?.map((cookie) => cookie.replace(/=[^;]*/, '')),
  text: text
    .replaceAll(identifier, 'IDENTIFIER')
    .replaceAll(url.pathname, 'PATH')
    .replaceAll(/value="[^"]*"/g, 'value')
    .replaceAll(/interaction\/[\w-]+/g, 'interaction'),
});

test('a wrong password says nothing about whether the account exists, not even by the time it takes', async (t) => {
  const times = { known: [] as number[], unknown: [] as number[] };
  const pages: unknown[][] = [];
  for (let done = 0; done < PAIRS; done += BATCH) {
    const visitor = new Visitor();
    const page = await visitor.open(authorizationUrl(town, 'fahrkarte', pkce()), atHome(town));
    const form = formWith(page, ['identifier', 'password']);
    const token = form.fields.find(([name]) => name === 'token')?.[1] ?? '';
    for (let turn = 0; turn < BATCH; turn += 1) {
      const seen: unknown[] = [];
      const order = turn % 2 === 0 ? (['known', 'unknown'] as const) : (['unknown', 'known'] as const);
      for (const kind of order) {
        const identifier = kind === 'known' ? 'bekannt@buerger.example' : `fremder${done}@buerger.example`;
        const body = new URLSearchParams({ token, identifier, password: `falsch und lang genug ${turn}` });
        const start = performance.now();
        const answer = await visitor.send(form.action, { method: 'POST', body });
        times[kind].push(performance.now() - start);
        seen.push([shown(answer, identifier), shown(await visitor.follow(answer, atHome(town)), identifier)]);
      }
      pages.push(seen);
    }
    aheadMs += WINDOW_MS;
  }
  for (const [one, other] of pages) t.deepEqual(one, other);
  const value = welch(steady(times.known), steady(times.unknown));
  t.log(`|t| = ${Math.abs(value).toFixed(2)} over ${times.known.length} pairs`);
  t.true(Math.abs(value) < BOUND, `t = ${value}`);
  const leaking = times.known.map((ms) => ms + 5);
  if (PAIRS >= 1000) t.true(Math.abs(welch(steady(leaking), steady(times.unknown))) > BOUND, 'a leak of 5 ms is found');
});
