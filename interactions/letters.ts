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
import { dayAndTime, letterTextsIn } from './texts/letters.ts';

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

/** The text in one language. `withPicture` only once: there is one code. */
const body = (doc: Doc, root: Parent, letter: Letter, language: Language, first: boolean): void => {
  const t = letterTextsIn(language).letter;
  const office = `${inLanguage(letter.town.office.name, language)}, ${letter.town.office.address}, ${inLanguage(letter.town.office.hours, language)}`;
  const full = { width: (PAGE_WIDTH - MARGIN.left - MARGIN.right) * MM };
  const beside = { width: (PAGE_WIDTH - MARGIN.left - MARGIN.right - QR_MM - 8) * MM };
  const section = doc.struct('Sect', { lang: language });
  root.add(section);
  doc.font('bold').fontSize(first ? SIZE.subject : SIZE.text);
  paragraph(doc, section, first ? 'H1' : 'H2', t.subject[letter.purpose], full);
  doc.font('regular').fontSize(SIZE.text).moveDown(0.7);
  paragraph(doc, section, 'P', t.greeting, full);
  doc.moveDown(0.4);
  const top = doc.y;
  paragraph(doc, section, 'P', t.lead[letter.purpose], first ? beside : full);
  doc.moveDown(0.4);
  const address = new URL('/brief', letter.issuer).href;
  t.steps(address).forEach((step, index) => {
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
    t.validity(dayAndTime(letter.validFrom, language), dayAndTime(letter.expiresAt, language)),
    full,
  );
  if (letter.kennung !== undefined) paragraph(doc, section, 'P', t.kennung(letter.kennung), full);
  paragraph(doc, section, 'P', t.secret, full);
  doc.moveDown(0.4);
  if (letter.purpose !== 'invitation') paragraph(doc, section, 'P', t.library, full);
  paragraph(doc, section, 'P', t.help(office), full);
  doc.moveDown(0.6);
  paragraph(doc, section, 'P', `${t.closing}\n${inLanguage(letter.town.name, language)}`, full);
};

/**
 * The letter with a code, as PDF: DIN 5008 form B for window envelopes, tagged for screen readers, German and the
 * reader's language. The code stands in it as text and as a QR code.
 */
export const letterPdf = (letter: Letter): Promise<Buffer> => {
  const german = letterTextsIn('de').letter;
  const reader = letter.language === 'en' ? 'en' : 'de';
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
