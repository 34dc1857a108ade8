#!/usr/bin/env node
import process from 'node:process';
import { type Cli, openCli } from './cli.ts';
import { complete, EXIT, Refusal, readArgs } from './command.ts';
import { COMMANDS } from './commands.ts';
import { helpOf, helpOfAll } from './help.ts';

const run = async (cli: Cli, argv: readonly string[]): Promise<number> => {
  const words = argv.filter((word, index) => !word.startsWith('-') && argv[index - 1] !== '--lang');
  const asksForHelp = argv.some((word) => word === '--help' || word === '-h');
  if (words.length === 0) {
    cli.print(helpOfAll(cli, COMMANDS));
    return asksForHelp ? EXIT.done : EXIT.usage;
  }
  const command =
    COMMANDS.find(({ name }) => name === `${words[0]} ${words[1]}`) ?? COMMANDS.find(({ name }) => name === words[0]);
  if (command === undefined) {
    const siblings = COMMANDS.filter(({ name }) => name.startsWith(`${words[0]} `));
    if (siblings.length === 0) throw new Refusal(EXIT.usage, cli.t.unknownCommand(words.slice(0, 2).join(' ')));
    if (words.length === 1 && asksForHelp) {
      cli.print(helpOfAll(cli, siblings));
      return EXIT.done;
    }
    const verbs = siblings.map(({ name, text }) => `  schluessel ${name}  ${text[cli.language]}`);
    throw new Refusal(EXIT.usage, [cli.t.unknownCommand(words.slice(0, 2).join(' ')), ...verbs].join('\n'));
  }
  const own = command.name.split(' ');
  const rest = argv.filter((word) => {
    const isName = own[0] === word;
    if (isName) own.shift();
    return !isName;
  });
  const args = readArgs(cli, command, rest);
  if (args.help) {
    cli.print(helpOf(cli, command));
    return EXIT.done;
  }
  return command.run(cli, await complete(cli, command, args));
};

/** A file or folder that the person has named, or that is theirs, does not do; undefined for anything else. */
const fileTrouble = (cli: Cli, error: unknown): Refusal | undefined => {
  const { code, path } = error as NodeJS.ErrnoException;
  if (code === undefined || path === undefined) return undefined;
  return new Refusal(EXIT.usage, code === 'ENOENT' ? cli.t.noSuchFile(path) : cli.t.fileTrouble(path, code));
};

// `schluessel audit export | head` is no fault.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(EXIT.done);
});
const argv = process.argv.slice(2);
const cli = openCli(process, argv);
try {
  process.exitCode = await run(cli, argv);
} catch (error) {
  const refusal = error instanceof Refusal ? error : fileTrouble(cli, error);
  if (refusal === undefined) throw error;
  cli.say(refusal.message);
  process.exitCode = refusal.exit;
}
