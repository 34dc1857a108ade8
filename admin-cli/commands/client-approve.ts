import { showChanges } from '../client-changes.ts';
import { remote } from '../remote.ts';
export const clientApprove = remote({
  name: 'client approve',
  text: {
    de: 'setzt als zweite Person in Kraft, was eine andere mit client apply vorgeschlagen hat',
    en: 'puts in force, as the second person, what another has proposed with client apply',
  },
  options: {},
  positional: { name: 'NUMMER', text: { de: 'Nummer des Vorschlags', en: 'number of the proposal' }, required: true },
  changes: true,
  examples: ['client approve D-7K3F-29QX', 'client approve D-7K3F-29QX --commit'],
  input: ({ words }) => ({ number: words[0] }),
  show(cli, result) {
    if (result['again'] !== true) showChanges(cli, result);
  },
});
