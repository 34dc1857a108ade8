import type { Command } from '../command.ts';
import { EXIT } from '../command.ts';
import { end } from '../session.ts';

export const logout: Command = {
  name: 'logout',
  text: { de: 'meldet Sie ab', en: 'signs you out' },
  options: {},
  changes: false,
  examples: ['logout'],
  async run(cli) {
    await end(cli);
    cli.say(cli.t.signedOut);
    return EXIT.done;
  },
};
