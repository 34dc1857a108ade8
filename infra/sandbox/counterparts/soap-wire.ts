/** SOAP with WS-Security as the eID-Server of the sandbox speaks it. Shares nothing with the provider's side. */
import { randomUUID, X509Certificate } from 'node:crypto';
import { DOMParser } from '@xmldom/xmldom';
import { SignedXml } from 'xml-crypto';
import type { Pair } from './certificates.ts';

const ENVELOPE = 'http://schemas.xmlsoap.org/soap/envelope/';
const SECEXT = 'http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd';
const UTILITY = 'http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd';
const C14N = 'http://www.w3.org/2001/10/xml-exc-c14n#';
export const RESULT = 'http://www.bsi.bund.de/ecard/api/1.1/resultmajor#';
export const MINOR = 'http://www.bsi.bund.de/eid/server/2.0/resultminor';
export const NAMESPACE = 'http://bsi.bund.de/eID/';

const minutes = (count: number, from = Date.now()): string => new Date(from + count * 60_000).toISOString();

/** How an answer may differ from the usual one. */
export type WireOptions = {
  readonly algorithm?: string;
  readonly created?: string;
  readonly expires?: string;
  /** Which parts are signed. */
  readonly parts?: readonly ('Body' | 'Timestamp')[];
};

/** An answer as most eID-Servers send it: prefixes of their own, time stamp first, signature after it. */
export const signedAnswer = (body: string, signing: Pair, options: WireOptions = {}): string => {
  const { algorithm = 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256', parts = ['Timestamp', 'Body'] } = options;
  const xml =
    `<?xml version="1.0" encoding="UTF-8"?><S:Envelope xmlns:S="${ENVELOPE}" xmlns:wsse="${SECEXT}" xmlns:wsu="${UTILITY}">` +
    `<S:Header><wsse:Security S:mustUnderstand="1"><wsu:Timestamp wsu:Id="TS-${randomUUID()}">` +
    `<wsu:Created>${options.created ?? minutes(0)}</wsu:Created><wsu:Expires>${options.expires ?? minutes(5)}</wsu:Expires>` +
    `</wsu:Timestamp></wsse:Security></S:Header><S:Body wsu:Id="id-${randomUUID()}">${body}</S:Body></S:Envelope>`;
  const signer = new SignedXml({
    idMode: 'wssecurity',
    privateKey: signing.key,
    signatureAlgorithm: algorithm,
    canonicalizationAlgorithm: C14N,
    getKeyInfoContent: () => {
      const { issuer, serialNumber } = new X509Certificate(signing.certificate);
      const name = issuer.split('\n').toReversed().join(',');
      return `<wsse:SecurityTokenReference xmlns:wsse="${SECEXT}"><ds:X509Data><ds:X509IssuerSerial><ds:X509IssuerName>${name}</ds:X509IssuerName><ds:X509SerialNumber>${BigInt(`0x${serialNumber}`)}</ds:X509SerialNumber></ds:X509IssuerSerial></ds:X509Data></wsse:SecurityTokenReference>`;
    },
  });
  for (const part of parts) {
    signer.addReference({
      xpath: `//*[local-name()="${part}"]`,
      transforms: [C14N],
      digestAlgorithm: 'http://www.w3.org/2001/04/xmlenc#sha256',
    });
  }
  signer.computeSignature(xml, {
    prefix: 'ds',
    location: { reference: '//*[local-name()="Security"]', action: 'append' },
  });
  return signer.getSignedXml();
};

/** The signed body of a request; throws where a real server refuses. */
export const openRequest = (xml: string, certificate: string): Element => {
  const document = new DOMParser().parseFromString(xml, 'text/xml');
  const signature = document.getElementsByTagNameNS('http://www.w3.org/2000/09/xmldsig#', 'Signature').item(0);
  if (signature === null) throw new Error('request is not signed');
  const check = new SignedXml({ idMode: 'wssecurity', publicCert: certificate, getCertFromKeyInfo: () => null });
  check.loadSignature(signature);
  if (!check.checkSignature(xml)) throw new Error('request is signed by somebody else');
  const serial = signature.getElementsByTagName('ds:X509SerialNumber').item(0)?.textContent;
  if (serial !== BigInt(`0x${new X509Certificate(certificate).serialNumber}`).toString())
    throw new Error('request names another certificate');
  const parts = check
    .getSignedReferences()
    .map((part) => new DOMParser().parseFromString(part, 'text/xml').documentElement);
  const timestamp = parts.find((part) => part.localName === 'Timestamp');
  const body = parts.find((part) => part.localName === 'Body');
  if (timestamp === undefined || body === undefined) throw new Error('body and time stamp must be signed');
  const expires = Date.parse(timestamp.getElementsByTagNameNS(UTILITY, 'Expires').item(0)?.textContent ?? '');
  if (!(expires > Date.now())) throw new Error('request has expired');
  const [message] = Array.from(body.childNodes);
  if (message === undefined) throw new Error('empty body');
  return message as Element;
};
