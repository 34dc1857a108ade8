/** ASVS 5.0 6.2.1 and NIST SP 800-63B-4 §3.1.1.2: as the only factor 15; long enough for any passphrase. Code points. */
const MIN_PASSWORD_LENGTH = 15;
const MAX_PASSWORD_LENGTH = 128;

export type PasswordVerdict = 'ok' | 'too-short' | 'too-long' | 'too-common';

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
export const judge = (password: string, hints: readonly string[]): PasswordVerdict => {
  const normalised = password.normalize('NFKC');
  const length = [...normalised].length;
  if (length < MIN_PASSWORD_LENGTH) return 'too-short';
  if (length > MAX_PASSWORD_LENGTH) return 'too-long';
  // Without letters and digits nothing below applies: `folded` would leave nothing of it.
  const symbols = normalised.replace(/[\p{L}\p{N}\s]/gu, '');
  const words = [...hints, ...hints.flatMap((hint) => hint.split(/[@.\s-]+/)), ...COMMON]
    .flatMap(variants)
    .filter((word) => word.length >= MIN_HINT_LENGTH)
    .sort((one, other) => other.length - one.length);
  let rest = folded(normalised);
  for (const word of words) rest = rest.replaceAll(word, '');
  rest = withoutRuns(rest) + withoutRuns(symbols);
  const distinct = new Set(rest).size;
  return [...rest].length < MIN_UNGUESSABLE || distinct < MIN_DISTINCT ? 'too-common' : 'ok';
};
