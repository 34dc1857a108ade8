import { remote, SERVICE } from '../remote.ts';
export const clientShow = remote({
  name: 'client show',
  text: { de: 'zeigt, wie ein Dienst angeschlossen ist', en: 'shows how a service is registered' },
  options: {},
  positional: SERVICE,
  changes: false,
  examples: ['client show buergerportal'],
  input: ({ words }) => ({ client: words[0] }),
  show: (cli, result) => cli.print(JSON.stringify(result['registration'], null, 2)),
});
