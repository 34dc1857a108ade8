import test from 'ava';
import { type IdentityTown, startIdentityTown } from './harness/identity-town.ts';
import { atHome } from './harness/relying-party.ts';
import { type Answer, Visitor } from './harness/visitor.ts';

let place: IdentityTown;
test.before(async () => {
  place = await startIdentityTown();
});
test.after.always(() => place?.close());

const heading = (page: Answer): string => /<h1[^>]*>([^<]*)/.exec(page.text)?.[1]?.trim() ?? '';
const alert = (page: Answer): string => /role="alert"[\s\S]*?<li>([\s\S]*?)<\/li>/.exec(page.text)?.[1] ?? '';
const codeOf = (answer: Answer): string | null =>
  new URL(String(answer.headers['location'] ?? 'x:')).searchParams.get('code');

const signIn = async (visitor: Visitor, choice: Record<string, string>): Promise<Answer> => {
  const fields = await place.atBundId(visitor, await place.begin(visitor, 'fahrkarte'), choice);
  return place.fromBundId(visitor, fields);
};
const open = async (visitor: Visitor, unknown: Answer): Promise<Answer> => {
  const welcome = await visitor.submitTo(unknown, 'open-account', {}, atHome(place.town));
  return visitor.submitTo(welcome, 'kennung', {}, atHome(place.town));
};

for (const [way, level] of [
  ['Benutzername', 1],
  ['Elster', 3],
  ['eID', 4],
] as const) {
  test.serial(`a citizen registers with BundID at level ${level}, and signs in again`, async (t) => {
    await place.town.context().db('identities').delete();
    const first = new Visitor();
    const unknown = await signIn(first, { way });
    t.is(heading(unknown), 'Diese BundID ist hier noch nicht bekannt');
    t.truthy(codeOf(await open(first, unknown)));
    const again = new Visitor();
    t.truthy(codeOf(await signIn(again, { way })));
  });
}

test.serial('required details come from BundID, and are kept as proofed', async (t) => {
  await place.town.context().db('identities').delete();
  const visitor = new Visitor();
  const claims = JSON.stringify({ userinfo: { given_name: null, family_name: null, birthdate: null } });
  const start = await place.begin(visitor, 'antrag', { claims });
  const unknown = await place.fromBundId(visitor, await place.atBundId(visitor, start, { way: 'Elster' }));
  const details = await open(visitor, unknown);
  const consent = await place.fromBundId(visitor, await place.atBundId(visitor, details, { way: 'Elster' }));
  t.true(consent.text.includes('Beispiel'), consent.text);
  const rows = await place.town.context().db('attributes').orderBy('name').select('name', 'source', 'level');
  t.deepEqual(
    rows.map((row) => ({ ...row })),
    ['birthdate', 'family_name', 'given_name'].map((name) => ({ name, source: 'bundid', level: 'substantial' })),
  );
});

test.serial('a temporary login confirms details, and signs nobody in', async (t) => {
  const { db } = place.town.context();
  await db('identities').delete();
  await db('attributes').delete();
  const visitor = new Visitor();
  const claims = JSON.stringify({ userinfo: { given_name: null, family_name: null, birthdate: null } });
  const unknown = await place.byCard(visitor, await place.begin(visitor, 'antrag', { claims }), { card: 'erika' });
  const details = await open(visitor, unknown);
  const consent = await place.fromBundId(
    visitor,
    await place.atBundId(visitor, details, { way: 'temporary', person: 'erika' }),
  );
  t.true(consent.text.includes('Mustermann'), consent.text);
  t.is((await db('identities').where({ source: 'bundid' })).length, 0);
});

test.serial('refusals of BundID lead back with a word about them', async (t) => {
  const cases: [string, RegExp][] = [
    ['cancel', /abgebrochen/],
    ['level', /nicht sicher genug/],
    ['attributes', /fehlen Angaben/],
  ];
  for (const [way, words] of cases) {
    const page = await signIn(new Visitor(), { way });
    t.is(heading(page), 'Anmelden');
    t.regex(alert(page), words);
  }
});

test.serial('a lower level than asked for is refused where a level was asked for', async (t) => {
  const visitor = new Visitor();
  await place.town.context().db('identities').delete();
  await place.town.context().db('attributes').delete();
  const claims = JSON.stringify({ userinfo: { given_name: null, family_name: null, birthdate: null } });
  const unknown = await place.byCard(visitor, await place.begin(visitor, 'antrag', { claims }), { card: 'hans' });
  const details = await open(visitor, unknown);
  const page = await place.fromBundId(visitor, await place.atBundId(visitor, details, { way: 'lower' }));
  t.regex(alert(page), /nicht sicher genug/);
  t.is((await place.town.context().db('attributes')).length, 0);
});

test.serial('only the browser that asked gets what BundID answers, once', async (t) => {
  const visitor = new Visitor();
  const fields = await place.atBundId(visitor, await place.begin(visitor, 'fahrkarte'), { way: 'eID' });
  // Somebody else posts the response: the address after it needs the cookie of who asked.
  const stolen = await place.fromBundId(new Visitor(), fields);
  t.is(stolen.status, 403);
  t.true(stolen.text.includes('/entwickler/fehler#exchange_of_another_browser'));
  t.is(heading(stolen), 'Dieser Vorgang wurde in einem anderen Browser begonnen');
  // The way in is closed by then; the citizen begins again.
  t.is((await place.fromBundId(visitor, fields)).status, 400);
});

test.serial('a response that comes twice, unasked, for another request or too large is refused', async (t) => {
  const visitor = new Visitor();
  const start = await place.begin(visitor, 'fahrkarte');
  const fields = await place.atBundId(visitor, start, { way: 'eID' });
  t.not((await place.fromBundId(visitor, fields)).status, 400);
  t.is((await place.fromBundId(visitor, fields)).status, 400);
  const unasked = new URLSearchParams({ SAMLResponse: fields.get('SAMLResponse') ?? '' });
  t.is((await place.fromBundId(visitor, unasked)).status, 400);

  const other = new Visitor();
  const another = await place.atBundId(other, await place.begin(other, 'fahrkarte'), { way: 'eID' });
  const mixed = new URLSearchParams({
    SAMLResponse: fields.get('SAMLResponse') ?? '',
    RelayState: another.get('RelayState') ?? '',
  });
  const answer = await place.fromBundId(other, mixed);
  t.is(heading(answer), 'Anmelden');
  t.regex(alert(answer), /nicht geklappt/);
  const large = new URLSearchParams({ SAMLResponse: 'A'.repeat(300_000), RelayState: 'x' });
  t.is((await place.fromBundId(visitor, large)).status, 413);
  const doubled = await visitor.send(new URL('/bundid/acs', place.town.issuer), {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: 'RelayState=a&RelayState=b',
  });
  t.is(doubled.status, 400);
});

test.serial('the metadata is where BundID looks for it', async (t) => {
  const answer = await new Visitor().send(new URL('/bundid/metadata', place.town.issuer));
  t.is(answer.status, 200);
  t.regex(String(answer.headers['content-type']), /samlmetadata\+xml/);
  t.true(answer.text.includes(`entityID="https://${new URL(place.town.issuer).hostname}"`));
});

test.serial(
  'citizens’ sources are not offered to staff, nor the staff’s to citizens, nor any to the administration',
  async (t) => {
    const citizen = await place.begin(new Visitor(), 'fahrkarte');
    t.true(citizen.text.includes('/eid"') && citizen.text.includes('/bundid"') && !citizen.text.includes('/upstream"'));
    const staff = await place.begin(new Visitor(), 'dienststelle');
    t.true(!staff.text.includes('/eid"') && !staff.text.includes('/bundid"') && staff.text.includes('/upstream"'));
    // Sent all the same.
    const visitor = new Visitor();
    const page = await place.begin(visitor, 'fahrkarte');
    const token = /name="token" value="([^"]+)"/.exec(page.text)?.[1] ?? '';
    const forced = await visitor.send(new URL(`${page.url.pathname}/upstream`, page.url), {
      method: 'POST',
      body: new URLSearchParams({ token }),
    });
    const after = await visitor.follow(forced, atHome(place.town));
    t.is(heading(after), 'Anmelden');
    t.regex(alert(after), /nicht erreichbar/);
  },
);
