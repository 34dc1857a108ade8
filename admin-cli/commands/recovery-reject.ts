import { remote } from '../remote.ts';
export const recoveryReject = remote({
  name: 'recovery reject',
  text: { de: 'lehnt einen Vorgang ab', en: 'refuses a case' },
  options: {},
  positional: { name: 'NUMMER', text: { de: 'Nummer des Vorgangs', en: 'number of the case' }, required: true },
  changes: true,
  examples: ['recovery reject R-7K3F-29QX --commit'],
  input: ({ words }) => ({ number: words[0] }),
});
