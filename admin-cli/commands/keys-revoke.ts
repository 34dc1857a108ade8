import { remote } from '../remote.ts';
export const keysRevoke = remote({
  name: 'keys revoke',
  text: { de: 'beendet einen gestohlenen Schlüssel sofort', en: 'ends a stolen key at once' },
  options: {},
  positional: {
    name: 'SCHLÜSSEL',
    text: { de: 'Kennung des Schlüssels (keys list)', en: 'id of the key (keys list)' },
    required: true,
  },
  changes: true,
  examples: ['keys revoke 3q2-7wEjKl… --commit'],
  input: ({ words }) => ({ kid: words[0] }),
});
