import { DELIVERY, OUTPUT, remote, showRecovery } from '../remote.ts';
export const recoveryApprove = remote({
  name: 'recovery approve',
  text: {
    de: 'genehmigt als zweite Person und erzeugt den Brief mit dem Code',
    en: 'approves as the second person and makes the letter with the code',
  },
  options: { ...DELIVERY, ...OUTPUT },
  positional: { name: 'NUMMER', text: { de: 'Nummer des Vorgangs', en: 'number of the case' }, required: true },
  changes: true,
  examples: ['recovery approve R-7K3F-29QX --commit', 'recovery approve R-7K3F-29QX --delivery post --commit'],
  input: ({ words, options }) => ({
    number: words[0],
    ...(options['delivery'] !== undefined && { delivery: options['delivery'] }),
  }),
  show(cli, result) {
    const recovery = result['recovery'] as Record<string, unknown>;
    showRecovery(cli, {
      ...(result['confirmed'] === true ? { number: recovery['number'] } : recovery),
      validFrom: result['validFrom'],
      expiresAt: result['expiresAt'],
    });
    if (typeof result['letter'] === 'string') cli.say(cli.t.letterAt(result['letter']));
    if (result['renewed'] === true) cli.say(cli.t.renewed);
  },
});
