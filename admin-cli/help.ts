import type { Cli } from './cli.ts';
import { type Command, optionsOf } from './command.ts';
import { pad, width, wrap } from './wrap.ts';

const LONGEST_NAME = 42;

/** Names with what they mean, indented; a name too long for its column pushes what follows. */
const list = (cli: Cli, entries: readonly (readonly [name: string, text: string])[]): string[] => {
  const longest = Math.min(LONGEST_NAME, Math.max(...entries.map(([name]) => width(name)))) + 2;
  return entries.map(([name, text]) => `  ${pad(`${name} `, longest)}${wrap(text, longest + 2, cli.columns)}`);
};

/** All commands, a line each. */
export const helpOfAll = (cli: Cli, commands: readonly Command[]): string => {
  const lines = list(
    cli,
    commands.map(({ name, text }) => [name, text[cli.language]]),
  );
  return [
    cli.t.usage,
    '',
    `${cli.strong(cli.t.commands)}`,
    ...lines,
    '',
    cli.t.helpHint,
    wrap(cli.t.exits, 0, cli.columns),
  ].join('\n');
};

/** One command: what it does, its options, examples. */
export const helpOf = (cli: Cli, command: Command): string => {
  const { positional } = command;
  const place = positional === undefined ? '' : positional.required ? ` <${positional.name}>` : ` [${positional.name}]`;
  const options = Object.entries(optionsOf(command)).map(([name, option]) => {
    const value = option.type === 'boolean' ? '' : ` ${option.value ?? option.values?.join('|') ?? 'TEXT'}`;
    return [`--${name}${value}`, option.text[cli.language]] as const;
  });
  return [
    `schluessel ${command.name}${place}`,
    '',
    `  ${wrap(command.text[cli.language], 2, cli.columns)}`,
    ...(positional === undefined ? [] : [`  ${positional.name}: ${positional.text[cli.language]}`]),
    '',
    cli.strong(cli.t.options),
    ...list(cli, options),
    '',
    cli.strong(cli.t.examples),
    ...command.examples.map((example) => `  schluessel ${example}`),
  ].join('\n');
};
