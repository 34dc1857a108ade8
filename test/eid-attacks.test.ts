import { randomUUID } from 'node:crypto';
import test, { type ExecutionContext } from 'ava';
import { MINOR, NAMESPACE, RESULT, signedAnswer } from '../infra/sandbox/counterparts/soap-wire.ts';
import { type EidKeys, ONLY_PSEUDONYM, startFalseServer } from './harness/eid.ts';

const PSEUDONYM = 'ab'.repeat(32);

const result = (pseudonym = PSEUDONYM, level = 'hoch'): string =>
  `<eid:getResultResponse xmlns:eid="${NAMESPACE}"><eid:PersonalData><eid:RestrictedID><eid:ID>${pseudonym}</eid:ID></eid:RestrictedID></eid:PersonalData>` +
  `<eid:LevelOfAssuranceResult>http://bsi.bund.de/eID/LoA/${level}</eid:LevelOfAssuranceResult>` +
  `<dss:Result xmlns:dss="urn:oasis:names:tc:dss:1.0:core:schema"><ResultMajor>${RESULT}ok</ResultMajor></dss:Result></eid:getResultResponse>`;

const genuine = (keys: EidKeys, body = result()): string => signedAnswer(body, keys.serverSigning);

/** What the bridge makes of an answer, and why. */
const verdict = async (t: ExecutionContext, answer: (keys: EidKeys, request: string) => string) => {
  const server = await startFalseServer((request, keys) => answer(keys, request));
  t.teardown(server.close);
  const got = await server.bridge.getResult('cd'.repeat(16), 1);
  return { got, reason: server.reasons.join() };
};

const refused = (name: string, reason: RegExp, answer: (keys: EidKeys, request: string) => string): void => {
  test(`refused: ${name}`, async (t) => {
    const seen = await verdict(t, answer);
    t.deepEqual(seen.got, { outcome: 'unavailable', reason: 'untrusted' });
    t.regex(seen.reason, reason);
  });
};

test('the answer that the attacks are made from is believed', async (t) => {
  const { got } = await verdict(t, (keys) => genuine(keys));
  t.like(got, { outcome: 'read', pseudonym: PSEUDONYM, level: 'high' });
});

test('PSS signatures are believed as well, and names of either spelling', async (t) => {
  const algorithm = 'http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1';
  const body = result()
    .replaceAll('LevelOfAssuranceResult', 'LevelOfAssuranceResponse')
    .replaceAll('ResultMajor>', 'dss:ResultMajor>');
  const { got } = await verdict(t, (keys) => signedAnswer(body, keys.serverSigning, { algorithm }));
  t.like(got, { outcome: 'read', level: 'high' });
});

const unsigned = (xml: string): string => xml.replace(/<ds:Signature[\s\S]*<\/ds:Signature>/, '');
const bodyOf = (xml: string): string => /<S:Body[\s\S]*<\/S:Body>/.exec(xml)?.[0] ?? '';
const timestampOf = (xml: string): string => /<wsu:Timestamp[\s\S]*<\/wsu:Timestamp>/.exec(xml)?.[0] ?? '';
const signatureOf = (xml: string): string => /<ds:Signature[\s\S]*<\/ds:Signature>/.exec(xml)?.[0] ?? '';
const forged = (body: string): string => body.replaceAll(PSEUDONYM, 'ef'.repeat(32));

refused('no signature', /not signed/, (keys) => unsigned(genuine(keys)));
refused('signed by somebody of the same name', /signature/, (keys) => signedAnswer(result(), keys.strangerSigning));
refused(
  'signed by ourselves: a request sent back',
  /not signed|signature|getResultResponse/,
  (_keys, request) => request,
);
refused('one character of the body changed', /signature/, (keys) => forged(genuine(keys)));
refused('the time stamp changed', /signature/, (keys) => genuine(keys).replace(/<wsu:Expires>2/, '<wsu:Expires>3'));
refused('only the body signed', /time stamp/, (keys) =>
  signedAnswer(result(), keys.serverSigning, { parts: ['Body'] }),
);
refused('only the time stamp signed', /body/, (keys) =>
  signedAnswer(result(), keys.serverSigning, { parts: ['Timestamp'] }),
);
refused('SHA-1', /signature algorithm/, (keys) =>
  signedAnswer(result(), keys.serverSigning, { algorithm: 'http://www.w3.org/2000/09/xmldsig#rsa-sha1' }),
);
refused('HMAC with the certificate as its key', /signature algorithm/, (keys) =>
  genuine(keys).replace('xmldsig-more#rsa-sha256', 'xmldsig-more#hmac-sha256'),
);
refused('an expired answer', /expired/, (keys) =>
  signedAnswer(result(), keys.serverSigning, {
    created: new Date(Date.now() - 20_000).toISOString(),
    expires: new Date(Date.now() - 31_000 - 20_000).toISOString(),
  }),
);
refused('an answer made before it was asked for', /another time/, (keys) =>
  signedAnswer(result(), keys.serverSigning, { created: new Date(Date.now() - 40_000).toISOString() }),
);
refused('an answer from the future', /another time/, (keys) =>
  signedAnswer(result(), keys.serverSigning, {
    created: new Date(Date.now() + 60_000).toISOString(),
    expires: new Date(Date.now() + 90_000).toISOString(),
  }),
);
refused('an answer valid for a year', /too long/, (keys) =>
  signedAnswer(result(), keys.serverSigning, { expires: new Date(Date.now() + 365 * 86_400_000).toISOString() }),
);
refused('a document type', /document type/, (keys) => genuine(keys).replace('?>', '?><!DOCTYPE x [<!ENTITY e "y">]>'));
refused('a comment in the pseudonym', /comment/, (keys) =>
  genuine(keys).replace(PSEUDONYM, `${PSEUDONYM.slice(0, 32)}<!-- -->${PSEUDONYM.slice(32)}`),
);
refused('a processing instruction', /processing instruction/, (keys) =>
  genuine(keys).replace('<S:Body', '<?x y?><S:Body'),
);
refused('something that is no XML', /well-formed|no root/, () => 'PSK');
refused('the answer to another question', /getResultResponse/, (keys) =>
  genuine(keys, `<eid:getServerInfoResponse xmlns:eid="${NAMESPACE}"/>`),
);
refused('two messages in one body', /getResultResponse/, (keys) => genuine(keys, result() + result('ef'.repeat(32))));
refused('two pseudonyms', /several RestrictedID/, (keys) =>
  genuine(
    keys,
    result().replace(
      '</eid:PersonalData>',
      `<eid:RestrictedID><eid:ID>${'ef'.repeat(32)}</eid:ID></eid:RestrictedID></eid:PersonalData>`,
    ),
  ),
);
refused('an answer without a result', /no result/, (keys) =>
  genuine(keys, result().replace(/<dss:Result.*<\/dss:Result>/, '')),
);
refused('success and error in one', /several/, (keys) =>
  genuine(keys, result().replace('</dss:Result>', `<ResultMajor>${RESULT}error</ResultMajor></dss:Result>`)),
);

// Signature wrapping: the signed body stays, somewhere it still verifies, and another one stands where it is read.
const wrapped: Record<string, (xml: string) => string> = {
  'the signed body in the header, a forged one in its place': (xml) =>
    xml
      .replace(bodyOf(xml), forged(bodyOf(xml)).replace(/wsu:Id="[^"]+"/, `wsu:Id="id-${randomUUID()}"`))
      .replace('</wsse:Security>', `<x>${bodyOf(xml)}</x></wsse:Security>`),
  'a forged body of the same id before the signed one': (xml) =>
    xml.replace(bodyOf(xml), forged(bodyOf(xml)) + bodyOf(xml)),
  'a forged body of the same id after the signed one': (xml) =>
    xml.replace(bodyOf(xml), bodyOf(xml) + forged(bodyOf(xml))),
  'a forged body around the signed one': (xml) =>
    xml.replace(
      bodyOf(xml),
      forged(bodyOf(xml))
        .replace(/wsu:Id="[^"]+"/, '')
        .replace('</S:Body>', `<w>${bodyOf(xml)}</w></S:Body>`),
    ),
  'the signed body inside of the signature': (xml) =>
    xml
      .replace(bodyOf(xml), forged(bodyOf(xml)).replace(/wsu:Id="[^"]+"/, ''))
      .replace('</ds:Signature>', `<ds:Object>${bodyOf(xml)}</ds:Object></ds:Signature>`),
  'the whole signed envelope inside of a forged one': (xml) =>
    unsigned(forged(xml)).replace(
      '</wsse:Security>',
      `${signatureOf(xml)}<w>${unsigned(xml).replace(/^<\?xml.*?\?>/, '')}</w></wsse:Security>`,
    ),
  'two signatures': (xml) => xml.replace('</wsse:Security>', `${signatureOf(xml)}</wsse:Security>`),
  'the signature outside of the security header': (xml) =>
    xml.replace(signatureOf(xml), '').replace('</S:Header>', `${signatureOf(xml)}</S:Header>`),
  'a second, forged time stamp of the same id': (xml) =>
    xml.replace(timestampOf(xml), timestampOf(xml) + timestampOf(xml).replace(/<wsu:Expires>2/, '<wsu:Expires>3')),
};
for (const [name, wrap] of Object.entries(wrapped)) {
  test(`wrapped: ${name}`, async (t) => {
    const { got } = await verdict(t, (keys) => wrap(genuine(keys)));
    // Either nothing is believed, or what was signed; never what was put beside it.
    if (got.outcome === 'read') t.is(got.pseudonym, PSEUDONYM);
    else t.deepEqual(got, { outcome: 'unavailable', reason: 'untrusted' });
  });
}

test('an endless answer is cut off', async (t) => {
  const { got, reason } = await verdict(t, () => `<a>${'x'.repeat(300_000)}`);
  t.deepEqual(got, { outcome: 'unavailable', reason: 'down' });
  t.regex(reason, /too long/);
});

test('an answer is believed once: its replay on another session is refused', async (t) => {
  let recorded = '';
  const server = await startFalseServer((_request, keys) => {
    recorded ||= genuine(keys);
    return recorded;
  });
  t.teardown(server.close);
  t.is((await server.bridge.getResult('cd'.repeat(16), 1)).outcome, 'read');
  t.deepEqual(await server.bridge.getResult('ce'.repeat(16), 1), { outcome: 'unavailable', reason: 'untrusted' });
  t.regex(server.reasons.join(), /replayed/);
});

test('an answer with other base64 of the same signature is the same answer', async (t) => {
  let recorded = '';
  const server = await startFalseServer((_request, keys) => {
    const first = recorded === '';
    recorded ||= genuine(keys);
    return first ? recorded : recorded.replace('</ds:SignatureValue>', '\n</ds:SignatureValue>');
  });
  t.teardown(server.close);
  t.is((await server.bridge.getResult('cd'.repeat(16), 1)).outcome, 'read');
  t.is((await server.bridge.getResult('cd'.repeat(16), 1)).outcome, 'unavailable');
});

test('a level that is missing or unknown counts as none', async (t) => {
  const missing = await verdict(t, (keys) =>
    genuine(keys, result().replace(/<eid:LevelOfAssuranceResult>.*?<\/eid:LevelOfAssuranceResult>/, '')),
  );
  const unknown = await verdict(t, (keys) => genuine(keys, result(PSEUDONYM, 'toString')));
  t.like(missing.got, { outcome: 'read', level: 'none' });
  t.like(unknown.got, { outcome: 'read', level: 'none' });
});

test('an unknown fault is a fault', async (t) => {
  const body = `<eid:getResultResponse xmlns:eid="${NAMESPACE}"><dss:Result xmlns:dss="x"><ResultMajor>${RESULT}error</ResultMajor><ResultMinor>${MINOR}/getResult#new</ResultMinor></dss:Result></eid:getResultResponse>`;
  const { got } = await verdict(t, (keys) => genuine(keys, body));
  t.deepEqual(got, { outcome: 'refused', fault: 'unknown' });
});

test('a session whose ids could be guessed is not used', async (t) => {
  const body = (id: string, key: string): string =>
    `<eid:useIDResponse xmlns:eid="${NAMESPACE}"><eid:Session><eid:ID>${id}</eid:ID></eid:Session><eid:eCardServerAddress>https://eid.example/paos</eid:eCardServerAddress><eid:PSK><eid:ID>${'ab'.repeat(16)}</eid:ID><eid:Key>${key}</eid:Key></eid:PSK><dss:Result xmlns:dss="x"><ResultMajor>${RESULT}ok</ResultMajor></dss:Result></eid:useIDResponse>`;
  const server = await startFalseServer((_request, keys) => genuine(keys, next));
  t.teardown(server.close);
  let next = body('ab'.repeat(16), 'cd'.repeat(16));
  t.is((await server.bridge.useId(ONLY_PSEUDONYM)).outcome, 'session');
  for (const bad of [
    body('1', 'cd'.repeat(16)),
    body('ab'.repeat(16), 'xy'),
    body('ab'.repeat(16), 'cd'.repeat(16)).replace('https:', 'http:'),
  ]) {
    next = bad;
    t.deepEqual(await server.bridge.useId(ONLY_PSEUDONYM), { outcome: 'unavailable', reason: 'untrusted' });
  }
});
