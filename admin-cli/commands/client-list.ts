import { when } from '../moments.ts';
import { remote, word } from '../remote.ts';
export const clientList = remote({
  name: 'client list',
  text: { de: 'zeigt die angeschlossenen Dienste', en: 'shows the services in force' },
  options: {},
  changes: false,
  examples: ['client list'],
  show(cli, result) {
    const w = cli.t.words;
    cli.table(
      [w.client, w.organisation, w.kind, w.secrets, w.name],
      (result['clients'] as Record<string, unknown>[]).map((one) => [
        word(one['client']),
        word(one['organisation']),
        word(one['kind']),
        word(one['secrets']),
        word(one['name']),
      ]),
    );
    const proposal = result['proposal'] as Record<string, unknown> | undefined;
    if (proposal !== undefined)
      cli.say(
        cli.t.clientWaits(word(proposal['number']), word(proposal['proposedBy']), when(cli, proposal['proposedAt'])),
      );
  },
});
