import { day } from '../moments.ts';
import { ACCOUNT, remote, stateOf, WHO, withAccount, word } from '../remote.ts';
export const accountShow = remote({
  name: 'account show',
  text: { de: 'zeigt, was der Schalter von einem Konto braucht', en: 'shows what the counter needs of an account' },
  options: ACCOUNT,
  positional: WHO,
  input: withAccount,
  changes: false,
  examples: ['account show GT-4F7K-29QX-C'],
  show(cli, result) {
    const account = result['account'] as Record<string, unknown>;
    const w = cli.t.words;
    const yes = (value: unknown): string => (value === true ? cli.t.yes : cli.t.no);
    cli.facts([
      [w.kennung, word(account['kennung'])],
      [w.status, stateOf(cli, account['status'])],
      [w.name, word(account['name'])],
      [w.email, word(account['email'])],
      [w.post, yes(account['post'])],
      [w.language, word(account['language'])],
      [w.createdOn, day(cli, account['createdOn'])],
      [w.passkeys, word(account['passkeys'])],
      [w.password, yes(account['password'])],
      [w.reduced, account['reduced'] === true ? cli.t.reduced : undefined],
      [w.recovery, word(account['recovery'])],
    ]);
  },
});
