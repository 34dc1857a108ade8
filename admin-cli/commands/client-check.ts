import { formatTownFault, loadTown } from '../../adapters/town.ts';
import type { Command } from '../command.ts';
import { EXIT } from '../command.ts';

export const clientCheck: Command = {
  name: 'client check',
  text: {
    de: 'prüft die Dateien der Stadt und ihrer Dienste hier, ohne Server',
    en: 'checks the files of the town and its services here, without a server',
  },
  options: {},
  positional: { name: 'TOWN.YAML', text: { de: 'Datei der Stadt', en: 'file of the town' }, required: true },
  changes: false,
  examples: ['client check infra/towns/guetersloh/town.yaml'],
  async run(cli, args) {
    const loaded = loadTown(args.words[0] ?? '');
    if ('faults' in loaded) {
      if (args.json) cli.print(JSON.stringify(loaded, null, 2));
      else for (const fault of loaded.faults) cli.print(formatTownFault(fault));
      return EXIT.faults;
    }
    cli.say(cli.good(cli.t.filesGood(loaded.registrations.length)));
    return EXIT.done;
  },
};
