import { createHash, randomUUID, X509Certificate } from 'node:crypto';
import { SignedXml } from 'xml-crypto';
import { child, children, descendants, escapeXml, parseXml, textOf, XmlFault } from './xml.ts';

/**
 * WS-Security 1.0 with X.509 tokens, as TR-03130 §3.5 asks for: body and time stamp are signed, the certificate is named
 * by issuer and serial number and never sent along. Certificates are those of the settings, whatever a message names.
 */
export const SOAP = 'http://schemas.xmlsoap.org/soap/envelope/';
const WSSE = 'http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd';
const WSU = 'http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd';
const DS = 'http://www.w3.org/2000/09/xmldsig#';
const EXCLUSIVE_C14N = 'http://www.w3.org/2001/10/xml-exc-c14n#';
const RSA_SHA256 = 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256';
const SHA256 = 'http://www.w3.org/2001/04/xmlenc#sha256';
const SIGNATURES = new Set([
  RSA_SHA256,
  'http://www.w3.org/2001/04/xmldsig-more#rsa-sha512',
  'http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1',
]);
const DIGESTS = new Set([SHA256, 'http://www.w3.org/2001/04/xmlenc#sha512']);

const REQUEST_SECONDS = 60;
const CLOCK_SKEW_SECONDS = 30;
/** A message that calls itself valid for longer than this is not believed: its replay would have to be remembered. */
const MAX_SECONDS = 600;

/** A message that must not be believed. The reason is for the log. */
export class Untrusted extends Error {
  override name = 'Untrusted';
}

export type SigningKey = { readonly key: string; readonly certificate: string };

/** RFC 4514: most specific part first; `node:crypto` gives one part a line, most general first. */
const distinguishedName = (issuer: string): string =>
  issuer
    .split('\n')
    .reverse()
    .map((part) => part.replace(/[\\,+"<>;]/g, '\\$&'))
    .join(',');

const keyInfo = (certificate: string): string => {
  const { issuer, serialNumber } = new X509Certificate(certificate);
  return (
    `<wsse:SecurityTokenReference xmlns:wsse="${WSSE}"><ds:X509Data><ds:X509IssuerSerial>` +
    `<ds:X509IssuerName>${escapeXml(distinguishedName(issuer))}</ds:X509IssuerName>` +
    `<ds:X509SerialNumber>${BigInt(`0x${serialNumber}`)}</ds:X509SerialNumber>` +
    `</ds:X509IssuerSerial></ds:X509Data></wsse:SecurityTokenReference>`
  );
};

/** An envelope around the XML of a body, signed. */
export const sealEnvelope = (body: string, signing: SigningKey, now: Date): string => {
  const created = now.toISOString();
  const expires = new Date(now.getTime() + REQUEST_SECONDS * 1000).toISOString();
  const xml =
    `<soapenv:Envelope xmlns:soapenv="${SOAP}"><soapenv:Header>` +
    `<wsse:Security xmlns:wsse="${WSSE}" soapenv:mustUnderstand="1"><wsu:Timestamp xmlns:wsu="${WSU}" wsu:Id="T-${randomUUID()}">` +
    `<wsu:Created>${created}</wsu:Created><wsu:Expires>${expires}</wsu:Expires></wsu:Timestamp></wsse:Security>` +
    `</soapenv:Header><soapenv:Body xmlns:wsu="${WSU}" wsu:Id="B-${randomUUID()}">${body}</soapenv:Body></soapenv:Envelope>`;
  const signature = new SignedXml({
    idMode: 'wssecurity',
    privateKey: signing.key,
    signatureAlgorithm: RSA_SHA256,
    canonicalizationAlgorithm: EXCLUSIVE_C14N,
    getKeyInfoContent: () => keyInfo(signing.certificate),
  });
  for (const xpath of [
    '/*/*[local-name()="Header"]/*[local-name()="Security"]/*[local-name()="Timestamp"]',
    '/*/*[local-name()="Body"]',
  ]) {
    signature.addReference({ xpath, transforms: [EXCLUSIVE_C14N], digestAlgorithm: SHA256 });
  }
  signature.computeSignature(xml, {
    prefix: 'ds',
    location: { reference: '/*/*[local-name()="Header"]/*[local-name()="Security"]', action: 'append' },
  });
  return signature.getSignedXml();
};

/** What a genuine message said: its body, and the name under which its replay is remembered for `ttlSeconds`. */
export type Opened = { readonly body: Element; readonly mark: string; readonly ttlSeconds: number };

const within = (element: Element, name: string): Element => {
  const found = child(element, name);
  if (found === undefined) throw new Untrusted(`no ${name}`);
  return found;
};

/** Every algorithm is one of ours; checked before any of them is applied. */
const checkAlgorithms = (signature: Element): void => {
  const info = within(signature, 'SignedInfo');
  const algorithmOf = (element: Element): string => element.getAttribute('Algorithm') ?? '';
  if (algorithmOf(within(info, 'CanonicalizationMethod')) !== EXCLUSIVE_C14N) throw new Untrusted('canonicalisation');
  if (!SIGNATURES.has(algorithmOf(within(info, 'SignatureMethod')))) throw new Untrusted('signature algorithm');
  for (const reference of children(info, 'Reference', DS)) {
    const transforms = children(within(reference, 'Transforms'), 'Transform', DS).map(algorithmOf);
    if (transforms.length !== 1 || transforms[0] !== EXCLUSIVE_C14N) throw new Untrusted('transforms');
    if (!DIGESTS.has(algorithmOf(within(reference, 'DigestMethod')))) throw new Untrusted('digest algorithm');
    if (!/^#[\w.-]{1,200}$/.test(reference.getAttribute('URI') ?? '')) throw new Untrusted('reference');
  }
};

/** The bytes that one of the certificates signed, each part as XML of its own; nothing else of the message is read. */
const signedParts = (xml: string, signature: Element, certificates: readonly string[]): string[] => {
  for (const certificate of certificates) {
    const publicKey = new X509Certificate(certificate).publicKey.export({ format: 'pem', type: 'spki' }).toString();
    // The certificate that the message itself names is nobody's.
    const check = new SignedXml({ idMode: 'wssecurity', publicCert: publicKey, getCertFromKeyInfo: () => null });
    try {
      check.loadSignature(signature as unknown as Node);
      if (check.checkSignature(xml)) return check.getSignedReferences();
    } catch {
      // Another certificate may be the right one: two are in force while the server changes its key.
    }
  }
  throw new Untrusted('signature');
};

const instant = (element: Element | undefined): number => {
  const text = textOf(element) ?? '';
  const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(time)) throw new Untrusted('time stamp');
  return time;
};

const checkTime = (timestamp: Element, askedAt: Date, now: Date): number => {
  const created = instant(child(timestamp, 'Created', WSU));
  const expires = instant(child(timestamp, 'Expires', WSU));
  const skew = CLOCK_SKEW_SECONDS * 1000;
  // Made before it was asked for: the answer to something else.
  if (created < askedAt.getTime() - skew || created > now.getTime() + skew)
    throw new Untrusted('created at another time');
  if (expires <= now.getTime() - skew || expires <= created) throw new Untrusted('expired');
  if (expires - created > MAX_SECONDS * 1000) throw new Untrusted('valid too long');
  return Math.ceil((expires + skew - now.getTime()) / 1000) + 1;
};

/**
 * Opens an answer to what was asked at `askedAt`. Throws `Untrusted` unless exactly one body and one time stamp are
 * signed by one of the certificates, by allowed algorithms, and timely. The caller remembers the mark.
 */
export const openEnvelope = (xml: string, certificates: readonly string[], askedAt: Date, now: Date): Opened => {
  try {
    const root = parseXml(xml);
    if (root.localName !== 'Envelope' || root.namespaceURI !== SOAP) throw new Untrusted('not an envelope');
    const signatures = descendants(root).filter((one) => one.localName === 'Signature' && one.namespaceURI === DS);
    const [signature] = signatures;
    if (signature === undefined || signatures.length > 1)
      throw new Untrusted(signature ? 'several signatures' : 'not signed');
    const security = child(within(root, 'Header'), 'Security', WSSE);
    if (security === undefined || signature.parentNode !== security) throw new Untrusted('signature in another place');
    checkAlgorithms(signature);
    const bytes = signedParts(xml, signature, certificates);
    const parts = bytes.map((part) => parseXml(part));
    const [body, ...moreBodies] = parts.filter((part) => part.localName === 'Body' && part.namespaceURI === SOAP);
    const [timestamp, ...moreTimes] = parts.filter(
      (part) => part.localName === 'Timestamp' && part.namespaceURI === WSU,
    );
    if (body === undefined || moreBodies.length > 0) throw new Untrusted('not exactly one signed body');
    if (timestamp === undefined || moreTimes.length > 0) throw new Untrusted('not exactly one signed time stamp');
    const ttlSeconds = checkTime(timestamp, askedAt, now);
    // By what was signed, not by the signature's base64, of which the same bytes have several forms.
    return { body, mark: createHash('sha256').update(bytes.join('\n')).digest('base64url'), ttlSeconds };
  } catch (error) {
    if (error instanceof XmlFault) throw new Untrusted(error.message);
    throw error;
  }
};
