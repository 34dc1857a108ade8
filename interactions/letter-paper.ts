import { createRequire } from 'node:module';
import PDFDocument from 'pdfkit';
import QRCode from 'qrcode';
import type { PostalAddress } from '../accounts/attributes.ts';
import type { Town } from '../accounts/town.ts';

/** For the window of the envelope. */
export type Addressee = { readonly name?: string; readonly address: PostalAddress };

/** Millimetres in points. */
export const MM = 72 / 25.4;
/** DIN 5008, form B: the address field, the fold marks and the hole mark, in millimetres from the top edge. */
const ADDRESS = { x: 25, y: 45, width: 80, remark: 17.7 };
const FOLD_MARKS = [105, 210];
const HOLE_MARK = 148.5;
export const MARGIN = { left: 25, right: 20, subject: 98.5 };
export const PAGE_WIDTH = 210;
export const QR_MM = 34;
/** Sizes that people with weak eyes can read; the code larger still. */
export const SIZE = { text: 11, small: 8, code: 17, subject: 12 };

const require = createRequire(import.meta.url);
/** The typeface of the pages as TTF: pdfkit cannot take a part out of the woff2 files that the pages use. */
const FONTS = {
  regular: require.resolve('@expo-google-fonts/fira-sans/400Regular/FiraSans_400Regular.ttf'),
  bold: require.resolve('@expo-google-fonts/fira-sans/600SemiBold/FiraSans_600SemiBold.ttf'),
};

export type Doc = PDFKit.PDFDocument;
export type Parent = { add(child: PDFKit.PDFStructureElement): unknown };

const addressLines = ({ name, address }: Addressee): string[] =>
  [
    address.recipient ?? name,
    address.street_address,
    `${address.postal_code} ${address.locality}`,
    address.country !== undefined && !/^(de|deutschland|germany)$/i.test(address.country)
      ? address.country.toUpperCase()
      : undefined,
  ].filter((line) => line !== undefined);

/** A paragraph that a screen reader reads as such; pdfkit sets it where `doc.y` stands. */
export const paragraph = (
  doc: Doc,
  parent: Parent,
  tag: string,
  content: string,
  options: PDFKit.Mixins.TextOptions = {},
): void => {
  parent.add(doc.struct(tag, {}, () => void doc.text(content, options)));
};

/** A QR code at a place of the page, in points. */
export const qrCode = (doc: Doc, parent: Parent, content: string, x: number, y: number, alt: string): void => {
  const { modules } = QRCode.create(content, { errorCorrectionLevel: 'M' });
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

/** A new tagged document (PDF/UA) with the typefaces; its bytes come when it is ended. */
export const newPaper = (about: { title: string; town: Town; date: Date }): { doc: Doc; bytes: Promise<Buffer> } => {
  const doc = new PDFDocument({
    size: 'A4',
    margins: { left: MARGIN.left * MM, right: MARGIN.right * MM, top: 20 * MM, bottom: 15 * MM },
    pdfVersion: '1.7',
    // @ts-expect-error: pdfkit 0.20 knows PDF/UA, its types do not yet
    subset: 'PDF/UA',
    tagged: true,
    lang: 'de',
    displayTitle: true,
    info: { Title: about.title, Author: about.town.name.de, CreationDate: about.date },
  });
  const chunks: Buffer[] = [];
  doc.on('data', (chunk: Buffer) => chunks.push(chunk));
  const bytes = new Promise<Buffer>((resolve, reject) => {
    doc.on('end', () => resolve(Buffer.concat(chunks)));
    doc.on('error', reject);
  });
  doc.registerFont('regular', FONTS.regular).registerFont('bold', FONTS.bold);
  return { doc, bytes };
};

/** The head of a letter (DIN 5008 form B): marks, sender, recipient, details; ends where the subject begins. */
export const letterHead = (
  doc: Doc,
  root: Parent,
  about: { town: Town; date: Date; details?: readonly string[]; recipient?: Addressee },
): void => {
  const { town } = about;
  marks(doc);
  doc.font('regular').fontSize(SIZE.small);
  doc.x = ADDRESS.x * MM;
  doc.y = (ADDRESS.y + 12) * MM;
  paragraph(doc, root, 'P', `${town.name.de} · ${town.contact.address}`, { width: ADDRESS.width * MM });
  if (about.recipient !== undefined) {
    doc.fontSize(SIZE.text);
    doc.y = (ADDRESS.y + ADDRESS.remark) * MM;
    paragraph(doc, root, 'P', addressLines(about.recipient).join('\n'), { width: ADDRESS.width * MM });
  }
  doc.fontSize(SIZE.text);
  doc.x = 125 * MM;
  doc.y = 50 * MM;
  const day = new Intl.DateTimeFormat('de-DE', { dateStyle: 'long', timeZone: 'Europe/Berlin' }).format(about.date);
  const lines = [town.contact.phone, town.contact.email, ...(about.details ?? []), day];
  paragraph(doc, root, 'P', lines.join('\n'), { width: 65 * MM });
  doc.x = MARGIN.left * MM;
  doc.y = MARGIN.subject * MM;
};
