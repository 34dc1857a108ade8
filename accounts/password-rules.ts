import { createHash, randomInt } from 'node:crypto';

/** ASVS 5.0 6.2.1 and NIST SP 800-63B-4 §3.1.1.2: as the only factor 15, beside a second one 8. Code points. */
export const MIN_PASSWORD_LENGTH = 15;
export const MIN_LENGTH_BESIDE_SECOND_FACTOR = 8;
const MAX_PASSWORD_LENGTH = 128;

/** Why a password is refused; `local`: little is left of it without words of the town or of the citizen. */
export type PasswordVerdict = 'ok' | 'too-short' | 'too-long' | 'too-common' | 'local' | 'breached';

/** Whether the SHA-1 of a password (upper-case hex) is on the operator's list of breached ones. */
export type BreachedList = (sha1: string) => Promise<boolean>;

/** Characters that must be left when the guessable parts are taken out. */
const MIN_UNGUESSABLE = 6;
const MIN_DISTINCT = 5;
const MIN_HINT_LENGTH = 4;

const COMMON = ['passwort', 'password', 'kennwort', 'geheim', 'willkommen', 'welcome', 'hallo', 'letmein', 'iloveyou']
  .concat(['ichliebedich', 'schatz', 'fussball', 'admin', 'login', 'sommer', 'winter', 'qwertz', 'qwerty', 'asdf'])
  .concat(['stadtschluessel', 'buerger', 'stadt', 'test']);

/** One spelling for all: lower case, no punctuation, umlauts written out. */
const folded = (text: string): string =>
  text
    .normalize('NFKC')
    .toLowerCase()
    .replaceAll('ä', 'ae')
    .replaceAll('ö', 'oe')
    .replaceAll('ü', 'ue')
    .replaceAll('ß', 'ss')
    .replace(/[^\p{L}\p{N}]/gu, '');

/** Also as people write it without umlauts on a foreign keyboard: `guetersloh` and `gutersloh`. */
const variants = (word: string): string[] => {
  const full = folded(word);
  return [full, full.replaceAll('ae', 'a').replaceAll('oe', 'o').replaceAll('ue', 'u')];
};

/** The characters that do not simply repeat or count on from the one before (`aaaa`, `12345`, `cba`). */
const withoutRuns = (text: string): string => {
  const characters = [...text];
  const code = (position: number): number => characters[position]?.codePointAt(0) ?? Number.NaN;
  return characters
    .filter(
      (_, at) =>
        at < 2 || Math.abs(code(at) - code(at - 1)) > 1 || code(at) - code(at - 1) !== code(at - 1) - code(at - 2),
    )
    .join('');
};

/**
 * Judges a new password by length and by what is left without guessable parts.
 * @param hints words that others connect with the citizen: identifier, name of the town and its services
 */
export const judge = (
  password: string,
  hints: readonly string[],
  minimum: number = MIN_PASSWORD_LENGTH,
): PasswordVerdict => {
  const normalised = password.normalize('NFKC');
  const length = lengthOf(password);
  if (length < minimum) return 'too-short';
  if (length > MAX_PASSWORD_LENGTH) return 'too-long';
  // Without letters and digits nothing below applies: `folded` would leave nothing of it.
  const symbols = normalised.replace(/[\p{L}\p{N}\s]/gu, '');
  const words = [...hints, ...hints.flatMap((hint) => hint.split(/[@.\s-]+/)), ...COMMON]
    .flatMap(variants)
    .filter((word) => word.length >= MIN_HINT_LENGTH)
    .sort((one, other) => other.length - one.length);
  const whole = folded(normalised);
  let rest = whole;
  for (const word of words) rest = rest.replaceAll(word, '');
  const bare = withoutRuns(rest) + withoutRuns(symbols);
  const enough = [...bare].length >= MIN_UNGUESSABLE && new Set(bare).size >= MIN_DISTINCT;
  if (enough) return 'ok';
  const local = hints.flatMap((hint) => [hint, ...hint.split(/[@.\s-]+/)]).flatMap(variants);
  return local.some((word) => word.length >= MIN_HINT_LENGTH && whole.includes(word)) ? 'local' : 'too-common';
};

/** Characters as people count them (code points), however a keyboard composes them. */
export const lengthOf = (password: string): number => [...password.normalize('NFKC')].length;

/** zxcvbn's scale goes to 4; from 3 on a password is `safely unguessable` (10^8 guesses and more). */
const MIN_SCORE = 3;
/** Longer ones cost time and are judged by their beginning. */
const JUDGED_CHARACTERS = 64;

type Zxcvbn = { check(password: string, hints?: (string | number)[]): { score: number } };
let zxcvbn: Promise<Zxcvbn> | undefined;

/** The dictionaries take a second to load and 60 MB: only processes that judge passwords do, at the first one. */
const estimator = (): Promise<Zxcvbn> => {
  zxcvbn ??= (async () => {
    const [{ ZxcvbnFactory }, common, german] = await Promise.all([
      import('@zxcvbn-ts/core'),
      import('@zxcvbn-ts/language-common'),
      import('@zxcvbn-ts/language-de'),
    ]);
    return new ZxcvbnFactory({
      dictionary: { ...common.dictionary, ...german.dictionary },
      graphs: common.adjacencyGraphs,
    });
  })();
  return zxcvbn;
};

/**
 * Judges a new password by everything there is: length, words of town and citizen, zxcvbn with the German dictionaries,
 * the operator's list of breached passwords.
 * @param hints words that others connect with the citizen
 */
export const assess = async (
  password: string,
  hints: readonly string[],
  options: { readonly minimum?: number; readonly breached?: BreachedList | undefined } = {},
): Promise<PasswordVerdict> => {
  const verdict = judge(password, hints, options.minimum);
  if (verdict !== 'ok') return verdict;
  const normalised = password.normalize('NFKC');
  const words = hints.flatMap((hint) => [hint, ...hint.split(/[@.\s-]+/)]).flatMap(variants);
  const start = [...normalised].slice(0, JUDGED_CHARACTERS).join('');
  const scored = (await estimator()).check(
    start,
    words.filter((word) => word.length >= MIN_HINT_LENGTH),
  );
  if (scored.score < MIN_SCORE) return 'too-common';
  const sha1 = createHash('sha1').update(password, 'utf8').digest('hex').toUpperCase();
  return (await options.breached?.(sha1)) === true ? 'breached' : 'ok';
};

const PASSPHRASE_WORDS = 5;
const PASSPHRASE_CHOICE = 4096;
/** The words come from films: a town offers nobody a phrase about these. */
const UNSEEMLY =
  /arsch|babe|bitch|blut|bomb|bumm|dirne|drog|dumm|erschi|fick|fuck|geil|gewalt|heroin|hitler|huren?|idiot|jude|kack|kill|koka|krieg|leich|lesb|mafia|mord|muschi|nackt|nazi|neger|nutt|opfer|piss|porn|quael|schei|schlamp|schwanz|schwul|sex|shit|starb|steh[lr]|sterb|stirb|teufel|titten|toete|tote|trottel|waffe|whisk|wichs/;

let words: Promise<readonly string[]> | undefined;

/** Short German words that everybody can write: five of 4,096 make 60 bits. */
const passphraseWords = (): Promise<readonly string[]> => {
  words ??= (async () => {
    const { dictionary } = await import('@zxcvbn-ts/language-de');
    const common = dictionary['commonWords'] as Iterable<string>;
    const plain = [...common].filter((word) => /^[a-z]{4,7}$/.test(word) && !UNSEEMLY.test(word));
    return plain.slice(0, PASSPHRASE_CHOICE);
  })();
  return words;
};

/** A passphrase of five random words, to be offered. */
export const newPassphrase = async (): Promise<string> => {
  const all = await passphraseWords();
  return Array.from({ length: PASSPHRASE_WORDS }, () => all[randomInt(all.length)]).join(' ');
};
