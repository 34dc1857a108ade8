import { child, children, elements, escapeXml, textOf, XmlFault } from './xml.ts';

/** The bodies of TR-03130-1 v2.4: what is asked of the eID-Server and what it answers. */
export const EID = 'http://bsi.bund.de/eID/';

/** All operations, always, in the order of the schema [TR-03130-1 §3.3.1, `OperationsRequestorType`]. */
const OPERATIONS = [
  'DocumentType',
  'IssuingState',
  'DateOfExpiry',
  'GivenNames',
  'FamilyNames',
  'ArtisticName',
  'AcademicTitle',
  'DateOfBirth',
  'PlaceOfBirth',
  'Nationality',
  'BirthName',
  'PlaceOfResidence',
  'CommunityID',
  'ResidencePermitI',
  'RestrictedID',
  'AgeVerification',
  'PlaceVerification',
] as const;
type Operation = (typeof OPERATIONS)[number];

/** What may be read from a card: nothing but what is named here. The card's pseudonym is always asked for. */
export type CardQuestion = {
  readonly read: readonly ('names' | 'birthdate' | 'address')[];
  /** Years completed; answered with yes or no. */
  readonly ageOver?: number;
  /** Community id or an even number of its first digits; answered with yes or no. */
  readonly livesIn?: string;
};

const READS: Readonly<Record<CardQuestion['read'][number], readonly Operation[]>> = {
  names: ['GivenNames', 'FamilyNames'],
  birthdate: ['DateOfBirth'],
  address: ['PlaceOfResidence'],
};

const LOA = 'http://bsi.bund.de/eID/LoA/';
const LEVELS = { undefined: 'none', normal: 'low', substantiell: 'substantial', hoch: 'high' } as const;
export type CardLevel = (typeof LEVELS)[keyof typeof LEVELS];

const tag = (name: string, content: string): string =>
  content === '' ? `<eid:${name}/>` : `<eid:${name}>${content}</eid:${name}>`;

const body = (name: string, content: string): string => `<eid:${name} xmlns:eid="${EID}">${content}</eid:${name}>`;

/** `useIDRequest`: the highest level, chips and certified secure elements only. */
export const useIdRequest = (question: CardQuestion): string => {
  const required = new Set<Operation>(['RestrictedID', 'DocumentType', ...question.read.flatMap((one) => READS[one])]);
  if (question.ageOver !== undefined) required.add('AgeVerification');
  if (question.livesIn !== undefined) required.add('PlaceVerification');
  if (question.livesIn !== undefined && !/^(\d\d){2,7}$/.test(question.livesIn)) throw new Error('not a community id');
  return body(
    'useIDRequest',
    tag('UseOperations', OPERATIONS.map((one) => tag(one, required.has(one) ? 'REQUIRED' : '')).join('')) +
      (question.ageOver === undefined ? '' : tag('AgeVerificationRequest', tag('Age', String(question.ageOver)))) +
      (question.livesIn === undefined ? '' : tag('PlaceVerificationRequest', tag('CommunityID', question.livesIn))) +
      tag('LevelOfAssuranceRequest', `${LOA}hoch`) +
      tag(
        'EIDTypeRequest',
        tag('CardCertified', 'ALLOWED') +
          tag('SECertified', 'ALLOWED') +
          tag('SEEndorsed', 'DENIED') +
          tag('HWKeyStore', 'DENIED'),
      ),
  );
};

/** `getResultRequest`; the counter begins with 1 and grows with every call. */
export const getResultRequest = (session: string, counter: number): string =>
  body('getResultRequest', tag('Session', tag('ID', escapeXml(session))) + tag('RequestCounter', String(counter)));

export const getServerInfoRequest = (): string => body('getServerInfoRequest', '');

/** The minor codes of TR-03130-1 §3.4.1, by their last part, and the one of TR-03112 that says who ended it. */
export type EidFault =
  | 'cancellationByUser'
  | 'internalError'
  | 'schemaViolation'
  | 'invalidPSK'
  | 'tooManyOpenSessions'
  | 'missingArgument'
  | 'missingTerminalRights'
  | 'noResultYet'
  | 'invalidSession'
  | 'invalidCounter'
  | 'deniedDocument'
  | 'invalidDocument'
  | 'unknown';

const FAULTS: ReadonlySet<string> = new Set<EidFault>([
  'cancellationByUser',
  'internalError',
  'schemaViolation',
  'invalidPSK',
  'tooManyOpenSessions',
  'missingArgument',
  'missingTerminalRights',
  'noResultYet',
  'invalidSession',
  'invalidCounter',
  'deniedDocument',
  'invalidDocument',
]);

/** The message of a signed body, if it is the one expected. */
const messageOf = (signedBody: Element, name: string): Element => {
  const [message, ...more] = elements(signedBody);
  if (message === undefined || more.length > 0 || message.localName !== name || message.namespaceURI !== EID)
    throw new XmlFault(`not a ${name}`);
  return message;
};

/** The fault that a result tells; undefined for success. `ResultMajor` comes with and without a prefix. */
const faultOf = (message: Element): EidFault | undefined => {
  const result = child(message, 'Result');
  const major = textOf(result && child(result, 'ResultMajor')) ?? '';
  if (major.endsWith('/resultmajor#ok')) return undefined;
  if (!major.endsWith('/resultmajor#error')) throw new XmlFault('no result');
  const minor = (textOf(result && child(result, 'ResultMinor')) ?? '').replace(/^.*#/s, '');
  return FAULTS.has(minor) ? (minor as EidFault) : 'unknown';
};

export type Refused = { readonly outcome: 'refused'; readonly fault: EidFault };
export type UseId = {
  readonly outcome: 'session';
  readonly session: string;
  /** `key` is hexadecimal, for the TC token alone. */
  readonly psk: { readonly id: string; readonly key: string };
  readonly serverAddress?: string;
};

/** TR-03130-1 §3.3.1: at least 32 hexadecimal characters, as anything shorter could be guessed. */
const HEX = /^([0-9a-fA-F]{2}){16,128}$/;

export const useIdResponse = (signedBody: Element): UseId | Refused => {
  const message = messageOf(signedBody, 'useIDResponse');
  const fault = faultOf(message);
  if (fault !== undefined) return { outcome: 'refused', fault };
  const [session, psk] = [child(message, 'Session'), child(message, 'PSK')];
  const [sessionId, id, key] = [session && child(session, 'ID'), psk && child(psk, 'ID'), psk && child(psk, 'Key')].map(
    textOf,
  );
  if (sessionId === undefined || !HEX.test(sessionId)) throw new XmlFault('session id');
  if (id === undefined || key === undefined || !HEX.test(id) || !HEX.test(key)) throw new XmlFault('pre-shared key');
  const serverAddress = textOf(child(message, 'eCardServerAddress'));
  return {
    outcome: 'session',
    session: sessionId,
    psk: { id, key },
    ...(serverAddress !== undefined && { serverAddress }),
  };
};

/** A date of birth, as far as it is known: YYYY, YYYY-MM or YYYY-MM-DD. */
const dateOf = (element: Element | undefined): string | undefined => {
  // DateString has spaces where a part is unknown; DateValue is absent then.
  const text = element && child(element, 'DateString')?.textContent;
  const [, year, month, day] = /^\s*(\d{4})(\d\d|\s\s|00)?(\d\d|\s\s|00)?\s*$/.exec(text ?? '') ?? [];
  if (year === undefined || year === '0000') return undefined;
  const known = (part: string | undefined): part is string =>
    part !== undefined && /^\d\d$/.test(part) && part !== '00';
  if (!known(month)) return year;
  return known(day) ? `${year}-${month}-${day}` : `${year}-${month}`;
};

export type CardPlace =
  | {
      readonly kind: 'structured';
      readonly street?: string;
      readonly city: string;
      readonly zip?: string;
      readonly country: string;
    }
  | { readonly kind: 'freetext'; readonly text: string }
  | { readonly kind: 'none' };

const placeOf = (element: Element | undefined): CardPlace | undefined => {
  const [place] = element === undefined ? [] : elements(element);
  const text = (name: string): string | undefined => place && textOf(child(place, name));
  switch (place?.localName) {
    case 'StructuredPlace': {
      const [street, city, zip, country] = [text('Street'), text('City'), text('ZipCode'), text('Country')];
      if (city === undefined || country === undefined) throw new XmlFault('place without city');
      return {
        kind: 'structured',
        city,
        country,
        ...(street !== undefined && { street }),
        ...(zip !== undefined && { zip }),
      };
    }
    case 'FreetextPlace':
      return { kind: 'freetext', text: textOf(place) ?? '' };
    case 'NoPlaceInfo':
      return { kind: 'none' };
    default:
      return undefined;
  }
};

/** What a card said, as the card says it: upper case, dates in parts, places in one of three forms. */
export type CardAnswer = {
  readonly outcome: 'read';
  /** The card's pseudonym for this provider (RestrictedID), hexadecimal, lower case. */
  readonly pseudonym: string;
  readonly level: CardLevel;
  readonly documentType?: string;
  readonly givenNames?: string;
  readonly familyNames?: string;
  readonly birthdate?: string;
  readonly residence?: CardPlace;
  readonly ageOver?: boolean;
  readonly livesIn?: boolean;
};

const verdict = (message: Element, name: string): boolean | undefined => {
  const element = child(message, name);
  const text = textOf(element && child(element, 'FulfilsRequest'));
  if (text === undefined) return undefined;
  if (!/^(true|false|1|0)$/.test(text)) throw new XmlFault(name);
  return text === 'true' || text === '1';
};

const given = <K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } =>
  (value === undefined ? {} : { [key]: value }) as { [P in K]?: V };

export const getResultResponse = (signedBody: Element): CardAnswer | Refused => {
  const message = messageOf(signedBody, 'getResultResponse');
  const fault = faultOf(message);
  if (fault !== undefined) return { outcome: 'refused', fault };
  const person = child(message, 'PersonalData');
  const part = (name: string): Element | undefined => person && child(person, name);
  const restricted = part('RestrictedID');
  const pseudonym = textOf(restricted && child(restricted, 'ID'))?.toLowerCase();
  if (pseudonym === undefined || !/^([0-9a-f]{2}){16,128}$/.test(pseudonym)) throw new XmlFault('RestrictedID');
  // The samples of TR-03130 call the element otherwise than its schema does.
  const [loa, ...more] = [
    ...children(message, 'LevelOfAssuranceResult'),
    ...children(message, 'LevelOfAssuranceResponse'),
  ];
  if (more.length > 0) throw new XmlFault('several levels');
  const level = (textOf(loa) ?? '').replace(LOA, '');
  return {
    outcome: 'read',
    pseudonym,
    level: Object.hasOwn(LEVELS, level) ? LEVELS[level as keyof typeof LEVELS] : 'none',
    ...given('documentType', textOf(part('DocumentType'))),
    ...given('givenNames', textOf(part('GivenNames'))),
    ...given('familyNames', textOf(part('FamilyNames'))),
    ...given('birthdate', dateOf(part('DateOfBirth'))),
    ...given('residence', placeOf(part('PlaceOfResidence'))),
    ...given('ageOver', verdict(message, 'FulfilsAgeVerification')),
    ...given('livesIn', verdict(message, 'FulfilsPlaceVerification')),
  };
};

/** `getServerInfoResponse`: the version that the server speaks, like `2.4.0`. */
export const getServerInfoResponse = (signedBody: Element): { readonly version: string } => {
  const version = child(messageOf(signedBody, 'getServerInfoResponse'), 'ServerVersion');
  const number = (name: string): string => textOf(version && child(version, name)) ?? '0';
  return { version: [number('Major'), number('Minor'), number('Bugfix')].join('.') };
};
