/** The fields of a form that was sent: plain texts, each at most once. */
export type Form = {
  /** The text of a field, '' if it was not sent. */
  text(name: string): string;
  has(name: string): boolean;
  /** The names sent that are neither the form token nor among `known`. */
  unknown(known: readonly string[]): string[];
};

type Parsed =
  | { readonly outcome: 'form'; readonly form: Form }
  | { readonly outcome: 'malformed'; readonly reason: string };

const FIELD_NAME = /^[a-z][a-z0-9_.-]{0,40}$/;
const MAX_FIELDS = 40;

const malformed = (reason: string): Parsed => ({ outcome: 'malformed', reason });

/**
 * Reads `application/x-www-form-urlencoded`. A field sent twice, one that wants to be an array or an object (`a[]`,
 * `a[b]`), bytes that are no UTF-8 and control characters other than line breaks are refused, never guessed at
 * (GitLab CVE-2023-7028: an array of e-mail addresses got a reset mail for each).
 */
export const parseForm = (body: Buffer): Parsed => {
  const texts = new Map<string, string>();
  for (const pair of body.toString('latin1').split('&')) {
    if (pair === '') continue;
    const [name, value] = pair.split(/=(.*)/s, 2).map((part) => decode(part)) as [string | undefined, string?];
    if (name === undefined) return malformed('a field name is not UTF-8');
    if (!FIELD_NAME.test(name)) return malformed('a field name is not allowed');
    if (texts.has(name)) return malformed(`the field ${name} was sent twice`);
    const text = pair.includes('=') ? value : '';
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    if (text === undefined || /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/.test(text))
      return malformed(`the field ${name} is no text`);
    texts.set(name, text);
    if (texts.size > MAX_FIELDS) return malformed('there are too many fields');
  }
  return {
    outcome: 'form',
    form: {
      text: (name) => texts.get(name) ?? '',
      has: (name) => texts.has(name),
      unknown: (known) => [...texts.keys()].filter((name) => name !== 'token' && !known.includes(name)),
    },
  };
};

const decode = (part: string): string | undefined => {
  const bytes = Buffer.from(
    part
      .replaceAll('+', ' ')
      .replaceAll(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    'latin1',
  );
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
};
