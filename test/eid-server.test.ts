import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import test from 'ava';
import type { CardQuestion } from '../adapters/eid-messages.ts';
import { cardAttributes, nameOf } from '../adapters/eid-person.ts';
import { createEidServer } from '../adapters/eid-server.ts';
import { tcTokenXml } from '../adapters/eid-tc-token.ts';
import { eidKeys, memoryMarks, ONLY_PSEUDONYM, settingsFor, silentLog, startEid, useCard } from './harness/eid.ts';

const TODAY = '2026-11-21';

/** A provider's end: hands out TC tokens for sessions that the bridge opened. */
const startTokens = async () => {
  let token = '';
  const server = createServer((_req, res) => res.setHeader('content-type', 'text/xml').end(token));
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const origin = `http://localhost:${(server.address() as AddressInfo).port}`;
  return {
    origin,
    offer: (xml: string): void => {
      token = xml;
    },
    close: () => void server.close(),
  };
};

const begin = async () => {
  const tokens = await startTokens();
  const eid = await startEid(tokens.origin);
  const bridge = createEidServer(eid.settings, { now: () => new Date(), once: memoryMarks(), log: silentLog });
  return {
    bridge,
    eid,
    /** Opens a session, uses a card, and returns the session with the way back. */
    async present(question: CardQuestion, choice?: Record<string, string>) {
      const opened = await bridge.useId(question);
      if (opened.outcome !== 'session') throw new Error(JSON.stringify(opened));
      const back = `${tokens.origin}/eid/refresh?r=1`;
      tokens.offer(tcTokenXml({ ...opened, refreshAddress: back, errorAddress: back }));
      return { session: opened.session, ...(await useCard(eid.clientUrl, `${tokens.origin}/tc?t=1`, choice)) };
    },
    async close() {
      bridge.close();
      tokens.close();
      await eid.close();
    },
  };
};

test('sign-in asks a card for its pseudonym alone, and the same card gives the same one', async (t) => {
  const { bridge, present, close } = await begin();
  t.teardown(close);
  const first = await present(ONLY_PSEUDONYM);
  t.true(first.back?.endsWith('ResultMajor=ok'));
  t.deepEqual(first.page.match(/<li>.*?<\/li>/g), [
    '<li>Art des Ausweises</li>',
    '<li>Pseudonym für diesen Dienst</li>',
  ]);
  const one = await bridge.getResult(first.session, 1);
  const second = await present(ONLY_PSEUDONYM);
  const two = await bridge.getResult(second.session, 1);
  const other = await present(ONLY_PSEUDONYM, { card: 'hans' });
  const three = await bridge.getResult(other.session, 1);
  t.deepEqual(one, two);
  if (one.outcome !== 'read' || three.outcome !== 'read') return t.fail();
  t.deepEqual(Object.keys(one).toSorted(), ['documentType', 'level', 'outcome', 'pseudonym']);
  t.is(one.level, 'high');
  t.not(one.pseudonym, three.pseudonym);
});

test('proofing reads what it asks for, as people write it', async (t) => {
  const { bridge, present, close } = await begin();
  t.teardown(close);
  const { session } = await present({ read: ['names', 'birthdate', 'address'] }, { card: 'hans' });
  const answer = await bridge.getResult(session, 1);
  if (answer.outcome !== 'read') return t.fail();
  t.deepEqual(cardAttributes(answer, {}, TODAY), {
    given_name: 'Hans-Peter',
    family_name: 'von der Heide',
    birthdate: '1980-11-30',
    address: { street_address: 'Heidestrasse 17', postal_code: '51147', locality: 'Köln', country: 'DE' },
  });
});

test('partial dates, free-text places and a missing address prove nothing that they do not say', async (t) => {
  const { bridge, present, close } = await begin();
  t.teardown(close);
  const partial = await present({ read: ['names', 'birthdate', 'address'] }, { card: 'titel' });
  const one = await bridge.getResult(partial.session, 1);
  const none = await present({ read: ['names', 'birthdate', 'address'] }, { card: 'ohne' });
  const two = await bridge.getResult(none.session, 1);
  if (one.outcome !== 'read' || two.outcome !== 'read') return t.fail(JSON.stringify([one, two]));
  t.is(one.birthdate, '1990');
  t.deepEqual(one.residence, { kind: 'freetext', text: 'GEMEINSCHAFTSUNTERKUNFT, 33330 GÜTERSLOH' });
  t.deepEqual(cardAttributes(one, {}, TODAY), { given_name: 'Amina', family_name: "N'Diaye" });
  t.deepEqual(two.residence, { kind: 'none' });
  t.deepEqual(cardAttributes(two, {}, TODAY), { given_name: 'Marie', family_name: 'Dupont', birthdate: '1975-03-01' });
});

test('adult and resident are answered by the card itself, without date of birth or address', async (t) => {
  const { bridge, present, close } = await begin();
  t.teardown(close);
  const question = { read: [], ageOver: 18, livesIn: '02760507540008' };
  const erika = await present(question);
  const yes = await bridge.getResult(erika.session, 1);
  const lena = await present(question, { card: 'lena' });
  const minor = await bridge.getResult(lena.session, 1);
  const hans = await present(question, { card: 'hans' });
  const elsewhere = await bridge.getResult(hans.session, 1);
  if (yes.outcome !== 'read' || minor.outcome !== 'read' || elsewhere.outcome !== 'read') return t.fail();
  t.deepEqual(cardAttributes(yes, question, TODAY), { age_over: 18, resident: { lives: true, on: TODAY } });
  t.deepEqual(cardAttributes(minor, question, TODAY), { resident: { lives: true, on: TODAY } });
  t.deepEqual(cardAttributes(elsewhere, question, TODAY), {
    age_over: 18,
    resident: { lives: false, on: TODAY },
  });
  t.is(yes.birthdate, undefined);
  t.is(yes.residence, undefined);
});

test('a result is awaited by counting calls, and a repeated or skipped number ends the session', async (t) => {
  const { bridge, close } = await begin();
  t.teardown(close);
  const opened = await bridge.useId(ONLY_PSEUDONYM);
  if (opened.outcome !== 'session') return t.fail();
  t.deepEqual(await bridge.getResult(opened.session, 1), { outcome: 'refused', fault: 'noResultYet' });
  t.deepEqual(await bridge.getResult(opened.session, 2), { outcome: 'refused', fault: 'noResultYet' });
  t.deepEqual(await bridge.getResult(opened.session, 2), { outcome: 'refused', fault: 'invalidCounter' });
  t.deepEqual(await bridge.getResult(opened.session, 3), { outcome: 'refused', fault: 'invalidSession' });
});

test('every answer that says no is told apart', async (t) => {
  const { bridge, present, close } = await begin();
  t.teardown(close);
  const cases: [Record<string, string>, string][] = [
    [{ card: 'gesperrt' }, 'invalidDocument'],
    [{ card: 'abgelaufen' }, 'invalidDocument'],
    [{ how: 'deny' }, 'deniedDocument'],
    [{ how: 'answer:/common#internalError' }, 'internalError'],
    [{ how: 'answer:/useID#invalidPSK' }, 'invalidPSK'],
  ];
  for (const [choice, fault] of cases) {
    const { session, back } = await present(ONLY_PSEUDONYM, choice);
    t.true(back?.endsWith('ResultMajor=ok'));
    t.deepEqual(await bridge.getResult(session, 1), { outcome: 'refused', fault }, fault);
  }
  const cancelled = await present(ONLY_PSEUDONYM, { how: 'cancel' });
  t.true(cancelled.back?.endsWith('ResultMajor=error&ResultMinor=cancellationByUser'));
  t.deepEqual(await bridge.getResult(cancelled.session, 1), { outcome: 'refused', fault: 'noResultYet' });
  const low = await present(ONLY_PSEUDONYM, { card: 'stufe' });
  const answer = await bridge.getResult(low.session, 1);
  t.is(answer.outcome === 'read' && answer.level, 'substantial');
  const wrongPin = await present(ONLY_PSEUDONYM, { pin: '000000' });
  t.is(wrongPin.back, undefined);
});

test('the server’s own refusals and its version come through', async (t) => {
  const eid = await startEid('http://localhost:1', { server: { maxSessions: 1 } });
  const bridge = createEidServer(eid.settings, { now: () => new Date(), once: memoryMarks(), log: silentLog });
  t.teardown(async () => {
    bridge.close();
    await eid.close();
  });
  t.is((await bridge.useId(ONLY_PSEUDONYM)).outcome, 'session');
  t.deepEqual(await bridge.useId(ONLY_PSEUDONYM), { outcome: 'refused', fault: 'tooManyOpenSessions' });
  t.deepEqual(await bridge.getServerInfo(), { outcome: 'info', version: '2.4.0' });
});

test('the eID-Server refuses who has no certificate, signs with another key or does not sign', async (t) => {
  const eid = await startEid('http://localhost:1');
  const keys = await eidKeys();
  t.teardown(eid.close);
  const parts = { now: () => new Date(), once: memoryMarks(), log: silentLog };
  const stranger = createEidServer({ ...eid.settings, signing: keys.strangerSigning }, parts);
  const nobody = createEidServer({ ...eid.settings, tls: { ...eid.settings.tls, ...keys.strangerSigning } }, parts);
  t.deepEqual(await stranger.useId(ONLY_PSEUDONYM), { outcome: 'unavailable', reason: 'untrusted' });
  t.deepEqual(await nobody.useId(ONLY_PSEUDONYM), { outcome: 'unavailable', reason: 'down' });
  stranger.close();
  nobody.close();
});

test('a server that does not answer is given up, then not asked for a while, and tried again', async (t) => {
  const keys = await eidKeys();
  let now = Date.now();
  const bridge = createEidServer(settingsFor(keys, 9), {
    now: () => new Date(now),
    once: memoryMarks(),
    log: silentLog,
  });
  t.teardown(() => bridge.close());
  for (let count = 0; count < 5; count += 1) {
    t.true(bridge.up());
    t.deepEqual(await bridge.getServerInfo(), { outcome: 'unavailable', reason: 'down' });
  }
  t.false(bridge.up());
  const before = performance.now();
  t.deepEqual(await bridge.useId(ONLY_PSEUDONYM), { outcome: 'unavailable', reason: 'down' });
  t.true(performance.now() - before < 50);
  now += 31_000;
  t.true(bridge.up());
});

test('the AusweisApp of the sandbox refuses tokens as the real one does', async (t) => {
  const tokens = await startTokens();
  const eid = await startEid(tokens.origin);
  const bridge = createEidServer(eid.settings, { now: () => new Date(), once: memoryMarks(), log: silentLog });
  t.teardown(async () => {
    bridge.close();
    tokens.close();
    await eid.close();
  });
  const opened = await bridge.useId(ONLY_PSEUDONYM);
  if (opened.outcome !== 'session') return t.fail();
  const back = `${tokens.origin}/eid/refresh?r=1`;
  const right = tcTokenXml({ ...opened, refreshAddress: back, errorAddress: back });
  const refusedWith = async (xml: string) => {
    tokens.offer(xml);
    const answer = await useCard(eid.clientUrl, `${tokens.origin}/tc`);
    return answer.status === 404 || answer.back?.endsWith('ResultMinor=trustedChannelEstablishmentFailed') === true;
  };
  t.true(await refusedWith(right.replace('urn:liberty:paos:2006-08', 'urn:x')));
  t.true(await refusedWith(right.replace('urn:ietf:rfc:4279', 'urn:x')));
  t.true(await refusedWith(right.replace(/<PSK>./, '<PSK>')));
  t.true(await refusedWith(right.replace('<ServerAddress>https', '<ServerAddress>http')));
  t.true(await refusedWith(right.replace(`<RefreshAddress>${tokens.origin}`, '<RefreshAddress>https://evil.example')));
  t.true(await refusedWith(right.replace(opened.psk.key, 'ab'.repeat(32))));
  t.false(await refusedWith(right));
});

test('names become what people write', (t) => {
  t.is(nameOf('ANNA-MARIA  SOPHIE'), 'Anna-Maria Sophie');
  t.is(nameOf('VON DER HEIDE'), 'von der Heide');
  t.is(nameOf("O'NEILL"), "O'Neill");
  t.is(nameOf('MÜLLER-LÜDENSCHEIDT'), 'Müller-Lüdenscheidt');
  t.is(nameOf('McDonald'), 'McDonald');
});
