import { remote } from '../remote.ts';
export const recoveryCancel = remote({
  name: 'recovery cancel',
  text: { de: 'zieht einen Vorgang zurück', en: 'withdraws a case' },
  options: {},
  positional: { name: 'NUMMER', text: { de: 'Nummer des Vorgangs', en: 'number of the case' }, required: true },
  changes: true,
  examples: ['recovery cancel R-7K3F-29QX --commit'],
  input: ({ words }) => ({ number: words[0] }),
});
