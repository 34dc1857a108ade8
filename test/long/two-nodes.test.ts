/** Exchanges with identity sources over two nodes in two processes: each request goes to the other one. */
import test from 'ava';
import { type IdentityTown, startIdentityTown } from '../harness/identity-town.ts';
import { atHome } from '../harness/relying-party.ts';
import { inTurn, SecondNode } from '../harness/second-node.ts';
import { type Answer, Visitor } from '../harness/visitor.ts';

let place: IdentityTown;
const second = new SecondNode();

test.before(async () => {
  place = await startIdentityTown({
    around: async (handler, facts) => {
      await second.start(facts);
      return inTurn(handler, second.handler);
    },
  });
});
test.after.always(async () => {
  await place?.close();
  await second.close();
});

const codeOf = (answer: Answer): string | null =>
  new URL(String(answer.headers['location'] ?? 'x:')).searchParams.get('code');
const open = async (visitor: Visitor, unknown: Answer): Promise<Answer> => {
  const welcome = await visitor.submitTo(unknown, 'open-account', {}, atHome(place.town));
  return visitor.submitTo(welcome, 'kennung', {}, atHome(place.town));
};

test.serial('any node can finish what another one began with a card', async (t) => {
  const before = (await second.state()).served;
  const visitor = new Visitor();
  const unknown = await place.byCard(visitor, await place.begin(visitor, 'fahrkarte'), { card: 'hans' });
  t.truthy(codeOf(await open(visitor, unknown)));
  const again = new Visitor();
  t.truthy(codeOf(await place.byCard(again, await place.begin(again, 'fahrkarte'), { card: 'hans' })));
  t.true((await second.state()).served - before >= 6, 'the second node had its half');
});

test.serial('of two nodes one gives the TC token, and one takes the way back', async (t) => {
  const visitor = new Visitor();
  const away = await visitor.submitTo(await place.begin(visitor, 'fahrkarte'), 'eid');
  const address = place.tcTokenOf(away);
  const tokens = await Promise.all([0, 1, 2, 3].map(() => new Visitor().send(address)));
  t.deepEqual(tokens.map(({ status }) => status).toSorted(), [200, 404, 404, 404]);

  const other = new Visitor();
  const { back } = await place.readCard(other, await place.begin(other, 'fahrkarte'), { card: 'hans' });
  const ways = await Promise.all([0, 1, 2, 3].map(() => other.send(back)));
  t.is(ways.filter(({ status }) => status === 303).length, 1);
  t.is(ways.filter(({ status }) => status === 400).length, 3);
});

test.serial('a response of BundID is good once, whichever node gets it', async (t) => {
  const visitor = new Visitor();
  const fields = await place.atBundId(visitor, await place.begin(visitor, 'fahrkarte'), { way: 'Elster' });
  const puts = await Promise.all(
    [0, 1, 2, 3].map(() =>
      new Visitor().send(new URL('/bundid/acs', place.town.issuer), { method: 'POST', body: fields }),
    ),
  );
  const taken = puts.filter(({ status }) => status === 303);
  t.is(taken.length, 1);
  t.is(puts.filter(({ status }) => status === 400).length, 3);
  const handle = new URL(String(taken[0]?.headers['location']), place.town.issuer);
  const returns = await Promise.all([0, 1, 2, 3].map(() => visitor.send(handle)));
  const [came, ...more] = returns.filter(({ status }) => status === 303);
  t.is(more.length, 0);
  if (came === undefined) return t.fail();
  t.truthy(codeOf(await open(visitor, await visitor.follow(came, atHome(place.town)))));

  // The same answer for another request, on either node.
  for (const _node of [0, 1]) {
    const later = new Visitor();
    const another = await place.atBundId(later, await place.begin(later, 'fahrkarte'), { way: 'Elster' });
    const mixed = new URLSearchParams({
      SAMLResponse: fields.get('SAMLResponse') ?? '',
      RelayState: another.get('RelayState') ?? '',
    });
    t.regex((await place.fromBundId(later, mixed)).text, /nicht geklappt/);
  }
});

test.serial('staff come back to any node, once', async (t) => {
  const visitor = new Visitor();
  const away = await visitor.submitTo(await place.begin(visitor, 'dienststelle'), 'upstream');
  const url = /href="(http:\/\/localhost:\d+\/auth\?[^"]+)"/.exec(away.text)?.[1]?.replaceAll('&amp;', '&') ?? '';
  const callback = await place.atStaff(url, 'k.weber');
  const answers = await Promise.all([0, 1, 2, 3].map(() => visitor.send(callback)));
  const [came, ...more] = answers.filter(({ status }) => status === 303);
  t.is(more.length, 0);
  if (came === undefined) return t.fail();
  const unknown = await visitor.follow(came, atHome(place.town));
  t.truthy(codeOf(await visitor.submitTo(unknown, 'open-account', {}, atHome(place.town))));
});
