import { DOMParser } from '@xmldom/xmldom';

/** XML from outside that is not what it must be; the message is for the log and holds nothing of the XML. */
export class XmlFault extends Error {
  override name = 'XmlFault';
}

const ELEMENT_NODE = 1;

/**
 * What no message of SOAP or SAML needs and what attacks are made of: document types (entities), comments (they split
 * texts in two, CVE-2017-11427), processing instructions other than the XML declaration.
 */
const refuseConstructs = (xml: string): void => {
  if (/<!doctype|<!entity/i.test(xml)) throw new XmlFault('document type declaration');
  if (xml.includes('<!--')) throw new XmlFault('comment');
  if (/<\?/.test(xml.replace(/^\uFEFF?<\?xml\s[^<>]*\?>/, ''))) throw new XmlFault('processing instruction');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: XML 1.0 §2.2 allows no others
  if (/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/.test(xml)) throw new XmlFault('control character');
};

/** Parses a whole document and returns its root. Throws `XmlFault` for anything that is not plain, well-formed XML. */
export const parseXml = (xml: string, limit = 512 * 1024): Element => {
  if (xml.length > limit) throw new XmlFault('too long');
  refuseConstructs(xml);
  const refuse = (): never => {
    throw new XmlFault('not well-formed');
  };
  const parser = new DOMParser({ locator: {}, errorHandler: { warning: refuse, error: refuse, fatalError: refuse } });
  let root: Element | null | undefined;
  try {
    root = parser.parseFromString(xml, 'text/xml')?.documentElement;
  } catch (error) {
    throw error instanceof XmlFault ? error : new XmlFault('not well-formed');
  }
  if (!root) throw new XmlFault('no root element');
  return root;
};

/** The element children of an element. */
export const elements = (parent: Element): Element[] => {
  const found: Element[] = [];
  for (let node = parent.firstChild; node !== null; node = node.nextSibling) {
    if (node.nodeType === ELEMENT_NODE) found.push(node as Element);
  }
  return found;
};

/** The element children with a local name; in a namespace if one is given. */
export const children = (parent: Element, localName: string, namespace?: string): Element[] =>
  elements(parent).filter(
    (element) => element.localName === localName && (namespace === undefined || element.namespaceURI === namespace),
  );

/** The only child with a name; undefined if there is none. Throws if there are several: they are never expected. */
export const child = (parent: Element, localName: string, namespace?: string): Element | undefined => {
  const found = children(parent, localName, namespace);
  if (found.length > 1) throw new XmlFault(`several ${localName}`);
  return found[0];
};

/** The text of an element without its surrounding space; undefined if it is empty or holds elements. */
export const textOf = (element: Element | undefined): string | undefined => {
  if (element === undefined || elements(element).length > 0) return undefined;
  const text = (element.textContent ?? '').trim();
  return text === '' ? undefined : text;
};

/** Every element below (and including) one, in document order. */
export const descendants = (root: Element): Element[] => [root, ...elements(root).flatMap(descendants)];

/** Text as it stands in an element or an attribute in double quotes. */
export const escapeXml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
