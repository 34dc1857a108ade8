import { constants, createCipheriv, publicEncrypt, randomBytes, X509Certificate } from 'node:crypto';
import { DOMParser } from '@xmldom/xmldom';
import test from 'ava';
import { SignedXml } from 'xml-crypto';
import { bundIdMetadata } from '../adapters/bundid-request.ts';
import { openSealed } from '../adapters/xml-decryption.ts';
import { encrypted, genuineResponse, refusal, responseXml, signRoot } from '../infra/sandbox/counterparts/saml-wire.ts';
import {
  ACS,
  BPK2,
  bundIdSettings,
  ENTITY_ID,
  encode,
  IDP,
  QAA,
  QUESTION,
  startBridge,
  statement,
} from './harness/bundid.ts';

const parse = (xml: string) => new DOMParser().parseFromString(xml, 'text/xml');

test('the request is what BundID asks for, signed with SHA-256', async (t) => {
  const { bridge, keys } = await startBridge();
  const { action, samlRequest, requestId } = await bridge.request({ level: 3, pseudonym: true, read: ['names'] }, 'de');
  t.is(action, `${IDP}/profile/SAML2/POST/SSO`);
  const xml = Buffer.from(samlRequest, 'base64').toString('utf8');
  const signature = parse(xml).getElementsByTagNameNS('http://www.w3.org/2000/09/xmldsig#', 'Signature').item(0);
  const check = new SignedXml({ publicCert: keys.signing.certificate });
  check.loadSignature(signature as unknown as Node);
  t.true(check.checkSignature(xml));
  t.is(check.signatureAlgorithm, 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256');
  const signed = parse(check.getSignedReferences()[0] ?? '').documentElement;
  t.is(signed.getAttribute('ID'), requestId);
  t.is(signed.getAttribute('ForceAuthn'), 'true');
  t.is(signed.getAttribute('AssertionConsumerServiceURL'), ACS);
  t.is(signed.getElementsByTagName('saml:Issuer').item(0)?.textContent, ENTITY_ID);
  const names = Array.from(
    signed.getElementsByTagName('akdb:RequestedAttribute'),
    (one) => `${one.getAttribute('Name')} ${one.getAttribute('RequiredAttribute')}`,
  );
  t.deepEqual(names, [`${BPK2} true`, `${QAA} false`, 'urn:oid:2.5.4.42 false', 'urn:oid:2.5.4.4 false']);
  t.is(signed.getElementsByTagName('classic-ui:OnlineServiceId').item(0)?.textContent, 'BMI-X0000');
  t.is(signed.getElementsByTagName('classic-ui:OrganizationDisplayName').item(0)?.textContent, 'Stadt Gütersloh');
  const context = signed.getElementsByTagName('samlp:RequestedAuthnContext').item(0);
  t.is(context?.getAttribute('Comparison'), 'minimum');
  t.is(context?.textContent, 'STORK-QAA-Level-3');
  // Level 3 is out of reach of a password.
  t.is(signed.getElementsByTagName('akdb:Benutzername').length, 0);
  t.is(signed.getElementsByTagName('akdb:Elster').length, 1);
});

test('the metadata has neither ID nor validUntil, every certificate, and what may seal', async (t) => {
  const { bridge, keys } = await startBridge();
  const xml = bridge.metadata();
  const root = parse(xml).documentElement;
  t.false(root.hasAttribute('ID'));
  t.false(root.hasAttribute('validUntil'));
  t.is(root.getAttribute('entityID'), ENTITY_ID);
  t.notRegex(xml, /-cbc|rsa-1_5/);
  const published = (use: string) =>
    Array.from(root.getElementsByTagName('KeyDescriptor'))
      .filter((one) => one.getAttribute('use') === use)
      .map((one) => one.getElementsByTagName('ds:X509Certificate').item(0)?.textContent ?? '')
      .map((text) => new X509Certificate(Buffer.from(text, 'base64')).fingerprint256);
  const printOf = ({ certificate }: { certificate: string }) => new X509Certificate(certificate).fingerprint256;
  t.deepEqual(published('signing'), [printOf(keys.signing)]);
  t.deepEqual(published('encryption'), [printOf(keys.encryption)]);
  t.deepEqual(
    Array.from(root.getElementsByTagName('EncryptionMethod'), (one) =>
      one.getAttribute('Algorithm')?.replace(/.*#/, ''),
    ),
    ['aes256-gcm', 'aes128-gcm', 'rsa-oaep', 'rsa-oaep-mgf1p'],
  );
  // The next key for signatures is made known before it is used.
  const settings = bundIdSettings(keys);
  const overlapping = parse(
    bundIdMetadata({ ...settings, signing: { ...settings.signing, next: keys.stranger.certificate } }),
  ).documentElement;
  t.is(overlapping.getElementsByTagName('KeyDescriptor').length, 3);
});

test('the metadata is signed, without needing an ID', async (t) => {
  const { bridge, keys } = await startBridge();
  const xml = bridge.metadata();
  const check = (text: string): boolean => {
    const signature = parse(text).documentElement.firstChild as Element;
    const verifier = new SignedXml({ publicCert: keys.signing.certificate, getCertFromKeyInfo: () => null });
    verifier.loadSignature(signature as unknown as Node);
    return verifier.checkSignature(text);
  };
  t.true(check(xml));
  t.throws(() => {
    if (!check(xml.replace(ACS, 'https://other.example/acs'))) throw new Error('changed');
  });
});

for (const [name, seal] of Object.entries({
  'rsa-oaep-mgf1p with the digest left out': {},
  'rsa-oaep-mgf1p with SHA-1': { digest: 'sha1' },
  'rsa-oaep-mgf1p with SHA-256': { digest: 'sha256' },
  'rsa-oaep-mgf1p with SHA-512': { digest: 'sha512' },
  'rsa-oaep of XML Encryption 1.1, nothing said': { transport: 'rsa-oaep' },
  'rsa-oaep with SHA-256 in both places': { transport: 'rsa-oaep', digest: 'sha256', mask: 'sha256' },
  'rsa-oaep with two different hashes': { transport: 'rsa-oaep', digest: 'sha512', mask: 'sha256' },
  'rsa-oaep with a label': { transport: 'rsa-oaep', digest: 'sha256', mask: 'sha1', label: 'stadt' },
  'the key beside what it opens': { place: 'beside', digest: 'sha256' },
  'AES-128-GCM': { cipher: 'aes128-gcm' },
  'AES-192-GCM': { cipher: 'aes192-gcm' },
} as const)) {
  test(`sealed with ${name}`, async (t) => {
    const { bridge, keys, reasons } = await startBridge();
    const xml = genuineResponse(statement('_r'), keys.idp, keys.oldEncryption.certificate, seal);
    t.like(await bridge.read(encode(xml), '_r', QUESTION), { outcome: 'proven', pseudonym: 'bpk-of-erika' });
    t.deepEqual(reasons, []);
  });
}

test('what OpenSSL seals with RSA-OAEP is opened as well', async (t) => {
  const { keys } = await startBridge();
  const key = randomBytes(32);
  const iv = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', key, iv);
  const content = Buffer.concat([iv, cipher.update('<a>ä</a>'), cipher.final(), cipher.getAuthTag()]);
  for (const hash of ['sha1', 'sha256'] as const) {
    const padding = { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: hash };
    const wrapped = publicEncrypt({ key: new X509Certificate(keys.encryption.certificate).publicKey, ...padding }, key);
    const sealed = parse(
      encrypted('<x/>', keys.encryption.certificate, { transport: 'rsa-oaep', digest: hash, mask: hash }),
    ).documentElement;
    const [first, second] = Array.from(sealed.getElementsByTagName('xenc:CipherValue'));
    if (first?.firstChild == null || second?.firstChild == null) return t.fail();
    first.firstChild.nodeValue = wrapped.toString('base64');
    second.firstChild.nodeValue = content.toString('base64');
    t.is(openSealed(sealed, [keys.oldEncryption.key, keys.encryption.key]), '<a>ä</a>');
    t.throws(() => openSealed(sealed, [keys.stranger.key]), { message: /somebody else/ });
  }
});

test('a signed, encrypted response is read: level, pseudonym, attributes by their names', async (t) => {
  const { bridge, keys, reasons } = await startBridge();
  const attributes = {
    [BPK2]: 'bpk-of-erika',
    [QAA]: 'STORK-QAA-Level-4',
    'urn:oid: 2.5.4.42': 'ERIKA',
    'urn:oid:2.5.4.4': 'Mustermann',
    'urn:oid:1.2.40.0.10.2.1.1.55': '1964-08-12',
    'urn:oid:2.5.4.16': 'Berliner Straße 70',
    'urn:oid:2.5.4.17': '33330',
    'urn:oid:2.5.4.7': 'Gütersloh',
    'urn:oid:0.9.2342.19200300.100.1.3': 'erika@example.org',
  };
  const xml = genuineResponse(statement('_r1', { attributes }), keys.idp, keys.encryption.certificate);
  const answer = await bridge.read(encode(xml), '_r1', QUESTION);
  t.deepEqual(reasons, []);
  t.deepEqual(answer, {
    outcome: 'proven',
    pseudonym: 'bpk-of-erika',
    level: 'high',
    attributes: {
      given_name: 'Erika',
      family_name: 'Mustermann',
      birthdate: '1964-08-12',
      address: { street_address: 'Berliner Straße 70', postal_code: '33330', locality: 'Gütersloh' },
    },
  });
});

test('levels 1, 3 and 4 are none, substantial and high, and never more than either place says', async (t) => {
  const { bridge, keys } = await startBridge();
  const levelOf = async (context: string, attribute: string | undefined) => {
    const attributes = { [BPK2]: 'b', ...(attribute !== undefined && { [QAA]: attribute }) };
    const xml = genuineResponse(statement('_r', { level: context, attributes }), keys.idp, keys.encryption.certificate);
    const answer = await bridge.read(encode(xml), '_r', { ...QUESTION, level: 1 });
    return answer.outcome === 'proven' ? answer.level : answer.outcome;
  };
  t.is(await levelOf('STORK-QAA-Level-1', 'STORK-QAA-Level-1'), 'none');
  t.is(await levelOf('STORK-QAA-Level-3', undefined), 'substantial');
  t.is(await levelOf('STORK-QAA-Level-4', '4'), 'high');
  t.is(await levelOf('STORK-QAA-Level-4', 'STORK-QAA-Level-1'), 'none');
  t.is(await levelOf('STORK-QAA-Level-1', 'STORK-QAA-Level-4'), 'none');
  t.is(await levelOf('STORK-QAA-Level-2', undefined), 'untrusted');
  t.is(await levelOf('http://eidas.europa.eu/LoA/high', undefined), 'untrusted');
});

test('a lower level than asked for is a refusal, even from BundID', async (t) => {
  const { bridge, keys } = await startBridge();
  const low = statement('_r', { level: 'STORK-QAA-Level-1', attributes: { [BPK2]: 'b' } });
  const xml = genuineResponse(low, keys.idp, keys.encryption.certificate);
  t.deepEqual(await bridge.read(encode(xml), '_r', QUESTION), { outcome: 'refused', fault: 'level' });
});

test('a temporary login has no pseudonym', async (t) => {
  const { bridge, keys } = await startBridge();
  const xml = genuineResponse(
    statement('_r', { attributes: { 'urn:oid:2.5.4.42': 'Erika' } }),
    keys.idp,
    keys.encryption.certificate,
  );
  const answer = await bridge.read(encode(xml), '_r', { ...QUESTION, pseudonym: false });
  t.deepEqual(answer, { outcome: 'proven', level: 'high', attributes: { given_name: 'Erika' } });
});

test('both certificates of BundID and both of our keys are good while they change', async (t) => {
  const { bridge, keys } = await startBridge();
  for (const [idp, encryption] of [
    [keys.nextIdp, keys.encryption],
    [keys.idp, keys.oldEncryption],
    [keys.nextIdp, keys.oldEncryption],
  ] as const) {
    const xml = genuineResponse(statement('_r'), idp, encryption.certificate);
    t.is((await bridge.read(encode(xml), '_r', QUESTION)).outcome, 'proven');
  }
});

test('the documented refusals are told apart, with BundID’s code', async (t) => {
  const { bridge, keys } = await startBridge();
  const say = (status: string) => {
    const xml = signRoot(responseXml(statement('_r'), '', status), keys.idp);
    return bridge.read(encode(xml), '_r', QUESTION);
  };
  t.deepEqual(await say(refusal('AuthnFailed')), { outcome: 'refused', fault: 'cancelled' });
  t.deepEqual(await say(refusal('NoAuthnContext')), { outcome: 'refused', fault: 'level' });
  t.deepEqual(await say(refusal('RequestDenied', 'IDP_REQUIRED_ATTRIBUTES_MISSING')), {
    outcome: 'refused',
    fault: 'denied',
    code: 'IDP_REQUIRED_ATTRIBUTES_MISSING',
  });
  const unsigned = responseXml(statement('_r'), '', refusal('AuthnFailed'));
  t.deepEqual(await bridge.read(encode(unsigned), '_r', QUESTION), { outcome: 'untrusted' });
});
