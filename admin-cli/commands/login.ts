import type { Command } from '../command.ts';
import { EXIT, Refusal } from '../command.ts';
import { call, lastServer } from '../session.ts';
import { signIn } from '../sign-in.ts';

export const login: Command = {
  name: 'login',
  text: {
    de: 'meldet Sie mit dem Passkey Ihres Dienstkontos an',
    en: 'signs you in with the passkey of your staff account',
  },
  options: {
    device: {
      type: 'boolean',
      text: {
        de: 'mit Code an einem anderen Gerät (über SSH von selbst)',
        en: 'by code at another device (over SSH by itself)',
      },
    },
    'no-browser': { type: 'boolean', text: { de: 'die Adresse nur zeigen', en: 'only show the address' } },
  },
  positional: {
    name: 'SERVER',
    text: { de: 'Adresse der Anmeldung; beim nächsten Mal bekannt', en: 'address of the login; known the next time' },
    required: false,
  },
  changes: false,
  examples: ['login https://login.stadt.example', 'login --device'],
  async run(cli, args) {
    const server = args.words[0] ?? cli.env['SCHLUESSEL_SERVER'] ?? lastServer(cli.env);
    const address = server === undefined || /^https?:\/\//.test(server) ? server : `https://${server}`;
    if (address === undefined || !URL.canParse(address)) throw new Refusal(EXIT.usage, cli.t.noServer);
    const remote = args.options['device'] === true || (cli.env['SSH_CONNECTION'] ?? '') !== '';
    const { origin } = new URL(address);
    await signIn(cli, origin, remote ? 'device' : args.options['no-browser'] === true ? 'address' : 'browser');
    const me = await call(cli, 'me show', {});
    cli.say(cli.good(cli.t.signedIn(`${me['name']} (${(me['roles'] as string[]).join(', ')})`, origin)));
    return EXIT.done;
  },
};
