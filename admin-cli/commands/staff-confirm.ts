import { MEMBER, remote } from '../remote.ts';
export const staffConfirm = remote({
  name: 'staff confirm',
  text: {
    de: 'bestätigt als zweite Leitung eine neue Person: Ihre Rollen gelten sofort',
    en: 'vouches for a new member, as a second chief: their roles act at once',
  },
  options: {},
  positional: MEMBER,
  changes: true,
  examples: ['staff confirm anna.amt@stadt.example --commit'],
  input: ({ words }) => ({ email: words[0] }),
});
