import { ACCOUNT, remote, stateOf, WHO, withAccount, word } from '../remote.ts';
export const accountFind = remote({
  name: 'account find',
  text: { de: 'findet ein Konto, nur mit genauer Angabe', en: 'finds an account, by exact value only' },
  options: ACCOUNT,
  positional: WHO,
  input: withAccount,
  changes: false,
  examples: ['account find erika@example.org', 'account find erika@example.org --json'],
  show: (cli, result) =>
    cli.facts([
      [cli.t.words.kennung, word(result['kennung'])],
      [cli.t.words.status, stateOf(cli, result['status'])],
    ]),
});
