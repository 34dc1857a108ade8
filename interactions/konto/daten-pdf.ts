import { createRequire } from 'node:module';
import PDFDocument from 'pdfkit';
import type { Export } from '../../accounts/export.ts';
import { claimLabel, readableDay } from '../claim-value.view.ts';
import { inLanguage, type Language } from '../language.ts';
import { datenTexts } from '../texts/daten.ts';

const require = createRequire(import.meta.url);
const FONTS = {
  regular: require.resolve('@expo-google-fonts/fira-sans/400Regular/FiraSans_400Regular.ttf'),
  bold: require.resolve('@expo-google-fonts/fira-sans/600SemiBold/FiraSans_600SemiBold.ttf'),
};
const MARGIN = 56;
const SIZE = { title: 20, heading: 14, text: 10.5 };

const plain = (value: unknown): string => {
  if (typeof value === 'object' && value !== null && 'formatted' in value) return String(value.formatted);
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
};

/** The export to read: a tagged PDF with headings, so that screen readers find their way. */
export const exportPdf = async (data: Export, language: Language): Promise<Buffer> => {
  const t = datenTexts(language);
  const doc = new PDFDocument({
    size: 'A4',
    margin: MARGIN,
    tagged: true,
    pdfVersion: '1.7',
    lang: language,
    displayTitle: true,
    info: { Title: t.pdfTitle },
  });
  const chunks: Buffer[] = [];
  doc.on('data', (chunk: Buffer) => chunks.push(chunk));
  const ended = new Promise<void>((resolve) => doc.on('end', () => resolve()));
  const root = doc.struct('Document');
  doc.addStructure(root);
  const write = (tag: string, text: string, size: number, font: string, gap: number): void => {
    root.add(
      doc.struct(tag, {}, () => {
        doc.font(font).fontSize(size).text(text, { paragraphGap: gap });
      }),
    );
  };
  const heading = (text: string): void => {
    doc.moveDown(0.8);
    write('H2', text, SIZE.heading, FONTS.bold, 4);
  };
  const line = (text: string, font = FONTS.regular): void => write('P', text, SIZE.text, font, 3);
  const day = (text: string): string => readableDay(text, language);

  write('H1', `${t.pdfTitle}: Stadtschlüssel ${inLanguage(data.town, language)}`, SIZE.title, FONTS.bold, 6);
  line(day(data.created_on));
  line([data.account.kennung, data.account.email].filter(Boolean).join(' · '));

  heading(t.person);
  if (data.attributes.length === 0) line(t.none);
  for (const { name, value, source, level, recorded_on } of data.attributes) {
    line(
      `${claimLabel(name, language)}: ${plain(value)} (${[source, level, day(recorded_on)].filter(Boolean).join(', ')})`,
    );
  }
  heading(t.services);
  if (data.services.length === 0) line(t.noServices);
  for (const { name, organisation, pseudonym, since, last, claims, apis } of data.services) {
    line(`${inLanguage(name, language)} (${inLanguage(organisation, language)})`, FONTS.bold);
    if (pseudonym !== undefined) line(`${t.pseudonym}: ${pseudonym}`);
    line([t.since(day(since)), last && t.last(day(last))].filter(Boolean).join(', '));
    for (const { claim, given, value, purpose } of claims) {
      const what = given ? plain(value ?? t.nothing) : t.notGiven;
      line(`– ${claimLabel(claim, language)}: ${what}. ${inLanguage(purpose, language)}`);
    }
    for (const { name, purpose } of apis.filter((one) => one.given)) {
      line(`– ${t.asksAt(inLanguage(name, language))}. ${inLanguage(purpose, language)}`);
    }
  }
  heading(t.pdfActivities);
  for (const { at, event, detail } of data.activities) line(`${at}: ${event} ${JSON.stringify(detail)}`);
  heading(t.pdfRecord);
  for (const { on, event, by } of data.record) line(`${day(on)}: ${event} (${by})`);
  root.end();
  doc.end();
  await ended;
  return Buffer.concat(chunks);
};
