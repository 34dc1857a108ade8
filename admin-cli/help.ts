import type { Cli } from './cli.ts';
import { type Command, optionsOf } from './command.ts';

const pad = (text: string, width: number): string => text + ' '.repeat(Math.max(1, width - [...text].length));

/** All commands, a line each. */
export const helpOfAll = (cli: Cli, commands: readonly Command[]): string => {
  const width = Math.max(...commands.map(({ name }) => name.length)) + 2;
  const lines = commands.map(({ name, text }) => `  ${pad(name, width)}${text[cli.language]}`);
  return [cli.t.usage, '', `${cli.strong(cli.t.commands)}`, ...lines, '', cli.t.helpHint, cli.t.exits].join('\n');
};

/** One command: what it does, its options, examples. */
export const helpOf = (cli: Cli, command: Command): string => {
  const { positional } = command;
  const place = positional === undefined ? '' : positional.required ? ` <${positional.name}>` : ` [${positional.name}]`;
  const options = Object.entries(optionsOf(command)).map(([name, option]) => {
    const value = option.type === 'boolean' ? '' : ` ${option.value ?? option.values?.join('|') ?? 'TEXT'}`;
    return [`--${name}${value}`, option.text[cli.language]] as const;
  });
  const width = Math.min(44, Math.max(...options.map(([name]) => [...name].length)) + 2);
  return [
    `schluessel ${command.name}${place}`,
    '',
    `  ${command.text[cli.language]}`,
    ...(positional === undefined ? [] : [`  ${positional.name}: ${positional.text[cli.language]}`]),
    '',
    cli.strong(cli.t.options),
    ...options.map(([name, text]) => `  ${pad(name, width)}${text}`),
    '',
    cli.strong(cli.t.examples),
    ...command.examples.map((example) => `  schluessel ${example}`),
  ].join('\n');
};
