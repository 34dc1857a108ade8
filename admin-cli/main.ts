#!/usr/bin/env node
import process from 'node:process';
import { type Cli, openCli } from './cli.ts';
import { complete, EXIT, Refusal, readArgs } from './command.ts';
import { COMMANDS } from './commands.ts';
import { helpOf, helpOfAll } from './help.ts';

const run = async (cli: Cli, argv: readonly string[]): Promise<number> => {
  const words = argv.filter((word, index) => !word.startsWith('-') && argv[index - 1] !== '--lang');
  if (words.length === 0) {
    cli.print(helpOfAll(cli, COMMANDS));
    return argv.some((word) => word === '--help' || word === '-h') ? EXIT.done : EXIT.usage;
  }
  const command =
    COMMANDS.find(({ name }) => name === `${words[0]} ${words[1]}`) ?? COMMANDS.find(({ name }) => name === words[0]);
  if (command === undefined) throw new Refusal(EXIT.usage, cli.t.unknownCommand(words.slice(0, 2).join(' ')));
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
  if (!(error instanceof Refusal)) throw error;
  cli.say(error.message);
  process.exitCode = error.exit;
}
