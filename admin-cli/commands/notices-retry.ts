import { remote, word } from '../remote.ts';
export const noticesRetry = remote({
  name: 'notices retry',
  text: { de: 'versucht alles noch einmal, was nicht zugestellt wurde', en: 'tries again what was not delivered' },
  options: {},
  changes: true,
  examples: ['notices retry --commit'],
  show: (cli, result) => cli.print(word(result['count'])),
});
