import { showChanges } from '../client-changes.ts';
import { remote, serviceFiles } from '../remote.ts';
export const clientPlan = remote({
  name: 'client plan',
  text: { de: 'vergleicht die Dateien mit dem, was gilt', en: 'compares the files with what is in force' },
  options: {},
  positional: {
    name: 'TOWN.YAML',
    text: { de: 'Datei der Stadt; die Dienste liegen daneben', en: 'file of the town; the services lie beside it' },
    required: true,
  },
  changes: false,
  examples: ['client plan infra/towns/guetersloh/town.yaml'],
  input: ({ words }) => ({ files: serviceFiles(words[0] ?? '') }),
  show: showChanges,
});
