import test from 'ava';
import { beyondChance, link } from '../harness/linkage.ts';
import { addCitizens, startLinkageTown, visitBoth } from '../harness/linkage-visits.ts';
import { scaled } from './scale.ts';

test('two organisations cannot match 500 visitors better than chance; with one mark among all values they can', async (t) => {
  const town = await startLinkageTown();
  t.teardown(town.close);
  const citizens = scaled(500, 60);
  const [ours, theirs] = await visitBoth(town, ['bibliothek', 'fahrkarte'], await addCitizens(town, citizens));
  const attacks = link(ours, theirs);
  const limit = beyondChance(attacks.size);
  const best = [...attacks].sort(([, one], [, other]) => other - one)[0];
  t.log(
    `${citizens} citizens, ${attacks.size} ways, the best (${best?.[0]}) matched ${best?.[1]}; chance: below ${limit}`,
  );
  for (const [way, right] of attacks) t.true(right < limit, `${way}: ${right}`);

  const marked = [ours, theirs].map((side) => side.map((one, at) => ({ ...one, mark: `m${at * 7919}` })));
  t.true((link(marked[0] ?? [], marked[1] ?? []).get('mark like mark') ?? 0) >= citizens * 0.9);
});
