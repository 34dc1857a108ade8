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

/** Renders the first page at about 150 dpi. */
export const readPaper = async (pdf: Buffer): Promise<Paper> => {
  const document = await getDocument({ data: new Uint8Array(pdf), verbosity: 0 }).promise;
  const page = await document.getPage(1);
  const viewport = page.getViewport({ scale: 2 });
  const canvas = createCanvas(viewport.width, viewport.height);
  const canvasContext = canvas.getContext('2d');
  await page.render({ canvas: canvas as never, canvasContext: canvasContext as never, viewport }).promise;
  const { data, width, height } = canvasContext.getImageData(0, 0, viewport.width, viewport.height);
  const { items } = await page.getTextContent();
  const { info } = await document.getMetadata();
  const tree = (await page.getStructTree()) as Tagged | null;
  return {
    pages: document.numPages,
    text: items.map((item) => ('str' in item ? item.str : '')).join(' '),
    qr: jsQR.default(new Uint8ClampedArray(data), width, height)?.data,
    tags: tree === null ? [] : tagsOf(tree),
    language: (info as { Language?: string }).Language,
    png: canvas.toBuffer('image/png'),
  };
};
