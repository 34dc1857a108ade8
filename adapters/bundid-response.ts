import { X509Certificate } from 'node:crypto';
import { SAML } from '@node-saml/node-saml';
import { SignedXml } from 'xml-crypto';
import { attributeNamed, type BundIdValues } from './bundid-attributes.ts';
import { type BundIdSettings, commonOptions, type StorkLevel } from './bundid-request.ts';
import { child, children, descendants, parseXml, textOf, XmlFault } from './xml.ts';
import { openSealed } from './xml-decryption.ts';

const PROTOCOL = 'urn:oasis:names:tc:SAML:2.0:protocol';
const ASSERTION = 'urn:oasis:names:tc:SAML:2.0:assertion';
const DS = 'http://www.w3.org/2000/09/xmldsig#';
const SUCCESS = 'urn:oasis:names:tc:SAML:2.0:status:Success';
const BEARER = 'urn:oasis:names:tc:SAML:2.0:cm:bearer';

/** SHA-1, HMAC and inclusive canonicalisation are left out; what may seal is in xml-decryption.ts. */
const ALGORITHMS: Readonly<Record<string, ReadonlySet<string>>> = {
  SignatureMethod: new Set([
    'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256',
    'http://www.w3.org/2001/04/xmldsig-more#rsa-sha512',
    'http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1',
  ]),
  CanonicalizationMethod: new Set(['http://www.w3.org/2001/10/xml-exc-c14n#']),
  Transform: new Set([
    'http://www.w3.org/2000/09/xmldsig#enveloped-signature',
    'http://www.w3.org/2001/10/xml-exc-c14n#',
  ]),
};
const SIGNED_DIGESTS = new Set(['http://www.w3.org/2001/04/xmlenc#sha256', 'http://www.w3.org/2001/04/xmlenc#sha512']);

const CLOCK_SKEW_MILLISECONDS = 30_000;
/** BundID's responses live for about five minutes. */
const MAX_AGE_MILLISECONDS = 10 * 60_000;

/** A response that must not be believed. The reason is for the log and names nobody. */
export class Unbelievable extends Error {
  override name = 'Unbelievable';
}

const demand = (condition: boolean, reason: string): void => {
  if (!condition) throw new Unbelievable(reason);
};

const the = (parent: Element, name: string, namespace: string): Element => {
  const found = children(parent, name, namespace);
  if (found.length !== 1 || found[0] === undefined) throw new Unbelievable(`${found.length} ${name}`);
  return found[0];
};

const checkAlgorithms = (root: Element): void => {
  for (const element of descendants(root)) {
    const algorithm = element.getAttribute('Algorithm') ?? '';
    if (element.localName === 'DigestMethod' && (element.parentNode as Element).localName === 'Reference')
      demand(SIGNED_DIGESTS.has(algorithm), 'digest algorithm');
    const allowed = ALGORITHMS[element.localName];
    if (allowed !== undefined) demand(allowed.has(algorithm), `algorithm of ${element.localName}`);
  }
};

export type Expected = { readonly requestId: string; readonly now: Date };

/** What holds for the response around the assertion, before anything else is done with it. */
const checkEnvelope = (response: Element, settings: BundIdSettings, { requestId, now }: Expected): void => {
  demand(response.localName === 'Response' && response.namespaceURI === PROTOCOL, 'not a response');
  demand(response.getAttribute('Version') === '2.0', 'version');
  // SAML Profiles §4.1.4.3; a response that nobody asked for has no InResponseTo at all.
  demand(response.getAttribute('InResponseTo') === requestId, 'InResponseTo of the response');
  demand(response.getAttribute('Destination') === settings.acsUrl.href, 'destination');
  const issuer = child(response, 'Issuer', ASSERTION);
  demand(issuer === undefined || textOf(issuer) === settings.idp.entityId, 'issuer of the response');
  demand(children(response, 'Signature', DS).length === 1, 'the response is not signed once');
  checkInstant(response, now);
  checkAlgorithms(response);
};

const time = (element: Element, attribute: string): number => {
  const text = element.getAttribute(attribute) ?? '';
  const value = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(value)) throw new Unbelievable(`no ${attribute}`);
  return value;
};

const checkInstant = (element: Element, now: Date): void => {
  const issued = time(element, 'IssueInstant');
  demand(issued <= now.getTime() + CLOCK_SKEW_MILLISECONDS, 'issued in the future');
  demand(issued >= now.getTime() - MAX_AGE_MILLISECONDS, 'issued too long ago');
};

/**
 * The response as BundID signed it: parsed from the very bytes that the signature covers. Nothing else of what came is
 * read from here on.
 */
const signedResponse = (xml: string, response: Element, certificates: readonly string[]): Element => {
  const [signature] = children(response, 'Signature', DS);
  const reference = signature && the(the(signature, 'SignedInfo', DS), 'Reference', DS);
  const id = response.getAttribute('ID') ?? '';
  demand(
    /^[A-Za-z_][\w.-]{0,200}$/.test(id) && reference?.getAttribute('URI') === `#${id}`,
    'signature of another part',
  );
  for (const certificate of certificates) {
    const publicCert = new X509Certificate(certificate).publicKey.export({ format: 'pem', type: 'spki' }).toString();
    // The certificate that the message itself brings is nobody's.
    const check = new SignedXml({ publicCert, getCertFromKeyInfo: () => null });
    try {
      check.loadSignature(signature as unknown as Node);
      if (check.checkSignature(xml)) return parseXml(check.getSignedReferences()[0] ?? '');
    } catch {
      // The other certificate may be the right one: two are in force while BundID changes its key.
    }
  }
  throw new Unbelievable('signature of the response');
};

/** The assertion of a signed response, as node-saml finds it signed once more by itself. */
const verifiedAssertion = async (response: Element, settings: BundIdSettings): Promise<string> => {
  const sealed = the(response, 'EncryptedAssertion', ASSERTION);
  const opened = openSealed(
    sealed,
    settings.encryption.map(({ key }) => key),
  );
  const assertion = opened.replace(/^\uFEFF?<\?xml\s[^<>]*\?>/, '');
  checkAlgorithms(parseXml(assertion));
  const saml = new SAML({
    ...commonOptions(settings),
    wantAuthnResponseSigned: false,
    wantAssertionsSigned: true,
    acceptedClockSkewMs: CLOCK_SKEW_MILLISECONDS,
  });
  const around = `<samlp:Response xmlns:samlp="${PROTOCOL}" Version="2.0">${assertion}</samlp:Response>`;
  const { profile } = await saml.validatePostResponseAsync({ SAMLResponse: Buffer.from(around).toString('base64') });
  return profile?.getAssertionXml?.() ?? '';
};

const checkSubject = (assertion: Element, settings: BundIdSettings, { requestId, now }: Expected): void => {
  const confirmation = the(the(assertion, 'Subject', ASSERTION), 'SubjectConfirmation', ASSERTION);
  demand(confirmation.getAttribute('Method') === BEARER, 'confirmation method');
  const data = the(confirmation, 'SubjectConfirmationData', ASSERTION);
  demand(data.getAttribute('Recipient') === settings.acsUrl.href, 'recipient');
  demand(data.getAttribute('InResponseTo') === requestId, 'InResponseTo of the subject');
  demand(!data.hasAttribute('NotBefore'), 'NotBefore of a bearer');
  demand(time(data, 'NotOnOrAfter') > now.getTime() - CLOCK_SKEW_MILLISECONDS, 'subject confirmation is over');
};

const checkConditions = (assertion: Element, settings: BundIdSettings, { now }: Expected): void => {
  const conditions = the(assertion, 'Conditions', ASSERTION);
  demand(time(conditions, 'NotOnOrAfter') > now.getTime() - CLOCK_SKEW_MILLISECONDS, 'conditions are over');
  if (conditions.hasAttribute('NotBefore'))
    demand(time(conditions, 'NotBefore') <= now.getTime() + CLOCK_SKEW_MILLISECONDS, 'conditions are to come');
  const audiences = children(the(conditions, 'AudienceRestriction', ASSERTION), 'Audience', ASSERTION).map(textOf);
  demand(audiences.length === 1 && audiences[0] === settings.entityId, 'audience');
};

const levelNamed = (text: string | undefined): StorkLevel | undefined => {
  const [, level] = /^(?:STORK-QAA-Level-)?([134])$/.exec(text ?? '') ?? [];
  return level === undefined ? undefined : (Number(level) as StorkLevel);
};

const readValues = (assertion: Element): BundIdValues => {
  const values: BundIdValues = {};
  for (const statement of children(assertion, 'AttributeStatement', ASSERTION)) {
    for (const attribute of children(statement, 'Attribute', ASSERTION)) {
      const name = attributeNamed(attribute.getAttribute('Name') ?? '');
      if (name === undefined) continue;
      const [value, ...more] = children(attribute, 'AttributeValue', ASSERTION);
      const text = textOf(value);
      // Two values for one thing: nothing says which of them is true.
      demand(more.length === 0 && !(name in values), `several values of ${name}`);
      if (text !== undefined) values[name] = text;
    }
  }
  return values;
};

export type Assertion = { readonly id: string; readonly level: StorkLevel; readonly values: BundIdValues };

/** The lower of the two places that tell the level, if both do. */
const levelOf = (assertion: Element, values: BundIdValues): StorkLevel => {
  const context = the(the(assertion, 'AuthnStatement', ASSERTION), 'AuthnContext', ASSERTION);
  const reached = levelNamed(textOf(the(context, 'AuthnContextClassRef', ASSERTION)));
  if (reached === undefined) throw new Unbelievable('unknown level');
  if (values.qaaLevel === undefined) return reached;
  const attribute = levelNamed(values.qaaLevel);
  if (attribute === undefined) throw new Unbelievable('unknown level in the attribute');
  return Math.min(attribute, reached) as StorkLevel;
};

const readAssertion = (xml: string, settings: BundIdSettings, expected: Expected): Assertion => {
  const assertion = parseXml(xml);
  demand(assertion.localName === 'Assertion' && assertion.namespaceURI === ASSERTION, 'not an assertion');
  demand(
    descendants(assertion).filter(({ localName }) => localName === 'Assertion').length === 1,
    'several assertions',
  );
  demand(textOf(the(assertion, 'Issuer', ASSERTION)) === settings.idp.entityId, 'issuer of the assertion');
  const id = assertion.getAttribute('ID') ?? '';
  demand(id !== '', 'no id');
  checkInstant(assertion, expected.now);
  checkSubject(assertion, settings, expected);
  checkConditions(assertion, settings, expected);
  const values = readValues(assertion);
  return { id, level: levelOf(assertion, values), values };
};

/** Why BundID sent nobody: BundID's own code where it gives one. */
export type BundIdRefusal = {
  readonly outcome: 'refused';
  readonly fault: 'cancelled' | 'level' | 'denied' | 'other';
  readonly code?: string;
};

/** The codes of `akdb:StatusDetail`; the JSON in it is only read for these. */
const detailCode = (status: Element): string | undefined => {
  const detail = descendants(status).find(({ localName }) => localName === 'StatusDetail');
  const [json] = detail === undefined ? [] : (/\{.*\}/s.exec(detail.textContent ?? '') ?? []);
  try {
    const { errors } = JSON.parse(json ?? '{}') as { errors?: { code?: unknown }[] };
    const code = errors?.[0]?.code;
    return typeof code === 'string' && /^[A-Z][A-Z0-9_]{0,79}$/.test(code) ? code : undefined;
  } catch {
    return undefined;
  }
};

const refusalOf = (response: Element): BundIdRefusal => {
  const status = the(response, 'Status', PROTOCOL);
  const outer = the(status, 'StatusCode', PROTOCOL);
  const inner = child(outer, 'StatusCode', PROTOCOL)?.getAttribute('Value') ?? '';
  const code = detailCode(status);
  const last = inner.split(':').at(-1);
  const fault =
    last === 'AuthnFailed'
      ? 'cancelled'
      : last === 'NoAuthnContext'
        ? 'level'
        : last === 'RequestDenied'
          ? 'denied'
          : 'other';
  return { outcome: 'refused', fault, ...(code !== undefined && { code }) };
};

/**
 * Reads a response to the request that `expected` names. The response is opened only when its own signature holds, and the
 * assertion in it counts only by a signature of its own, which node-saml verifies; what both leave open (recipient,
 * destination, issuer, number of things, algorithms, comments) is checked here. Throws `Unbelievable`.
 */
export const readResponse = async (
  samlResponse: string,
  settings: BundIdSettings,
  expected: Expected,
): Promise<({ outcome: 'asserted' } & Assertion) | BundIdRefusal> => {
  try {
    demand(/^[A-Za-z0-9+/\s]+={0,2}\s*$/.test(samlResponse), 'not base64');
    const xml = Buffer.from(samlResponse, 'base64').toString('utf8');
    const received = parseXml(xml);
    checkEnvelope(received, settings, expected);
    const response = signedResponse(xml, received, settings.idp.certificates);
    const status = the(the(response, 'Status', PROTOCOL), 'StatusCode', PROTOCOL).getAttribute('Value');
    const plain = descendants(response).some(({ localName }) => localName === 'Assertion');
    demand(!plain, 'an assertion that is not encrypted');
    if (status !== SUCCESS) {
      demand(children(response, 'EncryptedAssertion').length === 0, 'assertion without success');
      return refusalOf(response);
    }
    return { outcome: 'asserted', ...readAssertion(await verifiedAssertion(response, settings), settings, expected) };
  } catch (error) {
    if (error instanceof Unbelievable) throw error;
    throw new Unbelievable(error instanceof XmlFault ? error.message : `not readable: ${(error as Error).message}`);
  }
};
