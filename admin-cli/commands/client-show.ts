import { remote } from '../remote.ts';
export const clientShow = remote({
  name: 'client show',
  text: { de: 'zeigt, wie ein Dienst angeschlossen ist', en: 'shows how a service is registered' },
  options: {},
  positional: {
    name: 'DIENST',
    text: { de: 'client_id des Dienstes', en: 'client_id of the service' },
    required: true,
  },
  changes: false,
  examples: ['client show buergerportal'],
  input: ({ words }) => ({ client: words[0] }),
  show: (cli, result) => cli.print(JSON.stringify(result['registration'], null, 2)),
});
