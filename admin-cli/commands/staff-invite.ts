import { ROLES } from '../../accounts/terms.ts';
import { EXIT, Refusal } from '../command.ts';
import { when } from '../moments.ts';
import { MEMBER, OUTPUT, remote } from '../remote.ts';
export const staffInvite = remote({
  name: 'staff invite',
  text: {
    de: 'lädt eine Person in die Verwaltung ein; alle Mitglieder erfahren es',
    en: 'invites a person to the staff; all members are told',
  },
  options: {
    name: { type: 'string', required: true, text: { de: 'Name', en: 'name' } },
    roles: {
      type: 'string',
      required: true,
      value: 'ROLLE,…',
      text: { de: `Rollen, mit Komma (${ROLES.join(', ')})`, en: `roles, with commas (${ROLES.join(', ')})` },
    },
    citizen: {
      type: 'string',
      value: 'KENNUNG',
      text: {
        de: 'Bürgerkennung derselben Person: Auf dieses Konto hat sie nie Zugriff',
        en: 'Bürgerkennung of the same person, who never acts on that account',
      },
    },
    ...OUTPUT,
  },
  positional: MEMBER,
  changes: true,
  examples: ['staff invite anna.amt@stadt.example --name "Anna Amt" --roles clerk,approver --commit'],
  input({ words, options }, cli) {
    const roles = String(options['roles'])
      .split(',')
      .map((role) => role.trim());
    if (!roles.every((role) => ROLES.some((known) => known === role))) {
      throw new Refusal(EXIT.usage, cli.t.notOneOf('--roles', ROLES));
    }
    return {
      email: words[0],
      name: options['name'],
      roles,
      language: cli.language,
      ...(options['citizen'] !== undefined && { citizen: options['citizen'] }),
    };
  },
  show(cli, result) {
    cli.facts([[cli.t.words.expiresAt, when(cli, result['expiresAt'])]]);
    if (typeof result['letter'] === 'string') cli.say(cli.t.letterAt(result['letter']));
  },
});
