import { createInterface } from 'node:readline/promises';
import { styleText } from 'node:util';
import { EXIT, Refusal } from './command.ts';
import { type CliTexts, textsIn } from './texts.ts';
import { pad, width, wrap } from './wrap.ts';

export type Language = 'de' | 'en';

/** The terminal, as commands see it. */
export type Cli = {
  readonly language: Language;
  readonly t: CliTexts;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly now: () => Date;
  /** Somebody is there who can answer. */
  readonly interactive: boolean;
  ask(question: string): Promise<string>;
  /** Of the terminal; undefined where the output goes elsewhere. */
  readonly columns: number | undefined;
  /** The result, to standard output. */
  print(line: string): void;
  /** Everything else, to standard error, so that scripts get the result alone. */
  say(line: string): void;
  /** A line that is replaced by the next one; at a terminal only. */
  progress(text: string): void;
  table(titles: readonly string[], rows: readonly (readonly string[])[]): void;
  /** Names with values, one a line. */
  facts(facts: readonly (readonly [string, string | undefined])[]): void;
  strong(text: string): string;
  good(text: string): string;
  bad(text: string): string;
};

const languageOf = (env: Cli['env'], argv: readonly string[]): Language => {
  const at = argv.indexOf('--lang');
  const asked = at >= 0 ? argv[at + 1] : argv.find((word) => word.startsWith('--lang='))?.slice('--lang='.length);
  const set = asked ?? env['LC_ALL'] ?? env['LC_MESSAGES'] ?? env['LANG'] ?? '';
  return set.toLowerCase().startsWith('en') ? 'en' : 'de';
};

/** Opens the terminal. Colour only where it is one, and where nobody has said no (https://no-color.org). */
export const openCli = (process: NodeJS.Process, argv: readonly string[]): Cli => {
  const { stdout, stderr, stdin, env } = process;
  const language = languageOf(env, argv);
  const coloured = stdout.isTTY === true && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb';
  const style = (format: Parameters<typeof styleText>[0], text: string): string =>
    coloured ? styleText(format, text, { validateStream: false }) : text;
  const print = (line: string): void => void stdout.write(`${line}\n`);
  const columns = stdout.isTTY === true ? stdout.columns : undefined;
  return {
    language,
    t: textsIn(language),
    env,
    columns,
    now: () => new Date(),
    interactive: stdin.isTTY === true && stderr.isTTY === true,
    async ask(question) {
      const line = createInterface({ input: stdin, output: stderr });
      // Ctrl-C and the end of the input close it without an answer.
      const left = new Promise<never>((_, reject) => {
        line.once('close', () => reject(new Refusal(EXIT.aborted, `\n${textsIn(language).aborted}`)));
      });
      try {
        return await Promise.race([line.question(question), left]);
      } finally {
        left.catch(() => {});
        line.close();
      }
    },
    print,
    say: (line) => void stderr.write(`${line}\n`),
    progress(text) {
      if (stderr.isTTY === true) stderr.write(`\r\u001b[2K${text}`);
    },
    table(titles, rows) {
      const widths = titles.map((title, index) =>
        Math.max(width(title), ...rows.map((row) => width(row[index] ?? ''))),
      );
      const before = widths.slice(0, -1).reduce((sum, one) => sum + one + 2, 0);
      const line = (cells: readonly string[]): string =>
        cells
          .map((cell, index) =>
            index === cells.length - 1 ? wrap(cell, before, columns) : pad(cell, widths[index] ?? 0),
          )
          .join('  ');
      print(style('bold', line(titles)));
      for (const row of rows) print(line(row));
    },
    facts(facts) {
      const known = facts.filter(([, value]) => value !== undefined && value !== '');
      const widest = Math.max(0, ...known.map(([name]) => width(name)));
      for (const [name, value] of known) print(`${style('dim', pad(name, widest))}  ${value}`);
    },
    strong: (text) => style('bold', text),
    good: (text) => style('green', text),
    bad: (text) => style('red', text),
  };
};
