import { showChanges } from '../client-changes.ts';
import { remote, serviceFiles } from '../remote.ts';
export const clientApply = remote({
  name: 'client apply',
  text: { de: 'setzt die Dateien in Kraft', en: 'puts the files in force' },
  options: {},
  positional: {
    name: 'TOWN.YAML',
    text: { de: 'Datei der Stadt; die Dienste liegen daneben', en: 'file of the town; the services lie beside it' },
    required: true,
  },
  changes: true,
  examples: ['client apply infra/towns/guetersloh/town.yaml --commit'],
  input: ({ words }) => ({ files: serviceFiles(words[0] ?? '') }),
  show: showChanges,
});
