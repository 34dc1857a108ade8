import type { identityDe } from './identity.de.ts';

/** The texts about electronic identities in English. */
export const identityEn: typeof identityDe = {
  buttons: {
    signIn: 'Sign in with an ID',
    proof: 'Take the details from your ID',
    eid: 'With the German online ID card',
    bundid: 'With BundID',
    upstream: 'Sign-in for staff',
  },
  eid: {
    title: 'With the online ID card',
    lead: 'What you need:',
    card: 'your German ID card, residence permit or eID card for Union citizens, with its online function switched on',
    pin: 'the six-digit PIN that you have chosen',
    reader: 'the AusweisApp, and a smartphone or a card reader',
    open: 'Open AusweisApp',
    openMobile: 'Open it on this smartphone',
    openDesktop: 'Open it on this computer',
    notRunning: 'No AusweisApp answers on this device. Start it, then open this page again.',
    missingTitle: 'AusweisApp does not open?',
    missing: 'AusweisApp is free. Install and start it, then come back here.',
    download: 'Download AusweisApp (ausweisapp.bund.de)',
    otherWays: 'Without AusweisApp you can sign in in any other way. Go back for that.',
  },
  bundid: {
    title: 'On to BundID',
    lead: 'You sign in on the page of BundID and then come back here.',
    submit: 'Continue to BundID',
    over: 'This attempt has expired. Go back and begin again.',
  },
  upstream: {
    title: 'Sign-in for staff',
    lead: 'You sign in with your employer and then come back here.',
    submit: 'Continue',
    over: 'This attempt has expired. Go back and begin again.',
  },
  unknown: {
    title: {
      eid: 'This ID card is not known here yet',
      bundid: 'This BundID is not known here yet',
      staff: 'This sign-in is not known here yet',
    },
    openTitle: { eid: 'Create a new account', bundid: 'Create a new account', staff: 'Here for the first time?' },
    openText: {
      eid: 'You need neither an e-mail address nor a password. You will sign in just as you did a moment ago.',
      bundid: 'You need neither an e-mail address nor a password. You will sign in just as you did a moment ago.',
      staff:
        'We create a staff account for you. It is separate from your account as a citizen, and we will not ask again.',
    },
    open: { eid: 'Create account', bundid: 'Create account', staff: 'Continue' },
    linkTitle: {
      eid: 'Do you have an account already?',
      bundid: 'Do you have an account already?',
      staff: 'Do you have a staff account with a passkey?',
    },
    linkText: {
      eid: 'Sign in once as usual. Then you can link the two.',
      bundid: 'Sign in once as usual. Then you can link the two.',
      staff: 'Sign in once with the passkey. Then you can link the two.',
    },
    link: 'Link it to my account',
  },
  link: {
    title: {
      eid: 'Link the ID card to the account?',
      bundid: 'Link BundID to the account?',
      staff: 'Link this sign-in to the account?',
    },
    lead: 'From now on you can sign in with it to this account:',
    account: 'Account',
    submit: 'Link',
    newCard: { eid: 'Show the new card', bundid: 'Sign in with BundID once more', staff: 'Sign in once more' },
    leave: 'Do not link',
  },
  double: {
    title: 'You have another account as well',
    lead: {
      eid: 'With this ID card you sign in to another account already.',
      bundid: 'With this BundID you sign in to another account already.',
    },
    days: (days: number) =>
      `You can close one of the two. It is then deleted with everything in it after ${days} days. Until then you can still sign in there and change your mind; if you have no other way in, the citizens’ office will help.`,
    thisTitle: 'Keep this account',
    thisText: (kennung: string) =>
      `This is the account that you are signed in to now (${kennung}). From now on you can sign in to it with the ID card or BundID as well.`,
    keepThis: 'Keep this one, close the other one',
    otherTitle: 'Keep the other account',
    otherText: 'This is the account that the ID card or BundID has belonged to so far.',
    keepOther: 'Keep the other one, close this one',
    leave: 'Keep both',
  },
  konto: {
    title: 'IDs and BundID',
    lead: 'You can sign in to this account with these.',
    none: 'No ID and no BundID is linked to this account.',
    linked: 'Linked',
    addTitle: 'Link an ID',
    addText: 'You can then use it as well to sign in to this account. You will get a message about it.',
    newCard: 'If you have a new card, it takes the place of the old one. Name and date of birth are compared for that.',
    add: { eid: 'Link the online ID card', bundid: 'Link BundID' },
    cancel: 'Cancel',
    retired: (day: string) => `replaced by a new card on ${day}`,
    names: { eid: 'Online ID card', bundid: 'BundID', staff: 'Sign-in for staff' },
    remove: 'Unlink',
    since: (day: string) => `linked on ${day}`,
    removeHint: 'After this you can no longer sign in to this account with it.',
  },
  mail: {
    subject: 'Something was changed in your Stadtschlüssel account',
    linked: (town: string) =>
      `Hello,\n\nan ID card or BundID was just linked to your account. It can now be used to sign in.\n\nWas it not you? Then please contact us at once.\n\n${town}\n`,
    unlinked: (town: string) =>
      `Hello,\n\nan ID card or BundID was just unlinked from your account. It can no longer be used to sign in.\n\nWas it not you? Then please contact us at once.\n\n${town}\n`,
    kept: (town: string) =>
      `Hello,\n\nyou had two accounts and have just closed one of them. This account stays; the other one will be deleted.\n\nWas it not you? Then please contact us at once.\n\n${town}\n`,
  },
  faults: {
    cancelled: 'You cancelled. You can try again or choose another way.',
    'card-refused': 'This card cannot be used: it is blocked or has expired. The citizens’ office can tell you more.',
    'card-denied':
      'This kind of ID is not enough here, for example an online ID that exists in a smartphone only. Use the card itself.',
    level: 'This sign-in is not secure enough for what you want to do. Choose another way.',
    attributes: 'Your BundID lacks details that are needed here. Add them there or choose another way.',
    'not-read': 'The card was not read. Try again.',
    connection: 'AusweisApp lost its connection. Try again.',
    unavailable: 'This way cannot be reached just now. Please choose another one, or try again later.',
    failed: 'That did not work. Try again or choose another way.',
    temporary:
      'You used BundID without an account. Nobody can sign in here again with that. Please use a BundID account.',
    'not-confirmed': 'The ID does not confirm this.',
    retired: 'A newer card has taken the place of this one. Please use the new card.',
    'not-active': 'This account cannot be used at present. Please contact the city.',
    contradiction:
      'The details do not match what has been proven about this account before. If that is a mistake, the citizens’ office will help.',
    'new-card':
      'Another card is linked to this account already. If this is your new card, please show it once more; name and date of birth are then compared.',
    'not-fresh': 'To link it you must have signed in just now. Please sign out and sign in again.',
    'stronger-factor': 'To link it, please sign in with your passkey.',
    weaker:
      'The other account is better protected than by this sign-in. Please sign in there and delete it under “My data”.',
    'last-way-in': 'This is the last way to sign in to this account. Add a passkey or a password first.',
    'wrong-kind':
      'IDs belong to accounts of citizens, the sign-in for staff to their accounts at work. The two cannot be mixed.',
    taken: 'Another account is signed in to with it already. Please use that one.',
  },
};
