import { createRequire } from 'node:module';
import PDFDocument from 'pdfkit';
import QRCode from 'qrcode';
import type { PostalAddress } from '../accounts/attributes.ts';
import type { Purpose } from '../accounts/letter-codes.ts';
import type { Secret } from '../accounts/secret.ts';
import type { Town } from '../accounts/town.ts';
import { inLanguage, type Language } from './language.ts';
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
  readonly recipient?: { readonly name?: string; readonly address: PostalAddress };
};

/** Millimetres in points. */
const MM = 72 / 25.4;
/** DIN 5008, form B: the address field, the fold marks and the hole mark, in millimetres from the top edge. */
const ADDRESS = { x: 25, y: 45, width: 80, remark: 17.7 };
const FOLD_MARKS = [105, 210];
const HOLE_MARK = 148.5;
const MARGIN = { left: 25, right: 20, subject: 98.5 };
const PAGE_WIDTH = 210;
const QR_MM = 34;
/** Sizes that people with weak eyes can read; the code larger still. */
const SIZE = { text: 11, small: 8, code: 17, subject: 12 };

const require = createRequire(import.meta.url);
/** The typeface of the pages as TTF: pdfkit cannot take a part out of the woff2 files that the pages use. */
const FONTS = {
  regular: require.resolve('@expo-google-fonts/fira-sans/400Regular/FiraSans_400Regular.ttf'),
  bold: require.resolve('@expo-google-fonts/fira-sans/600SemiBold/FiraSans_600SemiBold.ttf'),
};

type Doc = PDFKit.PDFDocument;
type Parent = { add(child: PDFKit.PDFStructureElement): unknown };

/** The address of the page, with the code in the fragment: no server and no log gets to see it. */
export const letterLink = (issuer: URL, code: Secret): string => `${new URL('/brief', issuer).href}#${code.reveal()}`;

const addressLines = ({ name, address }: NonNullable<Letter['recipient']>): string[] =>
  [
    address.recipient ?? name,
    address.street_address,
    `${address.postal_code} ${address.locality}`,
    address.country !== undefined && !/^(de|deutschland|germany)$/i.test(address.country)
      ? address.country.toUpperCase()
      : undefined,
  ].filter((line) => line !== undefined);

/** A paragraph that a screen reader reads as such; pdfkit sets it where `doc.y` stands. */
const paragraph = (
  doc: Doc,
  parent: Parent,
  tag: string,
  content: string,
  options: PDFKit.Mixins.TextOptions = {},
): void => {
  parent.add(doc.struct(tag, {}, () => void doc.text(content, options)));
};

const qrCode = (doc: Doc, parent: Parent, letter: Letter, x: number, y: number, alt: string): void => {
  const { modules } = QRCode.create(letterLink(letter.issuer, letter.code), { errorCorrectionLevel: 'M' });
  const size = (QR_MM * MM) / modules.size;
  parent.add(
    doc.struct('Figure', { alt }, () => {
      for (let row = 0; row < modules.size; row += 1) {
        for (let column = 0; column < modules.size; column += 1) {
          if (modules.get(row, column)) doc.rect(x + column * size, y + row * size, size, size);
        }
      }
      doc.fill('black');
    }),
  );
};

const marks = (doc: Doc): void => {
  // Decoration: a screen reader passes over it.
  doc.markContent('Artifact', { type: 'Layout' });
  doc.lineWidth(0.5);
  for (const y of FOLD_MARKS)
    doc
      .moveTo(5 * MM, y * MM)
      .lineTo(9 * MM, y * MM)
      .stroke();
  doc
    .moveTo(5 * MM, HOLE_MARK * MM)
    .lineTo(11 * MM, HOLE_MARK * MM)
    .stroke();
  doc.endMarkedContent();
};

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
    qrCode(doc, section, letter, (PAGE_WIDTH - MARGIN.right - QR_MM) * MM, top, t.qr);
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
  const { town } = letter;
  const german = letterTextsIn('de').letter;
  const reader = letter.language === 'en' ? 'en' : 'de';
  const doc = new PDFDocument({
    size: 'A4',
    margins: { left: MARGIN.left * MM, right: MARGIN.right * MM, top: 20 * MM, bottom: 15 * MM },
    pdfVersion: '1.7',
    // @ts-expect-error: pdfkit 0.20 knows PDF/UA, its types do not yet
    subset: 'PDF/UA',
    tagged: true,
    lang: 'de',
    displayTitle: true,
    info: { Title: german.subject[letter.purpose], Author: town.name.de, CreationDate: letter.date },
  });
  const chunks: Buffer[] = [];
  doc.on('data', (chunk: Buffer) => chunks.push(chunk));
  const written = new Promise<Buffer>((resolve, reject) => {
    doc.on('end', () => resolve(Buffer.concat(chunks)));
    doc.on('error', reject);
  });
  doc.registerFont('regular', FONTS.regular).registerFont('bold', FONTS.bold);

  const root = doc.struct('Document');
  doc.addStructure(root);
  marks(doc);
  const sender = `${town.name.de} · ${town.contact.address}`;
  doc.font('regular').fontSize(SIZE.small);
  doc.x = ADDRESS.x * MM;
  doc.y = (ADDRESS.y + 12) * MM;
  paragraph(doc, root, 'P', sender, { width: ADDRESS.width * MM });
  if (letter.recipient !== undefined) {
    doc.fontSize(SIZE.text);
    doc.y = (ADDRESS.y + ADDRESS.remark) * MM;
    paragraph(doc, root, 'P', addressLines(letter.recipient).join('\n'), { width: ADDRESS.width * MM });
  }
  doc.fontSize(SIZE.text);
  doc.x = 125 * MM;
  doc.y = 50 * MM;
  const day = new Intl.DateTimeFormat('de-DE', { dateStyle: 'long', timeZone: 'Europe/Berlin' }).format(letter.date);
  const details = [
    town.contact.phone,
    town.contact.email,
    letter.number === undefined ? undefined : german.number(letter.number),
    day,
  ];
  paragraph(doc, root, 'P', details.filter((line) => line !== undefined).join('\n'), { width: 65 * MM });
  doc.x = MARGIN.left * MM;
  doc.y = MARGIN.subject * MM;
  body(doc, root, letter, 'de', true);
  if (reader !== 'de') {
    doc.addPage();
    body(doc, root, letter, reader, false);
  }
  root.end();
  doc.end();
  return written;
};
