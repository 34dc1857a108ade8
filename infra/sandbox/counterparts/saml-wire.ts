/** SAML responses as BundID sends them: assertion signed, encrypted, response signed around it. */
import { constants, createCipheriv, createHash, publicEncrypt, randomBytes, X509Certificate } from 'node:crypto';
import { SignedXml } from 'xml-crypto';
import type { Pair } from './certificates.ts';

const PSS = 'http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1';
const C14N = 'http://www.w3.org/2001/10/xml-exc-c14n#';
const ENVELOPED = 'http://www.w3.org/2000/09/xmldsig#enveloped-signature';
const STATUS = 'urn:oasis:names:tc:SAML:2.0:status:';
const NAMESPACES = 'xmlns:saml2="urn:oasis:names:tc:SAML:2.0:assertion"';

export type Statement = {
  readonly issuer: string;
  readonly recipient: string;
  readonly audience: string;
  readonly inResponseTo: string;
  readonly level: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly now?: Date;
};

const at = (now: Date, minutes: number): string => new Date(now.getTime() + minutes * 60_000).toISOString();
const newId = (): string => `_${randomBytes(16).toString('hex')}`;
const xmlText = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');

export const assertionXml = (statement: Statement): string => {
  const now = statement.now ?? new Date();
  const attributes = Object.entries(statement.attributes).map(
    ([name, value]) =>
      `<saml2:Attribute FriendlyName="wrong-on-purpose" Name="${name}" NameFormat="urn:oasis:names:tc:SAML:2.0:attrname-format:uri"><saml2:AttributeValue xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="xsd:string" xmlns:xsd="http://www.w3.org/2001/XMLSchema">${xmlText(value)}</saml2:AttributeValue></saml2:Attribute>`,
  );
  return (
    `<saml2:Assertion ${NAMESPACES} ID="${newId()}" IssueInstant="${at(now, 0)}" Version="2.0"><saml2:Issuer>${statement.issuer}</saml2:Issuer>` +
    `<saml2:Subject><saml2:NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:transient">AAdzZWNyZXQx${newId()}</saml2:NameID>` +
    `<saml2:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><saml2:SubjectConfirmationData InResponseTo="${statement.inResponseTo}" NotOnOrAfter="${at(now, 5)}" Recipient="${statement.recipient}"/></saml2:SubjectConfirmation></saml2:Subject>` +
    `<saml2:Conditions NotBefore="${at(now, 0)}" NotOnOrAfter="${at(now, 5)}"><saml2:AudienceRestriction><saml2:Audience>${statement.audience}</saml2:Audience></saml2:AudienceRestriction></saml2:Conditions>` +
    `<saml2:AuthnStatement AuthnInstant="${at(now, 0)}" SessionIndex="${newId()}"><saml2:AuthnContext><saml2:AuthnContextClassRef>${statement.level}</saml2:AuthnContextClassRef></saml2:AuthnContext></saml2:AuthnStatement>` +
    `<saml2:AttributeStatement>${attributes.join('')}</saml2:AttributeStatement></saml2:Assertion>`
  );
};

export type SignOptions = { readonly algorithm?: string; readonly digest?: string };

/** Signs the root element, the signature right after its issuer. */
export const signRoot = (xml: string, signing: Pair, options: SignOptions = {}): string => {
  const signer = new SignedXml({
    privateKey: signing.key,
    publicCert: signing.certificate,
    idAttribute: 'ID',
    signatureAlgorithm: options.algorithm ?? PSS,
    canonicalizationAlgorithm: C14N,
  });
  signer.addReference({
    xpath: '/*',
    transforms: [ENVELOPED, C14N],
    digestAlgorithm: options.digest ?? 'http://www.w3.org/2001/04/xmlenc#sha256',
  });
  signer.computeSignature(xml, {
    prefix: 'ds',
    location: { reference: '/*/*[local-name()="Issuer"]', action: 'after' },
  });
  return signer.getSignedXml();
};

/** How an assertion is sealed: what BundID does today, and what its successors and others do. */
export type SealOptions = {
  readonly cipher?: 'aes128-gcm' | 'aes192-gcm' | 'aes256-gcm';
  readonly transport?: 'rsa-oaep-mgf1p' | 'rsa-oaep';
  readonly digest?: 'sha1' | 'sha256' | 'sha512';
  /** For `rsa-oaep` only; `rsa-oaep-mgf1p` masks with SHA-1. */
  readonly mask?: 'sha1' | 'sha256' | 'sha512';
  readonly label?: string;
  /** Where the key stands: in the `KeyInfo` of what it opens, or beside it. */
  readonly place?: 'inside' | 'beside';
};

const mgf1 = (seed: Buffer, length: number, hash: string): Buffer => {
  const blocks: Buffer[] = [];
  for (let counter = 0; blocks.reduce((sum, block) => sum + block.length, 0) < length; counter += 1) {
    blocks.push(
      createHash(hash)
        .update(seed)
        .update(Buffer.from([0, 0, 0, counter]))
        .digest(),
    );
  }
  return Buffer.concat(blocks).subarray(0, length);
};

const xor = (one: Buffer, other: Buffer): Buffer => Buffer.from(one.map((byte, at) => byte ^ (other[at] ?? 0)));

/** RSAES-OAEP (RFC 8017 §7.1.1) with hashes of the sender's choice. */
const wrapKey = (
  key: Buffer,
  certificate: string,
  { digest = 'sha1', mask = 'sha1', label = '' }: SealOptions,
): Buffer => {
  const { publicKey } = new X509Certificate(certificate);
  const size = (publicKey.asymmetricKeyDetails?.modulusLength ?? 0) / 8;
  const labelHash = createHash(digest).update(label).digest();
  const padding = Buffer.alloc(size - key.length - 2 * labelHash.length - 2);
  const data = Buffer.concat([labelHash, padding, Buffer.from([1]), key]);
  const seed = randomBytes(labelHash.length);
  const maskedData = xor(data, mgf1(seed, data.length, mask));
  const maskedSeed = xor(seed, mgf1(maskedData, seed.length, mask));
  return publicEncrypt(
    { key: publicKey, padding: constants.RSA_NO_PADDING },
    Buffer.concat([Buffer.alloc(1), maskedSeed, maskedData]),
  );
};

const DIGEST_URIS = {
  sha1: 'http://www.w3.org/2000/09/xmldsig#sha1',
  sha256: 'http://www.w3.org/2001/04/xmlenc#sha256',
  sha512: 'http://www.w3.org/2001/04/xmlenc#sha512',
} as const;

const transportXml = ({ transport = 'rsa-oaep-mgf1p', digest, mask, label }: SealOptions): string => {
  const method =
    transport === 'rsa-oaep'
      ? 'http://www.w3.org/2009/xmlenc11#rsa-oaep'
      : `http://www.w3.org/2001/04/xmlenc#${transport}`;
  return (
    `<xenc:EncryptionMethod Algorithm="${method}">` +
    (label === undefined ? '' : `<xenc:OAEPparams>${Buffer.from(label).toString('base64')}</xenc:OAEPparams>`) +
    (digest === undefined
      ? ''
      : `<ds:DigestMethod xmlns:ds="http://www.w3.org/2000/09/xmldsig#" Algorithm="${DIGEST_URIS[digest]}"/>`) +
    (mask === undefined
      ? ''
      : `<xenc11:MGF xmlns:xenc11="http://www.w3.org/2009/xmlenc11#" Algorithm="http://www.w3.org/2009/xmlenc11#mgf1${mask}"/>`) +
    '</xenc:EncryptionMethod>'
  );
};

/** AES-GCM under a fresh key, the key under RSA-OAEP (XML Encryption 1.1 §5.2.4, §5.5.2). */
export const encrypted = (assertion: string, recipientCertificate: string, options: SealOptions = {}): string => {
  const { cipher: method = 'aes256-gcm', place = 'inside' } = options;
  const bits = Number(/\d+/.exec(method)?.[0]) as 128 | 192 | 256;
  const key = randomBytes(bits / 8);
  const iv = randomBytes(12);
  const cipher = createCipheriv(`aes-${bits}-gcm`, key, iv);
  const content = Buffer.concat([iv, cipher.update(assertion, 'utf8'), cipher.final(), cipher.getAuthTag()]);
  const wrapped = wrapKey(key, recipientCertificate, options).toString('base64');
  const keyId = newId();
  const keyXml =
    `<xenc:EncryptedKey xmlns:xenc="http://www.w3.org/2001/04/xmlenc#" Id="${keyId}">${transportXml(options)}` +
    `<xenc:CipherData><xenc:CipherValue>${wrapped}</xenc:CipherValue></xenc:CipherData></xenc:EncryptedKey>`;
  const inside =
    place === 'inside'
      ? keyXml
      : `<ds:RetrievalMethod Type="http://www.w3.org/2001/04/xmlenc#EncryptedKey" URI="#${keyId}"/>`;
  return (
    `<saml2:EncryptedAssertion ${NAMESPACES}><xenc:EncryptedData xmlns:xenc="http://www.w3.org/2001/04/xmlenc#" Id="${newId()}" Type="http://www.w3.org/2001/04/xmlenc#Element">` +
    `<xenc:EncryptionMethod Algorithm="http://www.w3.org/2009/xmlenc11#${method}"/><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#">${inside}</ds:KeyInfo>` +
    `<xenc:CipherData><xenc:CipherValue>${content.toString('base64')}</xenc:CipherValue></xenc:CipherData></xenc:EncryptedData>` +
    `${place === 'beside' ? keyXml : ''}</saml2:EncryptedAssertion>`
  );
};

/** The response around something; not signed yet. */
export const responseXml = (
  about: Pick<Statement, 'issuer' | 'recipient' | 'inResponseTo' | 'now'>,
  content: string,
  status = `<saml2p:StatusCode Value="${STATUS}Success"/>`,
): string =>
  `<?xml version="1.0" encoding="UTF-8"?><saml2p:Response xmlns:saml2p="urn:oasis:names:tc:SAML:2.0:protocol" Destination="${about.recipient}" ID="${newId()}" InResponseTo="${about.inResponseTo}" IssueInstant="${at(about.now ?? new Date(), 0)}" Version="2.0">` +
  `<saml2:Issuer ${NAMESPACES}>${about.issuer}</saml2:Issuer><saml2p:Status>${status}</saml2p:Status>${content}</saml2p:Response>`;

/** The documented refusals: what stands in the status. */
export const refusal = (second: 'AuthnFailed' | 'NoAuthnContext' | 'RequestDenied', code?: string): string =>
  `<saml2p:StatusCode Value="${STATUS}Requester"><saml2p:StatusCode Value="${STATUS}${second}"/></saml2p:StatusCode>` +
  (code === undefined
    ? ''
    : `<saml2p:StatusDetail><akdb:StatusDetail xmlns:akdb="https://www.akdb.de/request/2018/09">${xmlText(JSON.stringify({ version: '1.0', errors: [{ code, message: 'documented' }] }))}</akdb:StatusDetail></saml2p:StatusDetail>`);

/** A whole, genuine response. */
export const genuineResponse = (
  statement: Statement,
  signing: Pair,
  recipientCertificate: string,
  seal: SealOptions = {},
): string =>
  signRoot(
    responseXml(statement, encrypted(signRoot(assertionXml(statement), signing), recipientCertificate, seal)),
    signing,
  );
