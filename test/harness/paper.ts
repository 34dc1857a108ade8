/** A letter as a citizen sees it: rendered, its QR code read by a camera, its text read out. */
import { createCanvas } from '@napi-rs/canvas';
import jsQR from 'jsqr';
import { getDocument } from 'pdfjs-dist/legacy/build/pdf.mjs';

export type Paper = {
  readonly pages: number;
  /** The text of the first page. */
  readonly text: string;
  /** What the QR code says. */
  readonly qr: string | undefined;
  /** The tags of the first page, in the order of reading. */
  readonly tags: readonly string[];
  readonly language: string | undefined;
  readonly png: Buffer;
};

type Tagged = { role?: string; alt?: string; children?: Tagged[] };

const tagsOf = (node: Tagged): string[] => [
  ...(node.role === undefined ? [] : [node.role]),
  ...(node.children ?? []).flatMap(tagsOf),
];

type Page = Awaited<ReturnType<Awaited<ReturnType<typeof getDocument>['promise']>['getPage']>>;

/** Renders a page at about 150 dpi, and looks at it as a camera does. */
const look = async (page: Page): Promise<Pick<Paper, 'text' | 'qr' | 'png'>> => {
  const viewport = page.getViewport({ scale: 2 });
  const canvas = createCanvas(viewport.width, viewport.height);
  const canvasContext = canvas.getContext('2d');
  await page.render({ canvas: canvas as never, canvasContext: canvasContext as never, viewport }).promise;
  const { data, width, height } = canvasContext.getImageData(0, 0, viewport.width, viewport.height);
  const { items } = await page.getTextContent();
  return {
    text: items.map((item) => ('str' in item ? item.str : '')).join(' '),
    qr: jsQR.default(new Uint8ClampedArray(data), width, height)?.data,
    png: canvas.toBuffer('image/png'),
  };
};

const open = (pdf: Buffer) => getDocument({ data: new Uint8Array(pdf), verbosity: 0 }).promise;

/** All pages. */
export const readPages = async (pdf: Buffer): Promise<Pick<Paper, 'text' | 'qr' | 'png'>[]> => {
  const document = await open(pdf);
  const pages: Pick<Paper, 'text' | 'qr' | 'png'>[] = [];
  for (let number = 1; number <= document.numPages; number += 1) pages.push(await look(await document.getPage(number)));
  return pages;
};

/** The first page, and what the document says of itself. */
export const readPaper = async (pdf: Buffer): Promise<Paper> => {
  const document = await open(pdf);
  const page = await document.getPage(1);
  const { info } = await document.getMetadata();
  const tree = (await page.getStructTree()) as Tagged | null;
  return {
    ...(await look(page)),
    pages: document.numPages,
    tags: tree === null ? [] : tagsOf(tree),
    language: (info as { Language?: string }).Language,
  };
};
