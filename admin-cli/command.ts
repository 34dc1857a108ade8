import { parseArgs } from 'node:util';
import type { Cli } from './cli.ts';

/** A text in the two languages of the command line. */
export type Bilingual = { readonly de: string; readonly en: string };

export type Option = {
  readonly type: 'string' | 'boolean';
  readonly text: Bilingual;
  /** Asked for at a terminal when it is missing; without one, the command is refused. */
  readonly required?: boolean;
  readonly values?: readonly string[];
  /** What stands for the value in the help. */
  readonly value?: string;
};

export type Positional = {
  readonly name: string;
  readonly text: Bilingual;
  readonly required: boolean;
  /** Options that say the same. */
  readonly unless?: readonly string[];
};

export type Args = {
  readonly options: Readonly<Record<string, string | boolean | undefined>>;
  readonly words: readonly string[];
  readonly commit: boolean;
  readonly json: boolean;
};

export type Command = {
  /** `recovery open` */
  readonly name: string;
  readonly text: Bilingual;
  readonly options: Readonly<Record<string, Option>>;
  readonly positional?: Positional;
  /** Changes something: a dry run until `--commit`. */
  readonly changes: boolean;
  /** Without the leading `schluessel`. */
  readonly examples: readonly string[];
  readonly run: (cli: Cli, args: Args) => Promise<number>;
};

/** What a command ends with; documented in docs/verwaltung.md. */
export const EXIT = {
  done: 0,
  refused: 1,
  usage: 2,
  signIn: 3,
  notPermitted: 4,
  wait: 5,
  unavailable: 6,
  faults: 7,
  /** As shells count it: 128 and the number of SIGINT. */
  aborted: 130,
} as const;

/** Said to the person, who can put it right. */
export class Refusal extends Error {
  readonly exit: number;
  constructor(exit: number, message: string) {
    super(message);
    this.exit = exit;
  }
}

/** Options that every command has. */
export const COMMON = {
  json: { type: 'boolean', text: { de: 'Ausgabe als JSON, für Skripte', en: 'output as JSON, for scripts' } },
  help: { type: 'boolean', text: { de: 'diese Hilfe', en: 'this help' } },
  lang: {
    type: 'string',
    values: ['de', 'en'],
    text: { de: 'Sprache der Ausgabe', en: 'language of the output' },
  },
} as const satisfies Readonly<Record<string, Option>>;

const COMMIT: Option = {
  type: 'boolean',
  text: { de: 'wirklich ausführen; ohne das ist es ein Probelauf', en: 'really do it; without this it is a dry run' },
};

/** All options of a command, its own first. */
export const optionsOf = (command: Command): Readonly<Record<string, Option>> => ({
  ...command.options,
  ...(command.changes && { commit: COMMIT }),
  ...COMMON,
});

type Token = {
  readonly rawName: string;
  readonly value?: string | undefined;
  readonly inlineValue?: boolean | undefined;
};

const faultOf = (cli: Cli, option: Option | undefined, { rawName, value, inlineValue }: Token): string | undefined => {
  if (option === undefined) return cli.t.unknownOption(rawName);
  if (option.type === 'boolean') return value === undefined ? undefined : cli.t.takesNoValue(rawName);
  const forgotten = value === undefined || (inlineValue !== true && value.startsWith('-'));
  return forgotten ? cli.t.needsValue(rawName) : undefined;
};

/** Reads the words after a command's name; throws a `Refusal` that says which is wrong. */
export const readArgs = (cli: Cli, command: Command, argv: readonly string[]): Args & { help: boolean } => {
  const known = optionsOf(command);
  const parsed = parseArgs({
    args: [...argv],
    allowPositionals: true,
    // Not strict: its errors are in English alone.
    strict: false,
    tokens: true,
    options: Object.fromEntries(
      Object.entries(known).map(([name, { type }]) => [name, { type, ...(name === 'help' && { short: 'h' }) }]),
    ),
  });
  for (const token of parsed.tokens) {
    if (token.kind !== 'option') continue;
    const fault = faultOf(cli, Object.hasOwn(known, token.name) ? known[token.name] : undefined, token);
    if (fault !== undefined) throw new Refusal(EXIT.usage, fault);
  }
  const values = parsed.values as Args['options'];
  for (const [name, option] of Object.entries(known)) {
    const value = values[name];
    if (typeof value === 'string' && option.values && !option.values.includes(value)) {
      throw new Refusal(EXIT.usage, cli.t.notOneOf(`--${name}`, option.values));
    }
  }
  const most = command.positional === undefined ? 0 : 1;
  if (parsed.positionals.length > most) {
    throw new Refusal(EXIT.usage, cli.t.tooMany(parsed.positionals[most] ?? ''));
  }
  return {
    options: values,
    words: parsed.positionals,
    commit: values['commit'] === true,
    json: values['json'] === true,
    help: values['help'] === true,
  };
};

/** Asks at the terminal for what is missing. */
export const complete = async (cli: Cli, command: Command, args: Args): Promise<Args> => {
  const options = { ...args.options };
  const words = [...args.words];
  const said = command.positional?.unless?.some((name) => options[name] !== undefined) === true;
  if (command.positional?.required === true && words.length === 0 && !said) {
    words.push(await ask(cli, command.positional.name, command.positional.text[cli.language]));
  }
  for (const [name, option] of Object.entries(command.options)) {
    if (option.required === true && options[name] === undefined) {
      options[name] = await ask(cli, `--${name}`, option.text[cli.language], option.values);
    }
  }
  return { ...args, options, words };
};

const ask = async (cli: Cli, name: string, text: string, values?: readonly string[]): Promise<string> => {
  if (!cli.interactive) throw new Refusal(EXIT.usage, cli.t.missing(name));
  const choice = values?.map((value, index) => `  ${index + 1} ${cli.t.terms[value] ?? value}`).join('\n');
  for (;;) {
    const answer = (await cli.ask(choice === undefined ? `${text}: ` : `${text}:\n${choice}\n> `)).trim();
    if (values === undefined && answer !== '') return answer;
    // A number, the word itself, or its first letters where they fit only one.
    const numbered = /^\d+$/.test(answer) ? values?.[Number(answer) - 1] : undefined;
    if (numbered !== undefined) return numbered;
    const fitting = values?.filter((value) => value.startsWith(answer)) ?? [];
    if (values?.includes(answer) === true) return answer;
    if (answer !== '' && fitting.length === 1 && fitting[0] !== undefined) return fitting[0];
    if (values !== undefined) cli.say(cli.t.choose(values.length));
  }
};
