/** What a terminal would obey, or what turns the order of letters around: C0 and C1 controls, and bidirectional marks. */
const OBEYED = /(?!\n)[\p{Cc}\p{Bidi_Control}]/gu;

/** Text that somebody else has written, made harmless for a terminal. */
export const plainText = (text: string): string => text.replace(OBEYED, '\ufffd');

/** The same for every text in an answer. */
export const plain = <T>(value: T): T => {
  if (typeof value === 'string') return plainText(value) as T;
  if (Array.isArray(value)) return value.map(plain) as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [plainText(name), plain(one)])) as T;
};
