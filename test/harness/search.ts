/** Looks for texts in whatever was stored, in all forms in which they may lie there. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';

/** All ways in which a text may lie somewhere: as it is, in either case, base64 at each of three offsets, hex, in a URL. */
export const formsOf = (text: string): Map<string, Buffer> => {
  const found = new Map<string, Buffer>();
  for (const variant of new Set([text, text.toLowerCase(), text.toUpperCase(), text.normalize('NFD')])) {
    found.set(`${variant} in a URL`, Buffer.from(encodeURIComponent(variant)));
    found.set(`${variant} in a form`, Buffer.from(new URLSearchParams([['', variant]]).toString().slice(1)));
    for (const encoding of ['utf8', 'latin1', 'utf16le'] as const) {
      const bytes = Buffer.from(variant, encoding);
      found.set(`${variant} ${encoding}`, bytes);
      found.set(`${variant} ${encoding} hex`, Buffer.from(bytes.toString('hex')));
      found.set(`${variant} ${encoding} HEX`, Buffer.from(bytes.toString('hex').toUpperCase()));
      for (const offset of [0, 1, 2]) {
        // The characters at both ends depend on the neighbouring bytes.
        const base64 = Buffer.concat([Buffer.alloc(offset), bytes])
          .toString('base64')
          .replaceAll('=', '');
        const core = base64.slice(
          offset === 0 ? 0 : offset + 1,
          bytes.length % 3 === 0 && offset === 0 ? undefined : -2,
        );
        if (core.length < 8) continue;
        found.set(`${variant} ${encoding} base64 +${offset}`, Buffer.from(core));
        found.set(
          `${variant} ${encoding} base64url +${offset}`,
          Buffer.from(core.replaceAll('+', '-').replaceAll('/', '_')),
        );
      }
    }
  }
  return found;
};

export const filesIn = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => path.join(folder, name))
    .filter((file) => statSync(file, { throwIfNoEntry: false })?.isFile());

/** Wanted bytes by their first three: most places in a file are passed by after one look at a bit. */
const indexed = (wanted: readonly (readonly [string, Buffer])[]) => {
  const bits = new Uint8Array(1 << 21);
  const byStart = new Map<number, (readonly [string, Buffer])[]>();
  for (const entry of wanted) {
    const [, bytes] = entry;
    const start = ((bytes[0] ?? 0) << 16) | ((bytes[1] ?? 0) << 8) | (bytes[2] ?? 0);
    bits[start >> 3] = (bits[start >> 3] ?? 0) | (1 << (start & 7));
    const known = byStart.get(start);
    if (known === undefined) byStart.set(start, [entry]);
    else known.push(entry);
  }
  return { bits, byStart };
};

/** Which of the texts lie in the contents, and where. */
export const searchIn = (contents: Iterable<readonly [name: string, Buffer]>, texts: readonly string[]): string[] => {
  const { bits, byStart } = indexed(texts.flatMap((text) => [...formsOf(text)]));
  const hits = new Set<string>();
  for (const [place, content] of contents) {
    let start = 0;
    for (let at = 0; at < content.length; at += 1) {
      start = ((start << 8) | (content[at] ?? 0)) & 0xffffff;
      if (((bits[start >> 3] ?? 0) & (1 << (start & 7))) === 0 || at < 2) continue;
      for (const [name, bytes] of byStart.get(start) ?? []) {
        if (content.subarray(at - 2, at - 2 + bytes.length).equals(bytes)) hits.add(`${name} in ${place}`);
      }
    }
  }
  return [...hits];
};

/** Which of the texts lie in the files of a folder. */
export const searchFiles = (folder: string, texts: readonly string[]): string[] =>
  searchIn(
    filesIn(folder).map((file) => [path.relative(folder, file), readFileSync(file)] as const),
    texts,
  );
