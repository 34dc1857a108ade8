import { remote } from '../remote.ts';
export const clientRotateSecret = remote({
  name: 'client rotate-secret',
  text: {
    de: 'erzeugt ein neues Geheimnis; das vorige gilt weiter',
    en: 'makes a new secret; the one before stays good',
  },
  options: {},
  positional: {
    name: 'DIENST',
    text: { de: 'client_id des Dienstes', en: 'client_id of the service' },
    required: true,
  },
  changes: true,
  examples: ['client rotate-secret buergerportal --commit'],
  input: ({ words }) => ({ client: words[0] }),
  show(cli, result) {
    if (typeof result['secret'] !== 'string') return;
    cli.say(cli.t.secretOnce);
    cli.print(result['secret']);
  },
});
