import { showChanges } from '../client-changes.ts';
import { remote } from '../remote.ts';
import { serviceFiles, TOWN_FILE, townFile } from '../town-files.ts';

export const clientPlan = remote({
  name: 'client plan',
  text: { de: 'vergleicht die Dateien mit dem, was gilt', en: 'compares the files with what is in force' },
  options: {},
  positional: TOWN_FILE,
  changes: false,
  examples: ['client plan', 'client plan infra/towns/guetersloh/town.yaml'],
  input: ({ words }, cli) => ({ files: serviceFiles(townFile(cli, words[0])) }),
  show: showChanges,
});
