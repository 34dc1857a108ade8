/** The sessions of the sandbox's eID-Server: what is asked, what the card answered, in which order calls may come. */
import { createHmac, randomBytes } from 'node:crypto';
import { MINOR, NAMESPACE, RESULT } from './soap-wire.ts';
import type { SpecimenCard } from './specimen-cards.ts';

const OPERATIONS =
  'DocumentType IssuingState DateOfExpiry GivenNames FamilyNames ArtisticName AcademicTitle DateOfBirth PlaceOfBirth Nationality BirthName PlaceOfResidence CommunityID ResidencePermitI RestrictedID AgeVerification PlaceVerification'.split(
    ' ',
  );
const SESSION_MILLISECONDS = 10 * 60_000;

export type Session = {
  readonly id: string;
  readonly psk: { readonly id: string; readonly key: string };
  readonly operations: ReadonlyMap<string, string>;
  readonly age: number | undefined;
  readonly community: string | undefined;
  readonly until: number;
  counter: number;
  /** The card that was read, or the minor code that came of it. */
  outcome?: { card: SpecimenCard } | { minor: string };
};

export class Refusal extends Error {
  readonly minor: string;
  constructor(minor: string) {
    super(minor);
    this.minor = minor;
  }
}

const childOf = (parent: Element, name: string): Element | undefined =>
  Array.from(parent.childNodes).find((node): node is Element => (node as Element).localName === name);
const content = (parent: Element | undefined, ...path: string[]): string | undefined => {
  let element = parent;
  for (const name of path) element = element && childOf(element, name);
  return element?.textContent?.trim() || undefined;
};

/** Reads a `useIDRequest`, strictly as the schema has it. */
export const openSession = (request: Element, openSessions: number, maxSessions: number): Session => {
  const operations = childOf(request, 'UseOperations');
  const asked = Array.from(operations?.childNodes ?? []) as Element[];
  if (asked.map((one) => one.localName).join(' ') !== OPERATIONS.join(' '))
    throw new Refusal('/common#schemaViolation');
  const values = new Map(asked.map((one) => [one.localName, one.textContent?.trim() || 'PROHIBITED']));
  if (![...values.values()].every((value) => /^(REQUIRED|ALLOWED|PROHIBITED)$/.test(value)))
    throw new Refusal('/common#schemaViolation');
  const age = content(request, 'AgeVerificationRequest', 'Age');
  const community = content(request, 'PlaceVerificationRequest', 'CommunityID');
  if (values.get('AgeVerification') === 'REQUIRED' && age === undefined) throw new Refusal('/useID#missingArgument');
  if (values.get('PlaceVerification') === 'REQUIRED' && community === undefined)
    throw new Refusal('/useID#missingArgument');
  // The specimen certificate carries no right to read these.
  if (values.get('ResidencePermitI') === 'REQUIRED' || values.get('Nationality') === 'REQUIRED')
    throw new Refusal('/useID#missingTerminalRights');
  if (openSessions >= maxSessions) throw new Refusal('/useID#tooManyOpenSessions');
  return {
    id: randomBytes(16).toString('hex'),
    psk: { id: randomBytes(16).toString('hex'), key: randomBytes(32).toString('hex') },
    operations: values,
    age: age === undefined ? undefined : Number(age),
    community,
    until: Date.now() + SESSION_MILLISECONDS,
    counter: 0,
  };
};

export const resultOf = (minor?: string): string =>
  `<dss:Result xmlns:dss="urn:oasis:names:tc:dss:1.0:core:schema"><ResultMajor>${RESULT}${minor === undefined ? 'ok' : 'error'}</ResultMajor>${
    minor === undefined
      ? ''
      : `<ResultMinor>${MINOR}${minor}</ResultMinor><ResultMessage xml:lang="en">refused</ResultMessage>`
  }</dss:Result>`;

const yearsOf = (birthdate: string, now: Date): number => {
  // An unknown part counts as its latest day, as the chip does it.
  const [, year = '', month = '', day = ''] = /^(.{4})(.{2})(.{2})$/.exec(birthdate) ?? [];
  const born = `${year}${month.trim() || '12'}${day.trim() || '31'}`;
  const today = now.toISOString().slice(0, 10).replaceAll('-', '');
  return Number(today.slice(0, 4)) - Number(born.slice(0, 4)) - (today.slice(4) < born.slice(4) ? 1 : 0);
};

const placeXml = ({ place }: SpecimenCard): string => {
  if (place === undefined) return '<eid:NoPlaceInfo>keine Hauptwohnung in Deutschland</eid:NoPlaceInfo>';
  if (typeof place === 'string') return `<eid:FreetextPlace>${place}</eid:FreetextPlace>`;
  const part = (name: string, value: string | undefined): string =>
    value === undefined ? '' : `<eid:${name}>${value}</eid:${name}>`;
  return `<eid:StructuredPlace>${part('Street', place.street)}${part('City', place.city)}${part('Country', place.country)}${part('ZipCode', place.zip)}</eid:StructuredPlace>`;
};

const dateXml = (date: string): string =>
  `<eid:DateString>${date}</eid:DateString>${/^\d{8}$/.test(date) ? `<eid:DateValue>${date.slice(0, 4)}-${date.slice(4, 6)}-${date.slice(6)}</eid:DateValue>` : ''}`;

/** The card's pseudonym for the sector of the Berechtigungszertifikat: per card and per service. */
const restrictedId = (card: SpecimenCard, sector: string): string =>
  createHmac('sha256', sector).update(card.seed).digest('hex');

/** The `getResultResponse` of a card that was read: what was asked for and nothing else. */
export const resultXml = (session: Session, card: SpecimenCard, sector: string): string => {
  const wanted = (name: string): boolean => session.operations.get(name) !== 'PROHIBITED';
  const parts: [string, string][] = [
    ['DocumentType', card.documentType],
    ['GivenNames', card.givenNames],
    ['FamilyNames', card.familyNames],
    ['DateOfBirth', dateXml(card.birthdate)],
    ['PlaceOfResidence', placeXml(card)],
    ['CommunityID', card.communityId],
    ['RestrictedID', `<eid:ID>${restrictedId(card, sector).toUpperCase()}</eid:ID>`],
  ];
  const person = parts.filter(([name]) => wanted(name)).map(([name, value]) => `<eid:${name}>${value}</eid:${name}>`);
  const fulfils = (name: string, yes: boolean): string =>
    `<eid:${name}><eid:FulfilsRequest>${yes}</eid:FulfilsRequest></eid:${name}>`;
  const age =
    session.age !== undefined && wanted('AgeVerification')
      ? fulfils('FulfilsAgeVerification', yearsOf(card.birthdate, new Date()) >= session.age)
      : '';
  const place =
    session.community !== undefined && wanted('PlaceVerification')
      ? fulfils('FulfilsPlaceVerification', card.communityId.startsWith(session.community))
      : '';
  return (
    `<eid:getResultResponse xmlns:eid="${NAMESPACE}"><eid:PersonalData>${person.join('')}</eid:PersonalData>${age}${place}` +
    `<eid:LevelOfAssuranceResult>http://bsi.bund.de/eID/LoA/${card.level ?? 'hoch'}</eid:LevelOfAssuranceResult>${resultOf()}</eid:getResultResponse>`
  );
};
