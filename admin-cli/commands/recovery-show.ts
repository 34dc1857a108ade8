import { remote, showRecovery } from '../remote.ts';
export const recoveryShow = remote({
  name: 'recovery show',
  text: { de: 'zeigt einen Vorgang', en: 'shows a case' },
  options: {},
  positional: { name: 'NUMMER', text: { de: 'Nummer des Vorgangs', en: 'number of the case' }, required: true },
  changes: false,
  examples: ['recovery show R-7K3F-29QX'],
  input: ({ words }) => ({ number: words[0] }),
  show: (cli, result) => showRecovery(cli, result['recovery'] as Record<string, unknown>),
});
