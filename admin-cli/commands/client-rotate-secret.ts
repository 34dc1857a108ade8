import { remote, SERVICE } from '../remote.ts';
export const clientRotateSecret = remote({
  name: 'client rotate-secret',
  text: {
    de: 'erzeugt ein neues Geheimnis; das vorige gilt weiter',
    en: 'makes a new secret; the one before stays good',
  },
  options: {},
  positional: SERVICE,
  changes: true,
  examples: ['client rotate-secret buergerportal --commit'],
  input: ({ words }) => ({ client: words[0] }),
  show(cli, result) {
    if (typeof result['secret'] !== 'string') return;
    cli.say(cli.t.secretOnce);
    cli.print(result['secret']);
  },
});
