import { createRequire } from 'node:module';
import PDFDocument from 'pdfkit';
import type { Export } from '../../accounts/export.ts';
import { claimLabel, readableDay } from '../claim-value.view.ts';
import { inLanguage, type Language, textsIn } from '../language.ts';
import { datenTexts } from '../texts/daten.ts';
import { moment } from './page.view.ts';

const require = createRequire(import.meta.url);
const FONTS = {
  regular: require.resolve('@expo-google-fonts/fira-sans/400Regular/FiraSans_400Regular.ttf'),
  bold: require.resolve('@expo-google-fonts/fira-sans/600SemiBold/FiraSans_600SemiBold.ttf'),
};
const MARGIN = 56;
const SIZE = { title: 20, heading: 14, text: 10.5 };

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

/** A value in one line. */
const plain = (value: unknown, language: Language): string => {
  const { common } = textsIn(language);
  if (typeof value === 'boolean') return value ? common.yes : common.no;
  if (Array.isArray(value)) return value.map((one) => plain(one, language)).join(', ');
  if (!isRecord(value)) return String(value);
  if (typeof value['formatted'] === 'string') return value['formatted'].replaceAll('\n', ', ');
  return Object.values(value)
    .map((one) => plain(one, language))
    .join(', ');
};

const DATE = /^(\d{4}-\d{2}-\d{2})(T|$)/;

/** One means of signing in, letter or recovery: what is known of it, days in words. */
const means = (row: Readonly<Record<string, unknown>>, language: Language): string => {
  const { columns } = datenTexts(language);
  return Object.entries(row)
    .filter(([, value]) => value !== null && value !== undefined)
    .map(([column, value]) => {
      const [, date] = DATE.exec(String(value)) ?? [];
      const shown = date === undefined ? plain(value, language) : readableDay(date, language);
      return `${columns[column] ?? column}: ${shown}`;
    })
    .join('; ');
};

const named = (names: Readonly<Record<string, string>>, name: string): string => names[name] ?? name;

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
    const label = named(t.attributes, name);
    const checked = level && textsIn(language).consent.levels[level as 'low'];
    const about = [named(t.sources, source), checked, day(recorded_on)].filter(Boolean).join(', ');
    line(`${label}: ${plain(value, language)} (${about})`);
  }
  heading(t.services);
  if (data.services.length === 0) line(t.noServices);
  for (const { name, organisation, pseudonym, since, last, claims, apis } of data.services) {
    line(`${inLanguage(name, language)} (${inLanguage(organisation, language)})`, FONTS.bold);
    if (pseudonym !== undefined) line(`${t.pseudonym}: ${pseudonym}`);
    line([t.since(day(since)), last && t.last(day(last))].filter(Boolean).join(', '));
    for (const { claim, given, value, purpose } of claims) {
      const what = given ? plain(value ?? t.nothing, language) : t.notGiven;
      line(`– ${claimLabel(claim, language)}: ${what}. ${inLanguage(purpose, language)}`);
    }
    for (const { name, purpose } of apis.filter((one) => one.given)) {
      line(`– ${t.asksAt(inLanguage(name, language))}. ${inLanguage(purpose, language)}`);
    }
  }
  heading(t.means);
  for (const [table, rows] of Object.entries(data.sign_in_means)) {
    if (rows.length === 0) continue;
    line(`${named(t.tables, table)}: ${rows.length}`, FONTS.bold);
    for (const text of rows.map((row) => means(row, language)).filter(Boolean)) line(`– ${text}`);
  }
  const { log } = textsIn(language).konto;
  heading(t.pdfActivities);
  for (const { at, event, detail } of data.activities) {
    const method = 'method' in detail ? ` (${named(log.methods, String(detail.method))})` : '';
    line(`${moment(new Date(at), language)}: ${named(log.events, event)}${method}`);
  }
  heading(t.pdfRecord);
  for (const { on, event, by } of data.record) {
    line(`${day(on)}: ${named(log.events, event)}${by === 'staff' ? `, ${log.byOthers}` : ''}`);
  }
  root.end();
  doc.end();
  await ended;
  return Buffer.concat(chunks);
};
