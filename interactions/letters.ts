import type { Purpose } from '../accounts/letter-codes.ts';
import type { Secret } from '../accounts/secret.ts';
import type { Town } from '../accounts/town.ts';
import { inLanguage, type Language } from './language.ts';
import {
  type Addressee,
  type Doc,
  letterHead,
  MARGIN,
  MM,
  newPaper,
  PAGE_WIDTH,
  type Parent,
  paragraph,
  QR_MM,
  qrCode,
  SIZE,
} from './letter-paper.ts';
import { letterTextsIn } from './texts/letters.ts';
import { ABROAD, type LetterWords } from './texts/letters-abroad.ts';

export type Letter = {
  readonly town: Town;
  readonly issuer: URL;
  readonly purpose: Purpose;
  /** The reader's; German comes first in any case. */
  readonly language: string;
  readonly code: Secret;
  readonly validFrom: Date;
  readonly expiresAt: Date;
  readonly date: Date;
  readonly kennung?: string;
  /** The case. */
  readonly number?: string;
  /** For the window of the envelope; without one the letter is handed over. */
  readonly recipient?: Addressee;
};

/** The address of the page, with the code in the fragment: no server and no log gets to see it. */
export const letterLink = (issuer: URL, code: Secret): string => `${new URL('/brief', issuer).href}#${code.reveal()}`;

const moment = (at: Date, language: string): string =>
  new Intl.DateTimeFormat(language === 'en' ? 'en-GB' : language, {
    timeZone: 'Europe/Berlin',
    dateStyle: 'long',
    timeStyle: 'short',
  }).format(at);

/** The text in one language. `withPicture` only once: there is one code. */
const body = (doc: Doc, root: Parent, letter: Letter, language: string, first: boolean): void => {
  const known = language as Language;
  const t = letterTextsIn(ABROAD[language] === undefined ? language : 'de').letter;
  // Invitations go to members of staff, whose languages are those of the pages.
  const words: LetterWords = ABROAD[language] ?? t;
  const subject = letter.purpose === 'invitation' ? t.subject.invitation : words.subject[letter.purpose];
  const lead = letter.purpose === 'invitation' ? t.lead.invitation : words.lead[letter.purpose];
  const office = `${inLanguage(letter.town.office.name, known)}, ${letter.town.office.address}, ${inLanguage(letter.town.office.hours, known)}`;
  const full = { width: (PAGE_WIDTH - MARGIN.left - MARGIN.right) * MM };
  const beside = { width: (PAGE_WIDTH - MARGIN.left - MARGIN.right - QR_MM - 8) * MM };
  const section = doc.struct('Sect', { lang: language });
  root.add(section);
  doc.font('bold').fontSize(first ? SIZE.subject : SIZE.text);
  paragraph(doc, section, first ? 'H1' : 'H2', subject, full);
  doc.font('regular').fontSize(SIZE.text).moveDown(0.7);
  paragraph(doc, section, 'P', words.greeting, full);
  doc.moveDown(0.4);
  const top = doc.y;
  paragraph(doc, section, 'P', lead, first ? beside : full);
  doc.moveDown(0.4);
  const address = new URL('/brief', letter.issuer).href;
  words.steps(address).forEach((step, index) => {
    paragraph(doc, section, 'P', `${index + 1}. ${step}`, first ? beside : full);
    if (index === 1) {
      doc.font('bold').fontSize(first ? SIZE.code : SIZE.text);
      paragraph(doc, section, 'P', letter.code.reveal(), first ? { ...beside, characterSpacing: 0.6 } : full);
      doc.font('regular').fontSize(SIZE.text);
    }
    doc.moveDown(0.25);
  });
  if (first) {
    const { x, y } = doc;
    qrCode(doc, section, letterLink(letter.issuer, letter.code), (PAGE_WIDTH - MARGIN.right - QR_MM) * MM, top, t.qr);
    doc.x = x;
    doc.y = Math.max(y, top + QR_MM * MM);
  }
  doc.moveDown(0.4);
  paragraph(
    doc,
    section,
    'P',
    words.validity(moment(letter.validFrom, language), moment(letter.expiresAt, language)),
    full,
  );
  if (letter.kennung !== undefined) paragraph(doc, section, 'P', words.kennung(letter.kennung), full);
  paragraph(doc, section, 'P', words.secret, full);
  doc.moveDown(0.4);
  if (letter.purpose !== 'invitation') paragraph(doc, section, 'P', words.library, full);
  paragraph(doc, section, 'P', words.help(office), full);
  doc.moveDown(0.6);
  paragraph(doc, section, 'P', `${words.closing}\n${inLanguage(letter.town.name, known)}`, full);
};

/**
 * The letter with a code, as PDF: DIN 5008 form B for window envelopes, tagged for screen readers, German and the
 * reader's language. The code stands in it as text and as a QR code.
 */
export const letterPdf = (letter: Letter): Promise<Buffer> => {
  const german = letterTextsIn('de').letter;
  const abroad = letter.purpose !== 'invitation' && ABROAD[letter.language] !== undefined;
  const reader = letter.language === 'en' || abroad ? letter.language : 'de';
  const { doc, bytes } = newPaper({ title: german.subject[letter.purpose], town: letter.town, date: letter.date });
  const root = doc.struct('Document');
  doc.addStructure(root);
  letterHead(doc, root, {
    ...letter,
    details: letter.number === undefined ? [] : [german.number(letter.number)],
  });
  body(doc, root, letter, 'de', true);
  if (reader !== 'de') {
    doc.addPage();
    body(doc, root, letter, reader, false);
  }
  root.end();
  doc.end();
  return bytes;
};
