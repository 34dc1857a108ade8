import { EXIT, Refusal } from '../command.ts';
import { OUTPUT, remote, word } from '../remote.ts';
export const lettersPrint = remote({
  name: 'letters print',
  text: {
    de: 'nimmt wartende Briefe und schreibt sie in eine Datei zum Drucken; bis letters done immer dieselben',
    en: 'takes waiting letters and writes them to a file to print; the same ones until letters done',
  },
  options: {
    limit: {
      type: 'string',
      value: 'ZAHL',
      text: { de: 'höchstens so viele (sonst 50)', en: 'at most so many (else 50)' },
    },
    ...OUTPUT,
  },
  changes: true,
  examples: ['letters print --commit', 'letters print --limit 20 --output briefe.pdf --commit'],
  input({ options }, cli) {
    const { limit } = options;
    if (limit === undefined) return {};
    if (!/^[1-9]\d{0,2}$/.test(String(limit))) throw new Refusal(EXIT.usage, cli.t.wrongFields(['--limit']));
    return { limit: Number(limit) };
  },
  show(cli, result) {
    if (result['count'] === 0) return cli.say(cli.t.none);
    cli.facts([
      [cli.t.words.letters, word(result['count'])],
      [cli.t.words.batch, word(result['batch'])],
    ]);
    if (typeof result['letter'] === 'string') cli.say(cli.t.lettersAt(result['letter'], word(result['batch'])));
  },
});
