/** Every code that ends a card exchange, and the page that a citizen gets for it. */
import test from 'ava';
import type { EidFault } from '../adapters/eid-messages.ts';
import type { EidOutcome } from '../adapters/eid-source.ts';
import { createPostgresStore } from '../adapters/oidc-store-postgres.ts';
import * as exchanges from '../interactions/identity/exchanges.ts';
import { eidAnswer, type SourceFault } from '../interactions/identity/sources.ts';
import { de } from '../interactions/texts/de.ts';
import { en } from '../interactions/texts/en.ts';
import { type IdentityTown, startIdentityTown } from './harness/identity-town.ts';
import { atHome } from './harness/relying-party.ts';
import { type Answer, Visitor } from './harness/visitor.ts';

let place: IdentityTown;
test.before(async () => {
  place = await startIdentityTown();
});
test.after.always(() => place?.close());

/** TR-03130-1 v2.4.0 §3.4.1, table 6, and TR-03112-1 for who went back. */
const CODES: Readonly<Record<Exclude<EidFault, 'noResultYet' | 'unknown'>, SourceFault>> = {
  internalError: 'failed',
  schemaViolation: 'failed',
  invalidPSK: 'failed',
  tooManyOpenSessions: 'unavailable',
  missingArgument: 'failed',
  missingTerminalRights: 'failed',
  invalidSession: 'failed',
  invalidCounter: 'failed',
  deniedDocument: 'card-denied',
  invalidDocument: 'card-refused',
  cancellationByUser: 'cancelled',
};
/** TR-03124-1 §2.5.4.2. */
const MINORS: Readonly<Record<string, SourceFault>> = {
  trustedChannelEstablishmentFailed: 'connection',
  communicationError: 'connection',
  clientError: 'connection',
  serverError: 'connection',
  cancellationByUser: 'cancelled',
};

const faultOf = (outcome: EidOutcome, hint?: string): string => {
  const answer = eidAnswer(outcome, hint);
  return 'fault' in answer ? answer.fault : 'proven';
};

test('each code of the eID-Server and each of AusweisApp has its words in both languages', (t) => {
  for (const [fault, expected] of Object.entries(CODES)) {
    const outcome = { outcome: 'refused', fault } as EidOutcome;
    t.is(faultOf(outcome), expected, fault);
    // What AusweisApp adds is believed only where the server has nothing to say to a citizen.
    for (const [minor, hinted] of Object.entries(MINORS))
      t.is(faultOf(outcome, minor), expected === 'failed' ? hinted : expected, `${fault} ${minor}`);
  }
  for (const [minor, hinted] of Object.entries(MINORS)) t.is(faultOf({ outcome: 'not-yet' }, minor), hinted);
  t.is(faultOf({ outcome: 'not-yet' }), 'not-read');
  t.is(faultOf({ outcome: 'refused', fault: 'unknown' }), 'failed');
  t.is(faultOf({ outcome: 'refused', fault: 'level' }), 'level');
  t.is(faultOf({ outcome: 'unavailable' }, 'cancellationByUser'), 'unavailable');
  const words = new Set([...Object.values(CODES), ...Object.values(MINORS), 'not-read', 'level'] as SourceFault[]);
  for (const fault of words) {
    t.true(de.identity.faults[fault].length > 20 && en.identity.faults[fault].length > 20, fault);
    t.not(de.identity.faults[fault], en.identity.faults[fault]);
  }
});

const heading = (page: Answer): string => /<h1[^>]*>([^<]*)/.exec(page.text)?.[1]?.trim() ?? '';
const alert = (page: Answer): string => /role="alert"[\s\S]*?<li>([\s\S]*?)<\/li>/.exec(page.text)?.[1] ?? '';

const MINOR_PLACE = (fault: string): string =>
  ['internalError', 'schemaViolation'].includes(fault)
    ? `/common#${fault}`
    : ['invalidPSK', 'tooManyOpenSessions', 'missingArgument', 'missingTerminalRights'].includes(fault)
      ? `/useID#${fault}`
      : `/getResult#${fault}`;

for (const [fault, expected] of Object.entries(CODES)) {
  test.serial(`${fault}: back on the page to sign in, with a word about it and every other way`, async (t) => {
    for (const [language, texts] of [
      ['de', de],
      ['en', en],
    ] as const) {
      const visitor = new Visitor();
      const start = await place.begin(visitor, 'fahrkarte', { ui_locales: language });
      const page = await place.byCard(visitor, start, { how: `answer:${MINOR_PLACE(fault)}` });
      t.is(heading(page), texts.signIn.title);
      t.is(alert(page).replaceAll('&#39;', "'"), texts.identity.faults[expected]);
      for (const way of ['eid', 'bundid', 'sign-in', 'register']) t.true(page.text.includes(`/${way}"`), way);
    }
  });
}

test.serial(
  'AusweisApp is led back by RefreshAddress, and to CommunicationErrorAddress where it never got so far',
  async (t) => {
    const visitor = new Visitor();
    const away = await visitor.submitTo(await place.begin(visitor, 'fahrkarte'), 'eid');
    const token = (await new Visitor().send(place.tcTokenOf(away))).text;
    const address = (name: string) => new RegExp(`<${name}>([^<]+)`).exec(token)?.[1]?.replaceAll('&amp;', '&') ?? '';
    t.true(address('RefreshAddress').startsWith(`${place.town.issuer}/eid/refresh?r=`));
    t.true(address('CommunicationErrorAddress').startsWith(`${place.town.issuer}/eid/error?r=`));
    // TR-03124-1 §2.5.4.1: without a refresh address nothing else is left.
    const answer = await visitor.send(
      `${address('CommunicationErrorAddress')}&ResultMajor=error&ResultMinor=communicationError`,
    );
    t.is(answer.status, 303, 'AusweisApp follows nothing but redirects');
    const page = await visitor.follow(answer, atHome(place.town));
    t.is(alert(page), de.identity.faults.connection);
    // Once used, neither is good any more.
    for (const name of ['RefreshAddress', 'CommunicationErrorAddress'])
      t.is((await visitor.send(address(name))).status, 400, name);
  },
);

test.serial('the page leads to AusweisApp of a desktop and of a phone, and says what to do without one', async (t) => {
  const visitor = new Visitor();
  const away = await visitor.submitTo(await place.begin(visitor, 'fahrkarte'), 'eid');
  const links = Array.from(away.text.matchAll(/href="([^"]+eID-Client\?tcTokenURL=[^"]+)"/g), ([, href = '']) => href);
  const [desktop = '', phone = ''] = links;
  t.is(links.length, 2);
  t.true(desktop.startsWith(`${place.clientUrl()}?tcTokenURL=`));
  // TR-03124-1 §2.2.1.1: phones know the scheme, whatever the port of a desktop is.
  t.true(phone.startsWith('eid://127.0.0.1:24727/eID-Client?tcTokenURL='));
  for (const link of links) t.is(new URL(link).searchParams.get('tcTokenURL'), place.tcTokenOf(away));
  t.true(away.text.includes('https://www.ausweisapp.bund.de/download'));
  t.true(away.text.includes(de.identity.eid.otherWays));
  // Whatever the answer to whether it runs: the page asks nobody else.
  const policy = String(away.headers['content-security-policy']);
  t.regex(policy, new RegExp(`connect-src 'self' ${new URL(place.clientUrl()).origin}(;|$)`));
});

test.serial('an exchange is over ten minutes after its beginning, whatever happens meanwhile', async (t) => {
  const store = createPostgresStore({
    pool: place.town.database.pool,
    keys: place.town.keys,
    now: () => new Date(now),
  }).fleeting;
  let now = Date.now();
  const visitor = new Visitor();
  const away = await visitor.submitTo(await place.begin(visitor, 'fahrkarte'), 'eid');
  const passage = await exchanges.lookThrough(store, 'tc-token', new URL(place.tcTokenOf(away)).searchParams.get('t'));
  const id = passage?.id ?? '';
  now += 9 * 60_000;
  t.true(await exchanges.keepSession(store, id, 'ab'.repeat(16), new Date(now)), 'the card is shown late');
  t.truthy(await exchanges.find(store, id));
  now += 61_000;
  t.is(await exchanges.find(store, id), undefined);
});
