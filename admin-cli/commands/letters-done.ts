import { remote, word } from '../remote.ts';
export const lettersDone = remote({
  name: 'letters done',
  text: { de: 'vermerkt, dass ein Stapel gedruckt ist', en: 'notes that a batch is on paper' },
  options: {},
  positional: { name: 'STAPEL', text: { de: 'Nummer des Stapels', en: 'number of the batch' }, required: true },
  changes: true,
  examples: ['letters done B-7K3F-29QX --commit'],
  input: ({ words }) => ({ batch: words[0] }),
  show: (cli, result) => cli.facts([[cli.t.words.letters, word(result['count'])]]),
});
