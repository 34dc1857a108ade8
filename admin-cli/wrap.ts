/** How wide a text stands in a terminal. */
export const width = (text: string): number => [...text].length;

export const pad = (text: string, to: number): string => text + ' '.repeat(Math.max(0, to - width(text)));

/** Narrower than this, lines are left to the terminal. */
const NARROWEST = 20;

/**
 * Breaks a text between words, so that behind the first `indent` places it keeps within `columns`; its further lines begin
 * there, too. Without `columns` (no terminal) it stays one line.
 */
export const wrap = (text: string, indent: number, columns: number | undefined): string => {
  const room = (columns ?? 0) - indent;
  if (room < NARROWEST) return text;
  const lines = [''];
  for (const word of text.split(' ')) {
    const line = lines.at(-1) ?? '';
    if (line === '') lines[lines.length - 1] = word;
    else if (width(line) + 1 + width(word) <= room) lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(word);
  }
  return lines.join(`\n${' '.repeat(indent)}`);
};
