import { EVIDENCE, REASONS } from '../../accounts/terms.ts';
import { ACCOUNT, remote, showRecovery, TICKET, WHO, withAccount } from '../remote.ts';
export const recoveryOpen = remote({
  name: 'recovery open',
  text: {
    de: 'eröffnet einen neuen Zugang für einen Bürger, der am Schalter steht',
    en: 'opens a new way in for a citizen at the counter',
  },
  options: {
    ...ACCOUNT,
    evidence: {
      type: 'string',
      required: true,
      values: EVIDENCE,
      text: { de: 'was Sie gesehen haben (keine Kopie, keine Nummer)', en: 'what you have seen (no copy, no number)' },
    },
    reason: { type: 'string', required: true, values: REASONS, text: { de: 'Grund', en: 'reason' } },
    ...TICKET,
  },
  positional: WHO,
  input: withAccount,
  changes: true,
  examples: ['recovery open GT-4F7K-29QX-C --evidence identity-card --reason device-lost --ticket B-2041 --commit'],
  show(cli, result) {
    const recovery = result['recovery'] as Record<string, unknown>;
    const told = result['told'] as { email: boolean; post: boolean };
    const done = result['committed'] === true;
    const { number } = recovery;
    // A dry run's number is that of no case. What was just confirmed need not be read again.
    if (result['confirmed'] === true) showRecovery(cli, { number });
    else showRecovery(cli, { ...recovery, name: result['name'], number: done ? number : undefined });
    cli.say(told.email ? cli.t.toldByMail : told.post ? cli.t.toldByPost : cli.bad(cli.t.tellHim));
    if (done) cli.say(cli.t.nextApprove(String(recovery['number'])));
  },
});
