import { randomBytes } from 'node:crypto';
import test, { type ExecutionContext } from 'ava';
import {
  assertionXml,
  encrypted,
  genuineResponse,
  responseXml,
  signRoot,
} from '../infra/sandbox/counterparts/saml-wire.ts';
import {
  ACS,
  BPK2,
  type BundIdKeys,
  ENTITY_ID,
  encode,
  IDP,
  QUESTION,
  startBridge,
  statement,
} from './harness/bundid.ts';

const REQUEST = '_r1';
const TRUE_NAME = 'bpk-of-erika';
const FALSE_NAME = 'bpk-of-mallory';

const usual = () => statement(REQUEST);
const seal = (assertion: string, keys: BundIdKeys): string => encrypted(assertion, keys.encryption.certificate);
const genuine = (keys: BundIdKeys): string => genuineResponse(usual(), keys.idp, keys.encryption.certificate);

const verdict = async (make: (keys: BundIdKeys) => string, requestId = REQUEST) => {
  const { bridge, keys, reasons } = await startBridge();
  return { answer: await bridge.read(encode(make(keys)), requestId, QUESTION), reason: reasons.join() };
};

const refused = (name: string, make: (keys: BundIdKeys) => string, reason?: RegExp, requestId?: string): void => {
  test(`refused: ${name}`, async (t) => {
    const seen = await verdict(make, requestId);
    t.deepEqual(seen.answer, { outcome: 'untrusted' });
    if (reason !== undefined) t.regex(seen.reason, reason);
  });
};

/** A response that is genuine but for one thing inside of the assertion, signed all the same. */
const withAssertion =
  (change: (xml: string) => string) =>
  (keys: BundIdKeys): string =>
    signRoot(responseXml(usual(), seal(signRoot(change(assertionXml(usual())), keys.idp), keys)), keys.idp);

/** The same, for the response around it. */
const withResponse =
  (change: (xml: string) => string) =>
  (keys: BundIdKeys): string =>
    signRoot(change(responseXml(usual(), seal(signRoot(assertionXml(usual()), keys.idp), keys))), keys.idp);

test('the response that the attacks are made from is believed', async (t) => {
  for (const make of [genuine, withAssertion((xml) => xml), withResponse((xml) => xml)]) {
    const { answer } = await verdict(make);
    t.like(answer, { outcome: 'proven', pseudonym: TRUE_NAME });
  }
});

// Who it is for, what it answers, when.
refused(
  'another audience',
  withAssertion((xml) => xml.replace(`<saml2:Audience>${ENTITY_ID}`, '<saml2:Audience>https://other.example')),
  /audience/,
);
refused(
  'a second audience',
  withAssertion((xml) =>
    xml.replace('</saml2:Audience>', '</saml2:Audience><saml2:Audience>https://other.example</saml2:Audience>'),
  ),
  /audience/,
);
refused(
  'no audience',
  withAssertion((xml) => xml.replace(/<saml2:AudienceRestriction>.*<\/saml2:AudienceRestriction>/, '')),
  /Audience/,
);
refused(
  'no conditions',
  withAssertion((xml) => xml.replace(/<saml2:Conditions.*<\/saml2:Conditions>/, '')),
);
refused(
  'another recipient',
  withAssertion((xml) => xml.replace(`Recipient="${ACS}"`, 'Recipient="https://other.example/acs"')),
  /recipient/,
);
refused(
  'no recipient',
  withAssertion((xml) => xml.replace(`Recipient="${ACS}"`, '')),
  /recipient/,
);
refused(
  'another destination',
  withResponse((xml) => xml.replace(`Destination="${ACS}"`, 'Destination="https://other.example/acs"')),
  /destination/,
);
refused('the answer to another request', genuine, /InResponseTo of the response/, '_r2');
refused(
  'the answer to another request inside',
  withAssertion((xml) => xml.replace(`InResponseTo="${REQUEST}"`, 'InResponseTo="_r2"')),
  /InResponseTo of the subject/,
);
refused(
  'nobody asked (IdP-initiated)',
  withResponse((xml) => xml.replace(`InResponseTo="${REQUEST}"`, '')),
  /InResponseTo of the response/,
);
refused(
  'nobody asked, inside',
  withAssertion((xml) => xml.replace(`InResponseTo="${REQUEST}"`, '')),
  /InResponseTo of the subject/,
);
refused(
  'another issuer of the response',
  withResponse((xml) => xml.replace(`>${IDP}</saml2:Issuer>`, '>https://other.example</saml2:Issuer>')),
  /issuer/,
);
refused(
  'another issuer of the assertion',
  withAssertion((xml) => xml.replace(`>${IDP}</saml2:Issuer>`, '>https://other.example</saml2:Issuer>')),
  /issuer/,
);
refused(
  'a holder-of-key confirmation',
  withAssertion((xml) => xml.replace('cm:bearer', 'cm:holder-of-key')),
  /confirmation method/,
);
refused(
  'no confirmation',
  withAssertion((xml) => xml.replace(/<saml2:SubjectConfirmation .*<\/saml2:SubjectConfirmation>/, '')),
  /SubjectConfirmation/,
);
refused(
  'two confirmations',
  withAssertion((xml) => xml.replace(/(<saml2:SubjectConfirmation .*<\/saml2:SubjectConfirmation>)/, '$1$1')),
  /SubjectConfirmation/,
);
refused(
  'an unending assertion',
  withAssertion((xml) => xml.replaceAll(/ NotOnOrAfter="[^"]+"/g, '')),
);
refused(
  'two levels',
  withAssertion((xml) =>
    xml.replace(
      '</saml2:AuthnContextClassRef>',
      '</saml2:AuthnContextClassRef><saml2:AuthnContextClassRef>STORK-QAA-Level-4</saml2:AuthnContextClassRef>',
    ),
  ),
  /AuthnContextClassRef/,
);
refused(
  'two pseudonyms',
  withAssertion((xml) =>
    xml.replace(
      '</saml2:AttributeValue>',
      `</saml2:AttributeValue><saml2:AttributeValue>${FALSE_NAME}</saml2:AttributeValue>`,
    ),
  ),
  /several values/,
);
for (const [name, minutes] of [
  ['from an hour ago', -60],
  ['from the future', 60],
] as const) {
  const now = new Date(Date.now() + minutes * 60_000);
  refused(`a response ${name}`, (keys) => genuineResponse({ ...usual(), now }, keys.idp, keys.encryption.certificate));
  refused(`an assertion ${name} in a fresh response`, (keys) =>
    signRoot(responseXml(usual(), seal(signRoot(assertionXml({ ...usual(), now }), keys.idp), keys)), keys.idp),
  );
}

// Signatures and encryption.
const withoutSignature = (xml: string): string => xml.replace(/<ds:Signature [\s\S]*?<\/ds:Signature>/, '');
refused('no signature at all', (keys) => responseXml(usual(), seal(assertionXml(usual()), keys)), /not signed once/);
refused('an unsigned response around a signed assertion', (keys) => withoutSignature(genuine(keys)), /not signed once/);
refused(
  'an unsigned assertion in a signed response',
  (keys) => signRoot(responseXml(usual(), seal(assertionXml(usual()), keys)), keys.idp),
  /signature/i,
);
refused(
  'an assertion signed by a stranger',
  (keys) => signRoot(responseXml(usual(), seal(signRoot(assertionXml(usual()), keys.stranger), keys)), keys.idp),
  /signature/i,
);
refused(
  'everything signed by a stranger',
  (keys) => genuineResponse(usual(), keys.stranger, keys.encryption.certificate),
  /signature/i,
);
refused(
  'a stranger’s certificate beside BundID’s signature',
  (keys) =>
    genuineResponse(
      usual(),
      { key: keys.stranger.key, certificate: keys.idp.certificate },
      keys.encryption.certificate,
    ),
  /signature/i,
);
refused('an assertion put in by somebody who knows our encryption key', (keys) => {
  const forged = seal(signRoot(assertionXml({ ...usual(), attributes: { [BPK2]: FALSE_NAME } }), keys.stranger), keys);
  return genuine(keys).replace(/<saml2:EncryptedAssertion[\s\S]*<\/saml2:EncryptedAssertion>/, forged);
});
refused(
  'an assertion that is not encrypted',
  (keys) => signRoot(responseXml(usual(), signRoot(assertionXml(usual()), keys.idp)), keys.idp),
  /not encrypted/,
);
refused('an assertion sealed for somebody else', (keys) =>
  genuineResponse(usual(), keys.idp, keys.stranger.certificate),
);
refused(
  'two sealed assertions',
  (keys) => {
    const one = seal(signRoot(assertionXml(usual()), keys.idp), keys);
    return signRoot(responseXml(usual(), one + one), keys.idp);
  },
  /2 EncryptedAssertion/,
);
refused(
  'a plain assertion beside the sealed one',
  (keys) =>
    signRoot(
      responseXml(
        usual(),
        seal(signRoot(assertionXml(usual()), keys.idp), keys) + signRoot(assertionXml(usual()), keys.idp),
      ),
      keys.idp,
    ),
  /not encrypted/,
);
refused(
  'SHA-1 around',
  (keys) =>
    signRoot(responseXml(usual(), seal(signRoot(assertionXml(usual()), keys.idp), keys)), keys.idp, {
      algorithm: 'http://www.w3.org/2000/09/xmldsig#rsa-sha1',
    }),
  /algorithm/,
);
refused(
  'SHA-1 inside',
  (keys) =>
    signRoot(
      responseXml(
        usual(),
        seal(
          signRoot(assertionXml(usual()), keys.idp, { algorithm: 'http://www.w3.org/2000/09/xmldsig#rsa-sha1' }),
          keys,
        ),
      ),
      keys.idp,
    ),
  /algorithm/,
);
refused(
  'a SHA-1 digest',
  (keys) =>
    signRoot(responseXml(usual(), seal(signRoot(assertionXml(usual()), keys.idp), keys)), keys.idp, {
      digest: 'http://www.w3.org/2000/09/xmldsig#sha1',
    }),
  /digest/,
);
refused(
  'CBC',
  withResponse((xml) =>
    xml.replace('xmlenc11#aes256-gcm', 'xmlenc#aes256-cbc').replace('2009/xmlenc#', '2001/04/xmlenc#'),
  ),
  /EncryptionMethod/,
);
refused(
  'key transport by PKCS#1 v1.5',
  withResponse((xml) => xml.replace('xmlenc#rsa-oaep-mgf1p', 'xmlenc#rsa-1_5')),
  /EncryptionMethod/,
);
refused(
  'a mask that rsa-oaep-mgf1p does not have',
  withResponse((xml) =>
    xml.replace(
      '</xenc:EncryptionMethod>',
      '<x:MGF xmlns:x="http://www.w3.org/2009/xmlenc11#" Algorithm="http://www.w3.org/2009/xmlenc11#mgf1sha256"/></xenc:EncryptionMethod>',
    ),
  ),
  /mask/,
);
refused(
  'a digest for the key that nobody knows',
  (keys) =>
    signRoot(
      responseXml(
        usual(),
        encrypted(signRoot(assertionXml(usual()), keys.idp), keys.encryption.certificate, { digest: 'sha256' }).replace(
          'xmlenc#sha256',
          'xmldsig-more#md5',
        ),
      ),
      keys.idp,
    ),
  /DigestMethod/,
);
refused(
  'two keys',
  withResponse((xml) => {
    const key = /<xenc:EncryptedKey [\s\S]*<\/xenc:EncryptedKey>/.exec(xml)?.[0] ?? '';
    return xml.replace(key, key + key.replace(/ Id="[^"]*"/, ''));
  }),
  /several keys/,
);
refused(
  'a tag cut short',
  withResponse((xml) =>
    xml.replace(/([A-Za-z0-9+/=]+)(?=<\/xenc:CipherValue><\/xenc:CipherData><\/xenc:EncryptedData>)/, (text) =>
      Buffer.from(text, 'base64').subarray(0, -4).toString('base64'),
    ),
  ),
  /changed/,
);

// XML itself.
refused('a document type', (keys) => genuine(keys).replace('?>', '?><!DOCTYPE r [<!ENTITY x "y">]>'), /document type/);
refused('an entity inside', (keys) => {
  const signed = signRoot(assertionXml(usual()), keys.idp).replace(TRUE_NAME, '&x;');
  return signRoot(responseXml(usual(), seal(`<!DOCTYPE r [<!ENTITY x "${TRUE_NAME}">]>${signed}`, keys)), keys.idp);
});
refused('a comment', (keys) => genuine(keys).replace('<saml2p:Status>', '<!-- x --><saml2p:Status>'), /comment/);
refused('a comment in the pseudonym', (keys) => {
  const signed = signRoot(assertionXml(usual()), keys.idp).replace(
    TRUE_NAME,
    `${TRUE_NAME.slice(0, 4)}<!-- -->${TRUE_NAME.slice(4)}`,
  );
  return signRoot(responseXml(usual(), seal(signed, keys)), keys.idp);
});
refused(
  'a processing instruction',
  (keys) => genuine(keys).replace('<saml2p:Status>', '<?x?><saml2p:Status>'),
  /processing/,
);
refused('no XML', () => 'hello', /well-formed|root/);
test('refused: no base64', async (t) => {
  const { bridge } = await startBridge();
  for (const bad of ['', '%%%', '<xml/>', '[object Object]'])
    t.deepEqual(await bridge.read(bad, REQUEST, QUESTION), { outcome: 'untrusted' });
});

// Signature wrapping: XSW 1 to 8 of «On Breaking SAML» (Somorovsky et al.), for the response and for the assertion.
const signatureIn = (xml: string): string => /<ds:Signature [\s\S]*?<\/ds:Signature>/.exec(xml)?.[0] ?? '';
const newId = (): string => `ID="_${randomBytes(8).toString('hex')}"`;
const otherId = (xml: string): string => xml.replace(/(?<= )ID="[^"]+"/, newId());
const naked = (xml: string): string => xml.replace(/^<\?xml[^>]*\?>/, '');
const forgedContent = (keys: BundIdKeys): string =>
  seal(assertionXml({ ...usual(), attributes: { [BPK2]: FALSE_NAME } }), keys);
const forgedResponse = (keys: BundIdKeys): string => responseXml(usual(), forgedContent(keys));
const END = '</saml2p:Response>';
const AFTER_ISSUER = '</saml2:Issuer>';

const responseWrapping: Record<string, (keys: BundIdKeys) => string> = {
  'XSW1: the signed response inside of the signature of a forged one': (keys) => {
    const real = genuine(keys);
    const signature = signatureIn(real).replace(
      '</ds:Signature>',
      `<ds:Object>${naked(withoutSignature(real))}</ds:Object></ds:Signature>`,
    );
    return forgedResponse(keys).replace(AFTER_ISSUER, AFTER_ISSUER + signature);
  },
  'XSW2: the signature and the signed response side by side in a forged one': (keys) => {
    const real = genuine(keys);
    return forgedResponse(keys).replace(END, signatureIn(real) + naked(withoutSignature(real)) + END);
  },
  'XSW3: the signed response, whole, inside of a forged one': (keys) =>
    forgedResponse(keys).replace(END, naked(genuine(keys)) + END),
  'XSW4: the forged response inside of the signed one': (keys) =>
    genuine(keys).replace(END, naked(forgedResponse(keys)) + END),
  'XSW5: a forged content, the signed response at the end of it': (keys) => {
    const real = genuine(keys);
    return otherId(real)
      .replace(/<saml2:EncryptedAssertion[\s\S]*<\/saml2:EncryptedAssertion>/, forgedContent(keys))
      .replace(END, naked(withoutSignature(real)) + END);
  },
  'XSW6: the same id twice': (keys) => {
    const real = genuine(keys);
    return real
      .replace(/<saml2:EncryptedAssertion[\s\S]*<\/saml2:EncryptedAssertion>/, forgedContent(keys))
      .replace(END, naked(withoutSignature(real)) + END);
  },
  'XSW7: the signed response in Extensions of a forged one': (keys) =>
    forgedResponse(keys).replace(
      '<saml2p:Status>',
      `<saml2p:Extensions>${naked(genuine(keys))}</saml2p:Extensions><saml2p:Status>`,
    ),
  'XSW8: the signed response in an Object, the signature pointing to it': (keys) => {
    const real = genuine(keys);
    return forgedResponse(keys).replace(
      AFTER_ISSUER,
      `${AFTER_ISSUER}${signatureIn(real)}<ds:Object xmlns:ds="http://www.w3.org/2000/09/xmldsig#">${naked(real)}</ds:Object>`,
    );
  },
  'the forged content before the signed one': (keys) =>
    genuine(keys).replace('<saml2:EncryptedAssertion', `${forgedContent(keys)}<saml2:EncryptedAssertion`),
  'the forged content after the signed one': (keys) => genuine(keys).replace(END, forgedContent(keys) + END),
  'two signatures': (keys) => {
    const real = genuine(keys);
    return real.replace(signatureIn(real), signatureIn(real) + signatureIn(real));
  },
  'a second SignedInfo (CVE-2025-29774)': (keys) => {
    const real = genuine(keys);
    const info = /<ds:SignedInfo>[\s\S]*?<\/ds:SignedInfo>/.exec(real)?.[0] ?? '';
    return real.replace(info, info + info.replace(/<ds:DigestValue>[^<]+/, '<ds:DigestValue>AAAA'));
  },
  'a comment in the digest (CVE-2025-29775)': (keys) =>
    genuine(keys).replace(/<ds:DigestValue>/, '<ds:DigestValue><!-- x -->'),
};
for (const [name, make] of Object.entries(responseWrapping)) refused(name, make);

const NAMED = '</saml2:Assertion>';
const falseAssertion = (): string => assertionXml({ ...usual(), attributes: { [BPK2]: FALSE_NAME } });
/** Wrapping inside of the sealed part, by an insider who can have a response signed but not an assertion. */
const assertionWrapping: Record<string, (signed: string) => string> = {
  'the signed assertion inside of the signature of a forged one': (signed) =>
    falseAssertion().replace(
      AFTER_ISSUER,
      AFTER_ISSUER +
        signatureIn(signed).replace(
          '</ds:Signature>',
          `<ds:Object>${withoutSignature(signed)}</ds:Object></ds:Signature>`,
        ),
    ),
  'the signed assertion inside of a forged one': (signed) => falseAssertion().replace(NAMED, signed + NAMED),
  'the forged assertion inside of the signed one': (signed) => signed.replace(NAMED, falseAssertion() + NAMED),
  'the forged assertion before the signed one': (signed) => falseAssertion() + signed,
  'the forged assertion after the signed one': (signed) => signed + falseAssertion(),
  'the same id, the forged one outside': (signed) => {
    const id = /(?<= )ID="[^"]+"/.exec(signed)?.[0] ?? '';
    return falseAssertion()
      .replace(/(?<= )ID="[^"]+"/, id)
      .replace(AFTER_ISSUER, AFTER_ISSUER + signatureIn(signed))
      .replace(NAMED, withoutSignature(signed) + NAMED);
  },
};
for (const [name, wrap] of Object.entries(assertionWrapping)) {
  refused(`in the sealed part: ${name}`, (keys) =>
    signRoot(responseXml(usual(), seal(wrap(signRoot(assertionXml(usual()), keys.idp)), keys)), keys.idp),
  );
}

test('no flipped byte of a genuine response yields another pseudonym', async (t: ExecutionContext) => {
  const { bridge, keys } = await startBridge();
  const xml = Buffer.from(genuine(keys), 'utf8');
  for (let count = 0; count < 40; count += 1) {
    const changed = Buffer.from(xml);
    const place = Math.floor((count / 40) * xml.length);
    changed[place] = (changed[place] ?? 0) ^ 0x01;
    const answer = await bridge.read(changed.toString('base64'), REQUEST, QUESTION);
    // A flip in what no signature covers (the prefix of an unused attribute, say) may leave the truth; nothing else.
    if (answer.outcome === 'proven') t.is(answer.pseudonym, TRUE_NAME);
    else t.deepEqual(answer, { outcome: 'untrusted' });
  }
});

test('an assertion counts once, on whichever request it comes again', async (t) => {
  const { bridge, keys } = await startBridge();
  const xml = encode(genuine(keys));
  t.is((await bridge.read(xml, REQUEST, QUESTION)).outcome, 'proven');
  t.deepEqual(await bridge.read(xml, REQUEST, QUESTION), { outcome: 'untrusted' });
});

test('a response is not believed after its time', async (t) => {
  let now = Date.now();
  const { bridge, keys } = await startBridge(() => new Date(now));
  const xml = encode(genuine(keys));
  now += 6 * 60_000;
  t.deepEqual(await bridge.read(xml, REQUEST, QUESTION), { outcome: 'untrusted' });
});
