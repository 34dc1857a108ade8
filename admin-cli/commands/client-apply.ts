import { showChanges } from '../client-changes.ts';
import { remote } from '../remote.ts';
import { serviceFiles, TOWN_FILE, townFile } from '../town-files.ts';

export const clientApply = remote({
  name: 'client apply',
  text: { de: 'setzt die Dateien in Kraft', en: 'puts the files in force' },
  options: {},
  positional: TOWN_FILE,
  changes: true,
  examples: ['client apply --commit', 'client apply infra/towns/guetersloh/town.yaml --commit'],
  input: ({ words }, cli) => ({ files: serviceFiles(townFile(cli, words[0])) }),
  show: showChanges,
});
