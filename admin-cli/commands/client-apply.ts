import { showChanges } from '../client-changes.ts';
import { remote } from '../remote.ts';
import { serviceFiles, TOWN_FILE, townFile } from '../town-files.ts';

export const clientApply = remote({
  name: 'client apply',
  text: {
    de: 'setzt die Dateien in Kraft; außer in der Sandbox schlägt es sie vor, und eine zweite Person stimmt zu',
    en: 'puts the files in force; outside of the sandbox it proposes them, and a second person agrees',
  },
  options: {},
  positional: TOWN_FILE,
  changes: true,
  examples: ['client apply --commit', 'client apply infra/towns/guetersloh/town.yaml --commit'],
  input: ({ words }, cli) => ({ files: serviceFiles(townFile(cli, words[0])) }),
  show(cli, result) {
    showChanges(cli, result);
    if (typeof result['number'] === 'string') cli.say(cli.t.nextClientApprove(result['number']));
  },
});
